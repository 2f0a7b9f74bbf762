"""Which columns the table of leads shows, and in which order: those of a lead's tables that a person can read, by their names in the contracts.

An address names them, so nothing of it becomes SQL that is not a name here; and personal data is offered to keys with read-pii only.
Does not belong here: reading them (see `reading`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lead_assets.contracts import Classification, EnrichedLead, Lead, RoutingDecision, Score, Table
from lead_assets.contracts.base import ColumnSpec
from lead_assets.core.document import nearest

DEFAULT = ("company", "title", "country_code", "score", "tier", "owner", "received_at")
MOST = 20
_TABLES: Mapping[type[Table], str] = {
    Lead: "Lead",
    Score: "Score",
    RoutingDecision: "Routing",
    EnrichedLead: "Signals",
    Classification: "Classification",
}
"""Tables with one row per lead, and what a person calls each. A name that two of them have is the first one's."""


@dataclass(frozen=True)
class ShownColumn:
    """A column that can be shown."""

    table: type[Table]
    spec: ColumnSpec

    @property
    def label(self) -> str:
        return _LABELS.get(self.spec.name, self.spec.name.replace("_", " ").capitalize())

    @property
    def is_number(self) -> bool:
        return self.spec.dtype.is_numeric()


_LABELS = {
    "country_code": "Country",
    "received_at": "Received (UTC)",
    "lead_id": "Lead id",
    "campaign_id": "Campaign",
    "icp_fit": "ICP fit",
}


@dataclass(frozen=True)
class ShownColumns:
    """`asked`: names as the address has them, those that exist; `shown`: those of them that the key may see; `left_out`: the others, in words."""

    asked: Sequence[str]
    shown: Sequence[str]
    left_out: Sequence[str]

    @property
    def is_own(self) -> bool:
        return tuple(self.asked) != DEFAULT

    @property
    def text(self) -> str:
        """As an address has them; empty for those that are shown without a choice."""
        return ",".join(self.asked) if self.is_own else ""

    def moved(self, name: str, by: int) -> str:
        """The same with one column further left or right."""
        names = list(self.asked)
        at = names.index(name)
        names.insert(max(0, at + by), names.pop(at))
        return ",".join(names)

    def without(self, name: str) -> str:
        return ",".join(each for each in self.asked if each != name)


@functools.cache
def choices() -> Mapping[str, ShownColumn]:
    """All columns that can be shown, by name. What is JSON is left to a lead's page."""
    found: dict[str, ShownColumn] = {}
    for contract in _TABLES:
        for spec in contract.columns():
            if not spec.json:
                found.setdefault(spec.name, ShownColumn(contract, spec))
    return found


def offered(chosen: ShownColumns, *, pii: bool) -> dict[str, list[ShownColumn]]:
    """What can be added, by what a person calls the table."""
    found: dict[str, list[ShownColumn]] = {}
    for name, choice in choices().items():
        if name not in chosen.asked and (pii or choice.spec.pii is None):
            found.setdefault(_TABLES[choice.table], []).append(choice)
    return {group: sorted(some, key=lambda each: each.label) for group, some in found.items()}


def chosen_in(text: str, *, pii: bool) -> ShownColumns:
    """The columns that an address asks for; without any, those of `DEFAULT`. What cannot be shown is named, and never dropped in silence."""
    names = dict.fromkeys(name for each in text.split(",") if (name := each.strip()))
    left_out = []
    known: list[str] = []
    for name in names:
        if name not in choices():
            left_out.append(f"there is no column {name[:60]}{nearest(name, choices())}")
        elif len(known) == MOST:
            left_out.append(f"{name}: a table shows at most {MOST} columns")
        else:
            known.append(name)
    left_out += [f"{name} is personal data: it needs a key with the scope read-pii" for name in known if not _may_see(name, pii=pii)]
    asked = known or list(DEFAULT)
    return ShownColumns(asked, [name for name in asked if _may_see(name, pii=pii)], left_out)


def _may_see(name: str, *, pii: bool) -> bool:
    return pii or choices()[name].spec.pii is None

"""The payload shapes the product takes, one declaration each. A new shape is one more `Adapter` in `ADAPTERS` and nothing else.

An adapter is chosen by the payload's own keys, never by the name of its file. Does not belong here: reading values (see `rows`) and CSV headers
(see `headers`, which maps them to the keys named here).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lead_assets.contracts import LeadFields


@dataclass(frozen=True)
class Adapter:
    """One payload shape.

    `shapes`: a payload has the shape if it has all keys of one of these sets. The first adapter of `ADAPTERS` that fits takes it.
    `renames`: payload key → column, where the sender's word is not ours; a key that is a column's name fills that column in any shape.
    `ids`, `submitted`: keys of the sender's own lead id and of the time of submission, in order of precedence.
    `csv_only`: only for rows of a table.
    """

    name: str
    shapes: tuple[frozenset[str], ...]
    renames: dict[str, str] = field(default_factory=dict)
    ids: tuple[str, ...] = ("lead_id",)
    submitted: tuple[str, ...] = ("submitted_at", "created_at")
    csv_only: bool = False

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Column → payload keys that can fill it, in order of precedence."""
        columns = {
            "lead_id": self.ids,
            "submitted_at": self.submitted,
            "source_campaign": CAMPAIGN_KEYS,
        }
        for column in LeadFields.model_fields:
            if column != "extra":
                renamed = tuple(key for key, target in self.renames.items() if target == column)
                own = () if column in self.renames else (column,)
                columns[column] = (*own, *renamed)
        return columns


def _any_of(*shapes: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(shape.split()) for shape in shapes)


CAMPAIGN_KEYS = ("campaign_id", "utm_campaign")

_USUAL_NAMES = {
    "name": "full_name",
    "organization": "company",
    "company_name": "company",
    "job_title": "title",
    "designation": "title",
    "linkedin": "linkedin_url",
    "message": "notes",
}

INBOUND_B2B = Adapter(
    "inbound_b2b",
    shapes=_any_of("email company", "email full_name", "email title", "email website", "email name", "email first_name"),
    renames=_USUAL_NAMES,
)

ADAPTERS: tuple[Adapter, ...] = (
    Adapter("crm_row", shapes=_any_of("customer_id"), ids=("customer_id",), renames=_USUAL_NAMES | {"bio": "notes"}),
    Adapter(
        "campaign_api",
        shapes=_any_of("lead_id agent_id", "lead_id name organization", "lead_id name designation", "lead_id name campaign_id"),
        renames={"name": "full_name", "organization": "company", "designation": "title"},
        submitted=("created_at", "submitted_at"),
    ),
    Adapter(
        "lending_form",
        shapes=_any_of(
            "lead_id first_name",
            "lead_id submitted_at",
            "property_address",
            "property_state",
            "property_type",
            "loan_amount_requested",
            "purchase_price",
            "estimated_arv",
        ),
        renames={"property_city": "city", "property_state": "state"},
    ),
    INBOUND_B2B,
    Adapter("csv", shapes=(frozenset(),), renames=_USUAL_NAMES, csv_only=True),
)

FIELD_KEYS: frozenset[str] = frozenset(key for adapter in ADAPTERS for keys in adapter.sources.values() for key in keys)
"""Every payload key that means something to some adapter: what a CSV header can be mapped to."""


def choose(keys: Collection[str], *, is_csv: bool, adapters: tuple[Adapter, ...] = ADAPTERS) -> Adapter:
    """The adapter of a payload with these keys. JSON that has no declared shape is read as inbound B2B, if it names anybody at all."""
    present = set(keys)
    for adapter in adapters:
        if (is_csv or not adapter.csv_only) and any(shape <= present for shape in adapter.shapes):
            return adapter
    return INBOUND_B2B

"""What an address asks of the table of leads: filters, search, order, columns. The same words are in links, forms and saved views.

Does not belong here: answering it (see `reading`), which columns there are (see `choosing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from lead_assets.service.explorer.choosing import ShownColumns, chosen_in
from lead_assets.service.explorer.frame import MOST_TEXT
from lead_assets.service.explorer.reading import FILTERS, SORTS, LeadsWanted

_MOST_COLUMNS, _MOST_CURSOR = 2_000, 2_000


@dataclass(frozen=True)
class ListAsked:
    """`kept`: word of the address → what it says, without what goes without saying, in one order: equal lists have equal ones."""

    wanted: LeadsWanted
    columns: ShownColumns
    kept: dict[str, str]

    @property
    def url(self) -> str:
        return leads_url(self.kept)


def asked_in(words: Mapping[str, str], *, pii: bool) -> ListAsked:
    """What the words of an address ask for; words that are none are left out."""
    said = {name: value[:MOST_TEXT].strip() for name, value in words.items()}
    values = {name: said.get(name, "") for name in FILTERS}
    values["country"] = values["country"].upper()
    sort = said.get("sort", "")
    sort = sort if sort in SORTS else "received"
    columns = chosen_in(words.get("columns", "")[:_MOST_COLUMNS], pii=pii)
    wanted = LeadsWanted(values, said.get("q", ""), sort, words.get("after", "")[:_MOST_CURSOR], columns.shown)
    every = {**values, "q": wanted.search, "sort": sort, "columns": columns.text}
    return ListAsked(wanted, columns, {name: value for name, value in every.items() if value and (name, value) != ("sort", "received")})


def asked_in_text(text: str, *, pii: bool) -> ListAsked:
    """The same from the part of an address after its question mark."""
    return asked_in(dict(parse_qsl(text[: _MOST_COLUMNS + _MOST_CURSOR], max_num_fields=20)), pii=pii)


def leads_url(kept: Mapping[str, str]) -> str:
    return "/explorer/leads" + (f"?{urlencode(kept)}" if kept else "")

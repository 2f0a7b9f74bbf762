"""What the header of a column, the key of an object or the question of a form means: the wordings of `rules/headers.yaml`, folded, and the field of each.

Does not belong here: finding a table's header line (see `csv_payloads`), or which payload shape a table has (see `adapters`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import NamedTuple

from lead_assets.contracts import RawLead
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown

IGNORE = "ignore"
"""The target in `--map 'Column=ignore'`: the column fills nothing, but stays in the payload."""

_OURS = (
    "campaign_id",
    "adapter",
    "email_normalized",
    "drop_sha256",
    "drop_name",
    "position",
    "part",
    "received_at",
    "payload",
    "extra",
    "unread_fields",
    "given",
    "implied_profile",
)
FIELDS: tuple[str, ...] = tuple(name for name in RawLead.polars_schema() if name not in _OURS)
"""Every column that a sender can fill."""
OTHER_NAMES = {
    "bio": "notes", "campaign_id": "source_campaign", "company_name": "company", "created_at": "submitted_at", "customer_id": "lead_id",
    "designation": "title", "job_title": "title", "linkedin": "linkedin_url", "message": "notes", "name": "full_name", "organization": "company",
    "property_city": "city", "property_state": "state", "utm_campaign": "source_campaign",
}  # fmt: skip
"""Other names that `--map from=to` accepts for a field."""

_REMEMBERED = 20_000
_BETWEEN_WORDINGS = re.compile(r"\s*[/|]\s*")
_PATH = re.compile(r"\w+(?:\[\w*\])+")
_NUMBERED_FIELD = re.compile(r"([a-z]+)-\d{3,4}")
_SECOND = 1_000
"""Wordings of one list are fewer than this: what is only like one of them comes after all of them."""


class Meaning(NamedTuple):
    """The field that a wording means, how common the wording is for it (0 is the most common), and the wording's language."""

    field: str
    rank: int
    language: str


class Headers(Declared):
    """The header table: field → language → wordings, and by language the words that do not count."""

    fields: dict[str, dict[str, list[str]]]
    fillers: dict[str, list[str]] = {}
    either: list[str] = []
    """Words for the whole name that mean the rest of it beside a column of the other part."""

    @cached_property
    def wordings(self) -> dict[str, Meaning]:
        """Folded wording → what it means. A field's own name comes first."""
        table = {fold_header(field): Meaning(field, 0, "en") for field in FIELDS}
        for english in (True, False):
            for field, languages in self.fields.items():
                for language, wordings in languages.items():
                    if (language == "en") is english:
                        for rank, wording in enumerate(wordings, start=1):
                            table.setdefault(fold_header(wording), Meaning(field, rank, language))
        return table

    @cached_property
    def ignored(self) -> frozenset[str]:
        return frozenset(fold_header(word) for words in self.fillers.values() for word in words)

    @cached_property
    def whole_or_rest(self) -> frozenset[str]:
        return frozenset(map(fold_header, self.either))

    @cached_property
    def _told(self) -> dict[str, Meaning | None]:
        return {}

    def meaning(self, header: str) -> Meaning | None:
        """What a header means; None if unknown. Remarks in brackets, a number at the end and fillers do not count."""
        told = self._told
        if header not in told:
            if len(told) > _REMEMBERED:
                told.clear()
            told[header] = self._read(header)
        return told[header]

    def _read(self, header: str) -> Meaning | None:
        words = words_of(header)
        if found := self.wordings.get("".join(words)):
            return found
        # "Phone [mobile]" has a remark, and "contact[first_name]" is a path.
        bare = words if _PATH.fullmatch(header) else words_of(re.sub(r"\([^)]*\)|\[[^]]*\]", " ", header))
        for attempt in (words, bare, *([word for word in these if word not in self.ignored] for these in (words, bare))):
            for shorter in (attempt, _unnumbered(attempt)):
                if shorter and (found := self.wordings.get("".join(shorter))):
                    return found._replace(rank=found.rank + _SECOND)
        return self._of_parts(header)

    def _of_parts(self, header: str) -> Meaning | None:
        """What both halves of "Company / Organization" mean, and what Contact Form 7 numbers: "tel-123"."""
        parts = [numbered[1]] if (numbered := _NUMBERED_FIELD.fullmatch(header)) else _BETWEEN_WORDINGS.split(header)
        found = [self.wordings.get("".join(words_of(part))) for part in parts]
        first = found[0]
        if first is None or (len(parts) == 1 and not numbered) or any(each is None or each.field != first.field for each in found):
            return None
        return first._replace(rank=first.rank + _SECOND)

    def near(self, header: str) -> str | None:
        """The field of the known wording closest to an unknown header; None if none is close."""
        close = get_close_matches(fold_header(header), self.wordings, n=1, cutoff=0.85)
        return self.wordings[close[0]].field if close else None


def _mistakes(headers: Headers) -> Iterator[Mistake]:
    seen: dict[str, tuple[str, str]] = {}
    for field, languages in headers.fields.items():
        if field not in FIELDS:
            yield Mistake(
                ("fields", field), f"unknown field '{field}'{nearest(field, FIELDS)}: correct or remove it; known: {', '.join(FIELDS)}"
            )
        for language, wordings in languages.items():
            for index, wording in enumerate(wordings):
                where = ("fields", field, language, index)
                if not (folded := fold_header(wording)):
                    yield Mistake(where, "a wording without a letter or digit: write one, or remove it")
                elif folded in seen and seen[folded][0] != field and seen[folded][1] == language:
                    yield Mistake(
                        where,
                        f"'{wording}' also stands for '{seen[folded][0]}': a wording means only one field per language, remove one of them",
                    )
                seen.setdefault(folded, (field, language))


HEADERS = RulesFile(
    "headers.yaml",
    Headers,
    mistakes=_mistakes,
    summary=lambda headers: f"{len(headers.wordings)} wordings for {len(headers.fields)} fields",
)


@lru_cache(maxsize=1)
def shipped_headers() -> Headers:
    return HEADERS.load(Settings(rules_dir=None))


def words_of(header: str) -> list[str]:
    """The words of a header, folded: lower case, no accents, camelCase split. "emailAddress" → ["email", "address"]."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", header)
    plain = (
        "".join(c for c in unicodedata.normalize("NFKD", apart) if not unicodedata.combining(c))
        .casefold()
        .replace("ł", "l")
        .replace("ø", "o")
    )
    return re.findall(r"[^\W_]+", plain)


def _unnumbered(words: list[str]) -> list[str]:
    """The words without a small number at the end: "phone 2", "Email1". A larger number is a value, not part of a header."""
    bare = re.sub(r"\d{1,2}$", "", words[-1]) if words else ""
    return [*words[:-1], bare] if bare and not bare[-1].isdigit() else words[:-1] if words and not bare else words


def fold_header(header: str) -> str:
    """A header in the form used for comparison: its words joined without separators."""
    return "".join(words_of(header))


def bind(cells: list[str], column_map: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """A table's headers made unique, and the field that each means, "" for none, by the shipped wordings."""
    headers = shipped_headers()
    wanted = {fold_header(source): target for source, target in column_map.items()}
    keys: dict[str, str] = {}
    times: dict[str, int] = {}
    for index, cell in enumerate(cells, start=1):
        bare = name = cell.strip() or f"column_{index}"
        while name in keys:
            times[bare] = times.get(bare, 1) + 1
            name = f"{bare}_{times[bare]}"
        meaning = headers.meaning(name)
        keys[name] = wanted.get(fold_header(name)) or (meaning.field if meaning else "")
    return tuple(keys), keys


def check_column_map(column_map: Mapping[str, str]) -> None:
    """Raises UnknownWord if a target of `--map from=to` is not a field that a lead can have."""
    known = {*FIELDS, *OTHER_NAMES, IGNORE}
    if strangers := sorted(target for target in column_map.values() if target not in known):
        raise unknown("--map: no field", strangers[0], sorted(known))

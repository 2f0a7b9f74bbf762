"""Evidence that two rows of a campaign are about one person: a mailbox, a LinkedIn profile or a phone that they share, and names that do not contradict it.

A wrong merge loses a lead, a missed one only costs a second look, so a key that several people may share (a switchboard, info@, a family's mailbox) never
merges rows of different names, and a pair that may be one person is named as possible instead. Does not belong here: ids that the source itself gave, or which
row is kept (see `resolve`); names (`person_names`) and addresses (`addresses`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl

from lead_assets.core.columns import folded, map_distinct
from lead_assets.core.emails import mailbox_keys, shared_mailboxes
from lead_assets.identity.addresses import places
from lead_assets.identity.person_names import read_name, same_name
from lead_assets.identity.phones import EXTENSION, extension, phone_key

_PROFILE = r"(?i)linkedin\.[a-z.]+/(?:in|pub)/([^/?#\s]+)"
# "me" is whoever is logged in.
_NOBODYS_PROFILE = ("me", "your-profile", "yourprofile", "username")
_LAST_DIGITS = 7
_MOST_POSSIBLE = 12
"""Leads that share one key: of more, nobody can look through the pairs."""


class SamePerson(NamedTuple):
    """`links`: by_id, by_key (numbers): rows with equal by_key are about one person and one property. `possible`: one_id, other_id (numbers, one_id the
    smaller) and shared ("email", "phone", "profile", "name_and_company"): pairs of ids that may be one person, for somebody to decide."""

    links: pl.DataFrame
    possible: pl.DataFrame


class _Row(NamedTuple):
    at: int
    by_id: int
    name: str
    address: str
    email: str | None
    extension: str | None
    shared: bool


def same_person(rows: pl.DataFrame) -> SamePerson:
    """Who is one person, and who may be.

    Takes by_id (a number for the row's campaign and lead id), campaign_id, email_normalized, phone, linkedin_url, property_address, full_name, first_name,
    last_name and company. Only rows whose key stands under several ids are looked at more closely.
    """
    frames = [
        frame
        for kind, key in (
            ("email", mailbox_keys(rows["email_normalized"])),
            ("phone", rows["phone"].str.replace(EXTENSION, "").str.replace_all(r"\D", "").str.tail(_LAST_DIGITS)),
            ("profile", rows["linkedin_url"].str.extract(_PROFILE, 1)),
            ("name_and_company", _names_and_companies(rows)),
        )
        if (frame := _candidates(rows, kind, key)).height
    ]
    if not frames:
        return SamePerson(_links([]), _possible(set()))
    return _decided(rows, pl.concat(frames))


def _names_and_companies(rows: pl.DataFrame) -> pl.Series:
    """As they are written, but for case: no evidence, only a reason to look. Null for less than two names or no company."""
    name = pl.coalesce("full_name", pl.concat_str("first_name", "last_name", separator=" "))
    both = rows.select(pl.when(name.str.contains(" ", literal=True)).then(pl.concat_str(name, "company", separator="\x1f"))).to_series()
    return both.str.to_lowercase()


def _candidates(rows: pl.DataFrame, kind: str, key: pl.Series) -> pl.DataFrame:
    """Columns at (row number), by_id, campaign_id, key, kind of rows whose key stands under several ids of one campaign."""
    if kind == "profile":
        key = map_distinct(key, _profile)
    frame = pl.DataFrame({"at": range(rows.height), "by_id": rows["by_id"], "campaign_id": rows["campaign_id"], "key": key}).drop_nulls(
        "key"
    )
    if kind != "profile" and not frame["key"].is_duplicated().any():
        return frame.head(0).with_columns(kind=pl.lit(kind))
    several = frame.filter(pl.col("by_id").n_unique().over("campaign_id", "key") > 1)
    if kind == "phone" and several.height:
        keys = map_distinct(rows["phone"][several["at"]], phone_key)
        several = several.with_columns(key=keys).drop_nulls("key").filter(pl.col("by_id").n_unique().over("campaign_id", "key") > 1)
    return several.with_columns(kind=pl.lit(kind))


@lru_cache(10_000)
def _profile(name: str) -> str | None:
    key = folded([unquote(name)])[0].replace(" ", "-")
    return None if not key or key in _NOBODYS_PROFILE else key


def _decided(rows: pl.DataFrame, candidates: pl.DataFrame) -> SamePerson:
    near = rows[candidates["at"]]
    name = pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True)).fill_null("")
    blocks = candidates.with_columns(
        near.select(name.str.strip_chars().alias("name"), address=pl.col("property_address").fill_null("").str.strip_chars()),
        email=near["email_normalized"],
        extension=map_distinct(near["phone"], extension),
        shared=shared_mailboxes(near["email_normalized"]).fill_null(False) & (candidates["kind"] == "email"),
    ).with_columns(block=pl.struct("kind", "campaign_id", "key").rank("dense").cast(pl.Int64))
    # Most rows are the same ones sent again: nothing has to be read.
    plain = blocks.select(
        pl.col("kind").is_in(["email", "profile"])
        & ((pl.col("name").n_unique().over("block") == 1) & (pl.col("address").n_unique().over("block") == 1))
    ).to_series()
    links = [blocks.filter(plain).select("by_id", by_key="block")]
    found: list[tuple[int, int]] = []
    possible: set[tuple[int, int, str]] = set()
    number = int(blocks["block"].max() or 0)  # type: ignore[arg-type]
    for kind, block in _blocks(blocks.filter(~plain)):
        people: list[int | None] = [None] * len(block) if kind == "name_and_company" else _people_of(kind, block)
        for row, person in zip(block, people, strict=True):
            if person is not None:
                found.append((row.by_id, number + 1 + person))
        number += len(block) + 1
        possible.update(_may_be_one(kind, block, people))
    return SamePerson(pl.concat([*links, _links(found)]), _possible(possible))


def _blocks(blocks: pl.DataFrame) -> Iterator[tuple[str, list[_Row]]]:
    found: dict[int, tuple[str, list[_Row]]] = {}
    for block, kind, *row in blocks.select("block", "kind", *_Row._fields).iter_rows():
        found.setdefault(block, (kind, []))[1].append(_Row(*row))
    return iter(found.values())


def _people_of(kind: str, block: list[_Row]) -> list[int | None]:
    """A number per row, equal for rows of one person and one property; null if it is not certain who they are."""
    place_of = places(sorted({row.address for row in block}))
    numbers: dict[tuple[int, int], int] = {}
    people: list[int | None] = [None] * len(block)
    for place in sorted({place for place in place_of.values() if place is not None}):
        here = [index for index, row in enumerate(block) if place_of[row.address] == place]
        names = sorted({block[index].name for index in here})
        strict = kind == "phone" or any(block[index].shared for index in here)
        of_name = _people(names, needs_name=kind == "phone", strict=strict)
        doubt = _two_behind_one_phone([(of_name[block[index].name], block[index]) for index in here]) if kind == "phone" else set()
        for index in here:
            person = of_name[block[index].name]
            people[index] = None if person is None or person in doubt else numbers.setdefault((place, person), len(numbers))
    return people


def _two_behind_one_phone(rows: list[tuple[int | None, _Row]]) -> set[int]:
    """Namesakes behind one switchboard have two mailboxes at one company, or two extensions."""
    emails: dict[int, set[str]] = {}
    extensions: dict[int, set[str]] = {}
    for person, row in rows:
        if person is not None:
            emails.setdefault(person, set()).update([row.email] if row.email else [])
            extensions.setdefault(person, set()).update([row.extension] if row.extension else [])
    two_mailboxes = {person for person, of in emails.items() if len({mail.partition("@")[2] for mail in of}) < len(of)}
    return two_mailboxes | {person for person, of in extensions.items() if len(of) > 1}


def _people(names: list[str], *, needs_name: bool, strict: bool) -> dict[str, int | None]:
    """A number per name, equal for spellings of one person's name. A name that fits two different people, or none at all beside several, is null."""
    full = sorted((name for name in names if read_name(name).words), key=lambda name: (-len(name), name))
    people: list[list[str]] = []
    answer: dict[str, int | None] = {}
    for name in full:
        fits = [number for number, known in enumerate(people) if all(same_name(name, other, strict=strict) for other in known)]
        if not fits:
            people.append([name])
            answer[name] = len(people) - 1
        elif len(fits) == 1:
            people[fits[0]].append(name)
            answer[name] = fits[0]
        else:
            answer[name] = None
    nameless = None if needs_name or len(people) > 1 or (strict and people) else 0
    return answer | {name: nameless for name in names if name not in answer}


def _may_be_one(kind: str, block: list[_Row], people: list[int | None]) -> Iterator[tuple[int, int, str]]:
    """Pairs of ids of one block that were not found to be one person, whose names could be one's, for the same property if both name one."""
    first: dict[tuple[int, int | None, str, str], int] = {}
    for index, (row, person) in enumerate(zip(block, people, strict=True)):
        first.setdefault((row.by_id, person, row.name, row.address), index)
    if len({row.by_id for row in block}) > _MOST_POSSIBLE:
        return
    for i, j in combinations(sorted(first.values()), 2):
        one, other = block[i], block[j]
        if one.by_id == other.by_id or (people[i] is not None and people[i] == people[j]):
            continue
        place_of = places(sorted({one.address, other.address} - {""}))
        if len(place_of) == 2 and len(set(place_of.values())) == 2:
            continue
        # Two full names that are read as two people's are two people.
        if same_name(one.name, other.name, strict=False):
            yield min(one.by_id, other.by_id), max(one.by_id, other.by_id), kind


def _links(found: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(found, schema={"by_id": pl.Int64, "by_key": pl.Int64}, orient="row")


def _possible(found: set[tuple[int, int, str]]) -> pl.DataFrame:
    return pl.DataFrame(sorted(found), schema={"one_id": pl.Int64, "other_id": pl.Int64, "shared": pl.String}, orient="row")

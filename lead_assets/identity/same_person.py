"""Evidence that two rows of a campaign are about one person: a mailbox, a LinkedIn profile or a phone that they share, and names that do not contradict it.

A wrong merge loses a lead, a missed one only costs a second look, so a key that several people may share (a switchboard, info@, a family's mailbox) never
merges rows of different names, and a pair that may be one person is named as possible instead. Does not belong here: ids that the source itself gave, or which
row is kept (see `resolve`); names (`person_names`) and addresses (`addresses`); what speaks of two people (`contradictions`) and whose a key is (`whose_key`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl
from anyascii import anyascii

from lead_assets.core.columns import at_once, fold, folded, map_distinct
from lead_assets.core.emails import email_domains, email_kinds, mailbox_keys, nobodys_mailboxes, shared_mailboxes
from lead_assets.core.titles import title_roles
from lead_assets.identity.addresses import FLAT_FIRST, places, street_keys
from lead_assets.identity.company_names import clean_companies
from lead_assets.identity.compared_row import STEM, ComparedRow
from lead_assets.identity.contradictions import are_of_two_offices, contradict
from lead_assets.identity.known_names import no_companies
from lead_assets.identity.person_names import Likeness, is_like_by_sound_alone, likeness, read_name
from lead_assets.identity.phones import EXTENSION, extensions, phone_keys
from lead_assets.identity.whose_key import Whose, is_household, is_nobodys, whose_of

_PROFILE = r"(?i)linkedin\.[a-z.]+/(?:in|pub)/([^/?#\s]+)"
# "me" is whoever is logged in.
_NOBODYS_PROFILE = ("me", "your-profile", "yourprofile", "username")
# Kept free for manuals (RFC 2606), and so what people type who do not want to be known.
_NOBODYS_DOMAIN = r"^(?:.+\.)?(?:example|no-?e?-?mail|none)\.(?:com|net|org|edu)$"
_LAST_DIGITS = 7
_MOST_POSSIBLE = 12
"""Leads that share one key: of more, nobody can look through the pairs."""
_MOST_NAMESAKES = 40
"""Leads of one company whose names have a word in common: of more, only equal names are compared."""
_COMPARED = (
    "email_normalized",
    "phone",
    "linkedin_url",
    "property_address",
    "full_name",
    "first_name",
    "last_name",
    "company",
    "title",
    "city",
    "state",
    "country",
    "extra",
)
# A birthday among the answers that have no column: in English, German, Dutch, French, Spanish, Portuguese, Italian, Polish, Czech, Russian, Turkish, Swedish.
_BORN = (
    r'(?i)"[^"]*(?:birth|\bdob\b|geburt|geboorte|naissance|nacimiento|nascimento|nascita|urodzenia|narozen|рождения|doğum|födelse)[^"]*":'
    r'\s*"?([^",}]*\d[^",}]*)'
)


class SamePerson(NamedTuple):
    """`links`: by_id, by_key (numbers): rows with equal by_key are about one person and one property. `possible`: one_id, other_id (numbers, one_id the
    smaller) and shared ("email", "phone", "profile", "name_and_company", "name_and_address"): pairs of ids that may be one person, for somebody to decide."""

    links: pl.DataFrame
    possible: pl.DataFrame


def same_person(rows: pl.DataFrame) -> SamePerson:
    """Who is one person, and who may be.

    Takes by_id (a number for the row's campaign and lead id), campaign_id, email_normalized, phone, linkedin_url, property_address, full_name, first_name,
    last_name, company, title, city, state, country and extra. Only rows whose key stands under several ids are looked at more closely.

    A mailbox and a profile of one's own are evidence beside any name that does not contradict; a number beside the same name. A name is evidence beside the
    same company or property, unless what else is known speaks of two people (see `contradict`).
    """
    if rows["campaign_id"].n_unique() == rows.height:
        return SamePerson(_links([]), _possible(set()))  # there is nobody to compare with
    named = _named(rows)
    found = at_once(
        rows.height,
        lambda: [
            _candidates(rows, "email", mailbox_keys(rows["email_normalized"])),
            _candidates(rows, "phone", _last_digits(rows["phone"])),
        ],
        lambda: [_candidates(rows, "profile", rows["linkedin_url"].str.extract(_PROFILE, 1))],
        lambda: [_by_name("name_and_address", named, _houses(named))],
        lambda: [_by_name("name_and_company", named, _companies(named))],
    )
    frames = [frame for several in found for frame in several if frame.height]
    if not frames:
        return SamePerson(_links([]), _possible(set()))
    return _decided(rows, pl.concat(frames))


def _last_digits(phones: pl.Series) -> pl.Series:
    return phones.str.replace(EXTENSION, "").str.replace_all(r"\D", "").str.tail(_LAST_DIGITS)


def _candidates(rows: pl.DataFrame, kind: str, key: pl.Series) -> pl.DataFrame:
    """Columns at (row number), by_id, campaign_id, key, kind of rows whose key stands under several ids of one campaign."""
    if kind == "profile":
        key = map_distinct(key, _profile)
    frame = pl.DataFrame({"at": range(rows.height), "by_id": rows["by_id"], "campaign_id": rows["campaign_id"], "key": key}).drop_nulls(
        "key"
    )
    if kind != "profile" and not frame["key"].is_duplicated().any():
        return frame.head(0).with_columns(kind=pl.lit(kind))
    several = _of_several(frame)
    if kind == "email" and several.height:
        nobodys = nobodys_mailboxes(rows["email_normalized"][several["at"]]).fill_null(False)
        several = several.filter(~nobodys)
    if kind == "phone" and several.height:
        # Another campaign's numbers say nothing of the country of these.
        block = several.select(pl.concat_str("campaign_id", "key", separator="\x1f")).to_series()
        keys = phone_keys(rows["phone"][several["at"]], block)
        several = _of_several(several.with_columns(key=keys).drop_nulls("key"))
    return several.with_columns(kind=pl.lit(kind))


def _of_several(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("by_id").n_unique().over("campaign_id", "key") > 1)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a name of two words, or in another script: what is compared of those whose names have the beginning of a word in common, at one company or
    about one house."""
    name = pl.coalesce("full_name", pl.concat_str("first_name", "last_name", separator=" "))
    named = rows.select("by_id", "campaign_id", "company", "email_normalized", "property_address", name=name).with_row_index("at")
    return named.filter(pl.col("name").str.contains(r"[^\x00-\x7f]|\S[\s,]+\S")).with_columns(pl.col("at").cast(pl.Int64))


def _companies(named: pl.DataFrame) -> pl.DataFrame:
    """Columns at and key: a company's clean name, and the name that its domain spells, without spaces, with the number of the house that the lead is about:
    leads about two houses are two, whoever asks."""
    distinct = named["company"].drop_nulls().unique()
    keys = map_distinct(named["company"], dict(zip(distinct.to_list(), _company_keys(distinct).to_list(), strict=True)).get)
    keys = keys.set(keys.is_in(sorted(no_companies())).fill_null(False), None)
    hosts = email_domains(named["email_normalized"])
    hosts = hosts.set((email_kinds(hosts) != "business").fill_null(True), None)
    nobodys = hosts.str.contains(_NOBODYS_DOMAIN) | nobodys_mailboxes(named["email_normalized"])
    hosts = hosts.set(nobodys.fill_null(False), None)
    spelt = _plain_umlauts(hosts.str.extract(r"([^.]+)\.(?:(?:co|com|org|net|ac|gov)\.)?[^.]+$", 1).str.replace_all("-", "", literal=True))
    about = named["property_address"].str.replace(FLAT_FIRST, "$2").str.extract(r"(\d+)", 1).fill_null("")
    both = pl.concat([pl.DataFrame({"at": named["at"], "key": each, "about": about}) for each in (keys, spelt)])
    return both.filter(pl.col("key").str.len_bytes() > 1).unique().select("at", key=pl.col("key") + "\x1f" + pl.col("about"))


def _houses(named: pl.DataFrame) -> pl.DataFrame:
    """Columns at and key: the number of the house that the lead is about, and how its street begins."""
    number = pl.col("property_address").str.replace(FLAT_FIRST, "$2").str.extract(r"(\d+)", 1)
    numbered = named.select("at", "by_id", "campaign_id", "property_address", key=number)
    several = _of_several(numbered.drop_nulls("key"))
    streets = street_keys(several["property_address"])
    return several.select("at", key=pl.col("key") + "\x1f" + streets)


def _company_keys(companies: pl.Series) -> pl.Series:
    clean = clean_companies(companies)
    keys = fold(clean).str.replace_all(r"\b(?:and|und|et|y|e|i)\b| ", "")
    foreign = keys.str.contains(r"[^\x00-\x7f]").fill_null(False)
    keys = keys if not foreign.any() else pl.select(pl.coalesce(map_distinct(keys.set(~foreign, None), _in_latin), keys)).to_series()
    return _plain_umlauts(keys)


def _plain_umlauts(keys: pl.Series) -> pl.Series:
    return keys.str.replace_all(r"([aou])e", "$1")


def _by_name(kind: str, named: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Rows of one key (columns at, key) and campaign whose names share the beginning of a word; in large groups the whole name."""
    several = _of_several(keys.join(named.select("at", "by_id", "campaign_id", "name"), on="at"))
    if several.is_empty():
        return several.select("at", "by_id", "campaign_id", "key").with_columns(kind=pl.lit(kind))
    names = fold(several["name"].str.replace_all(r"\b([OoDdLl])['\u2019`]", "$1"))
    foreign = names.str.contains(r"[^\x00-\x7f]").fill_null(False)
    if foreign.any():
        names = pl.select(pl.coalesce(map_distinct(names.set(~foreign, None), _in_latin), names)).to_series()
    words = several.with_columns(word=names.str.split(" ")).with_columns(whole=pl.col("word").list.sort().list.join("")).explode("word")
    stems = _of_several(words.with_columns(key=pl.col("key") + "\x1f" + pl.col("word").str.head(STEM)).unique(["at", "key"]))
    crowded = pl.col("by_id").n_unique().over("campaign_id", "key") > _MOST_NAMESAKES
    stems = stems.with_columns(key=pl.when(crowded).then(pl.col("key") + "\x1f" + pl.col("whole")).otherwise("key"))
    return _of_several(stems).select("at", "by_id", "campaign_id", "key").with_columns(kind=pl.lit(kind))


def _in_latin(text: str) -> str:
    return folded([anyascii(text)])[0]


@lru_cache(10_000)
def _profile(name: str) -> str | None:
    key = folded([unquote(name)])[0].replace(" ", "-")
    return None if not key or key in _NOBODYS_PROFILE else key


def _numbers_of(text: str) -> str:
    """The numbers of a day in any order: 1980-02-01 and 01/02/1980."""
    return " ".join(sorted(number.lstrip("0") for number in re.findall(r"\d+", text.partition("T")[0])))


def _decided(rows: pl.DataFrame, candidates: pl.DataFrame) -> SamePerson:
    near = rows.select(_COMPARED)[candidates["at"]]
    name = pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True)).fill_null("")
    emails = near["email_normalized"]
    emails = emails.set(nobodys_mailboxes(emails).fill_null(False), None)
    companies = near["company"].drop_nulls().unique()
    blocks = candidates.with_columns(
        near.select(
            name.str.strip_chars().alias("name"),
            address=pl.col("property_address").fill_null("").str.strip_chars(),
            title=pl.col("title").fill_null("").str.strip_chars().str.to_lowercase(),
        ),
        **{name: fold(near[name]).fill_null("") for name in ("city", "state", "country")},
        department=title_roles(near["title"])["department"],
        born=map_distinct(near["extra"].str.extract(_BORN, 1), _numbers_of).fill_null(""),
        email=emails,
        mailbox=mailbox_keys(emails),
        phone=near["phone"],
        profile=map_distinct(near["linkedin_url"].str.extract(_PROFILE, 1), _profile),
        extension=extensions(near["phone"]),
        shared=shared_mailboxes(emails).fill_null(False),
        free=(email_kinds(email_domains(emails)) != "business").fill_null(False),
        company=map_distinct(
            near["company"], dict(zip(companies.to_list(), _company_keys(companies).to_list(), strict=True)).get
        ).fill_null(""),
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
        people = _namesakes_of(kind, block) if kind.startswith("name") else _people_of(kind, block)
        for row, person in zip(block, people, strict=True):
            if person is not None:
                found.append((row.by_id, number + 1 + person))
        number += len(block) + 1
        possible.update(_may_be_one(kind, block, people))
    return SamePerson(pl.concat([*links, _links(found)]), _possible(possible))


def _namesakes_of(kind: str, block: list[ComparedRow]) -> list[int | None]:
    """As `_people_of`, for rows of one company or house number: a row joins those that it is one person with by all that is known, or nobody."""
    people: list[list[ComparedRow]] = []
    numbers: list[int | None] = []
    for row in block:
        fits = [number for number, known in enumerate(people) if all(_is_one(kind, row, other) for other in known)]
        if not fits:
            people.append([row])
            numbers.append(len(people) - 1)
        elif len(fits) == 1:
            people[fits[0]].append(row)
            numbers.append(fits[0])
        else:
            numbers.append(None)
    return numbers


def _is_one(kind: str, a: ComparedRow, b: ComparedRow) -> bool:
    """Whether two rows of one company, or of one house number, are one person about one property."""
    if likeness(a.name, b.name, household=True) < Likeness.SAME or (kind == "name_and_company" and is_like_by_sound_alone(a.name, b.name)):
        return False
    if a.address or b.address:
        if not (a.address and b.address) or len(set(places(sorted({a.address, b.address})).values())) > 1:
            return False
    elif kind == "name_and_address":
        return False
    # A name and a house are one person, or father and son; who moves house keeps neither number nor mailbox.
    return not are_of_two_offices(a, b) and (kind == "name_and_address" or not contradict(a, b))


def _blocks(blocks: pl.DataFrame) -> Iterator[tuple[str, list[ComparedRow]]]:
    found: dict[int, tuple[str, list[ComparedRow]]] = {}
    for block, kind, *row in blocks.select("block", "kind", *ComparedRow._fields).sort("block", "at").iter_rows():
        found.setdefault(block, (kind, []))[1].append(ComparedRow(*row))
    return iter(found.values())


def _people_of(kind: str, block: list[ComparedRow]) -> list[int | None]:
    """A number per row, equal for rows of one person and one property; null if it is not certain who they are."""
    place_of = places(sorted({row.address for row in block}))
    numbers: dict[tuple[int, int], int] = {}
    people: list[int | None] = [None] * len(block)
    for place in sorted({place for place in place_of.values() if place is not None}):
        here = [index for index, row in enumerate(block) if place_of[row.address] == place]
        rows = [block[index] for index in here]
        of_name = _people(
            sorted({row.name for row in rows}), whose_of(kind, rows), needs_name=kind == "phone", nobodys=is_nobodys(kind, rows)
        )
        doubt = _two_behind_one_key(kind, [(of_name[row.name], row) for row in rows])
        for index in here:
            person = of_name[block[index].name]
            people[index] = None if person is None or person in doubt else numbers.setdefault((place, person), len(numbers))
    return people


def _two_behind_one_key(kind: str, rows: list[tuple[int | None, ComparedRow]]) -> set[int]:
    """Namesakes behind one key that several people share, of whom something else that is known says that they are two: mailboxes of one company, extensions,
    departments."""
    if whose_of(kind, [row for _, row in rows]) > Whose.INITIALS:
        return set()
    of_person: dict[int, list[ComparedRow]] = {}
    for person, row in rows:
        if person is not None:
            of_person.setdefault(person, []).append(row._replace(at=0, by_id=0, company=""))
    return {person for person, of in of_person.items() if _any_two(sorted(set(of), key=str)[:_MOST_NAMESAKES], kind)}


def _any_two(rows: list[ComparedRow], kind: str) -> bool:
    mails = {row.email for row in rows if row.email}
    two_mailboxes = kind == "phone" and len({mail.partition("@")[2] for mail in mails}) < len(mails)
    return two_mailboxes or any(contradict(one, other) for one, other in combinations(rows, 2))


def _people(names: list[str], whose: Whose, *, needs_name: bool, nobodys: bool) -> dict[str, int | None]:
    """A number per name, equal for spellings of one person's name. A name that fits two different people, or none at all beside several, is null."""
    full = sorted((name for name in names if read_name(name).words), key=lambda name: (-len(name), name))
    people: list[list[str]] = []
    answer: dict[str, int | None] = {}
    for name in full:
        fits = [number for number, known in enumerate(people) if all(_is_enough(whose, name, other) for other in known)]
        if not fits:
            people.append([name])
            answer[name] = len(people) - 1
        elif len(fits) == 1:
            people[fits[0]].append(name)
            answer[name] = fits[0]
        else:
            answer[name] = None
    nameless = None if needs_name or len(people) > 1 or (nobodys and people) else 0
    return answer | {name: nameless for name in names if name not in answer}


def _is_enough(whose: Whose, one: str, other: str) -> bool:
    """Whether two names beside a key say that they are one person's. The less the key says of whose it is, the more the names must."""
    if whose == Whose.ANYBODYS:
        return likeness(one, other, household=True) >= Likeness.INITIAL
    # Nobody's sister who has his initial writes his name in other letters.
    foreign = whose == Whose.INITIALS and read_name(one).script != read_name(other).script
    return likeness(one, other) >= (Likeness.UNSAID if whose == Whose.ONES_OWN or foreign else Likeness.INITIAL)


def _may_be_one(kind: str, block: list[ComparedRow], people: list[int | None]) -> Iterator[tuple[int, int, str]]:
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
        # Two full names that are read as two people's are two people.
        household = kind == "email" and (is_household(one) or is_household(other))
        if kind.startswith("name") and likeness(one.name, other.name) < Likeness.INITIAL:
            continue
        if likeness(one.name, other.name, household=household) < Likeness.UNSAID:
            continue
        place_of = places(sorted({one.address, other.address} - {""}))
        if len(place_of) < 2 or len(set(place_of.values())) < 2:
            yield min(one.by_id, other.by_id), max(one.by_id, other.by_id), kind


def _links(found: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(found, schema={"by_id": pl.Int64, "by_key": pl.Int64}, orient="row")


def _possible(found: set[tuple[int, int, str]]) -> pl.DataFrame:
    return pl.DataFrame(sorted(found), schema={"one_id": pl.Int64, "other_id": pl.Int64, "shared": pl.String}, orient="row")

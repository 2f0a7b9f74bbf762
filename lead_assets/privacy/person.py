"""Who somebody is in this home: their rows, and every address, number, profile and name that is theirs alone.

What others have, too (a switchboard's number, a namesake) is not theirs: it is neither removed from others nor suppressed, unless it is what was asked for.
Does not belong here: looking for it (see `search`), or taking it out (see `forget`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from lead_assets.contracts import TABLES, Duplicate, PersonLead, RawLead, RejectedPayload, Table
from lead_assets.core.columns import map_distinct
from lead_assets.core.emails import mailbox_keys, normalise_emails, read_emails, shared_mailboxes
from lead_assets.core.suppressing import Kind, email_values, phone_values, value_hash
from lead_assets.identity.phones import BETWEEN, normalise_phones, phone_key
from lead_assets.ledger.outbox_model import person_hash
from lead_assets.privacy.lists import Identifier
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.stores.warehouse.base import Warehouse

COLUMNS = (
    "campaign_id",
    "lead_id",
    "drop_sha256",
    "position",
    "part",
    "email",
    "phone",
    "full_name",
    "first_name",
    "last_name",
    "linkedin_url",
)
_KEY = ["campaign_id", "drop_sha256", "position", "part"]
_PROFILE = r"(?i)linkedin\.com/(?:in|pub)/([^/?#\s]+)"
_NAMING = ("email", "phone", "profile", "name")
_ADDRESS = re.compile(r"[^\s<>()\[\]{},;:\"|/\\=&?]*@[^\s<>()\[\]{},;:\"'|/\\=&?]*")
_ESCAPED = re.compile(r"\\u[0-9a-f]{4}|\\.|[%=][0-9a-f]{2}", re.DOTALL)
"""Before an address in a text that nobody has read yet: the n of "\\njane@acme.example" is none of its letters."""
_ROUNDS = 3
_NAME_LETTERS = 6
_SUFFIX = 7
"""Digits that are compared before a number is read, which takes a thousand times as long."""


@dataclass
class DataSubject:
    """One person. `texts`: their values as they were written, by kind; `rows`: their payloads (columns of `RawLead` that identify); `shared`: what of theirs
    others have, too, by kind, and is left alone."""

    asked: Identifier
    hashes: bool = False
    """Whether plain hashes of theirs are looked for, too; not where suppressions themselves are plain."""
    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    """National digits: `phone_key`."""
    numbers: set[str] = field(default_factory=set)
    """In E.164."""
    profiles: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: dict[str, set[str]] = field(default_factory=lambda: {"email": set(), "phone": set(), "profile": set(), "name": set()})
    rows: pl.DataFrame = field(default_factory=lambda: RawLead.empty().select(COLUMNS))
    shared: dict[str, int] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    """Others' addresses, profiles and names that one of theirs is a part of: joann@acme.example beside ann@acme.example."""

    @property
    def leads(self) -> list[tuple[str, str]]:
        """(campaign, lead id) of each of their leads."""
        return sorted(self.rows.select("campaign_id", "lead_id").unique().iter_rows())

    @property
    def campaigns(self) -> list[str]:
        return sorted(self.rows["campaign_id"].unique())

    def theirs(self, leads: pl.DataFrame) -> pl.Series:
        """Which rows of a frame with columns email, phone and linkedin_url are theirs."""
        phones = map_distinct(self._near(leads["phone"]), lambda text: bool(self._own_keys(text)), pl.Boolean)
        hosts = {email.rpartition("@")[2] for email in self.mailboxes | self.emails}
        maybe = leads["email"].str.to_lowercase().str.contains_any(sorted(hosts)).fill_null(False) if hosts else pl.Series([False])
        emails = normalise_emails(read_emails(leads["email"].set(~maybe, None)))["email_normalized"]
        profiles = leads["linkedin_url"].str.extract(_PROFILE).str.to_lowercase()
        return pl.select(
            (emails.is_in(sorted(self.emails)) | mailbox_keys(emails).is_in(sorted(self.mailboxes))).fill_null(False)
            | phones.fill_null(False)
            | profiles.is_in(sorted(self.profiles)).fill_null(False)
        ).to_series()

    def _near(self, phones: pl.Series) -> pl.Series:
        """The texts that may have one of their numbers in them, others as null."""
        suffixes = sorted({phone[-_SUFFIX:] for phone in self.phones})
        if not suffixes:
            return pl.repeat(None, phones.len(), dtype=pl.String, eager=True)
        foreign = phones.str.contains(r"[^\x00-\x7F]").fill_null(False)
        digits = map_distinct(phones.set(~foreign, None), _ascii).fill_null(phones).str.replace_all(r"\D", "")
        return phones.set(~digits.str.contains_any(suffixes).fill_null(False), None)

    def _own_keys(self, text: str) -> set[str]:
        """Those of their national digits that a text with one number or several has. A number that names its country is no other country's."""
        found = set()
        for part in BETWEEN.split(_ascii(text)):
            named = set(_numbers([part]))
            # A spreadsheet writes 14155552671.0.
            keys = {phone_key(number) for number in named} or {phone_key(re.sub(r"(?<=\d)\.0$", "", part))}
            if named & self.numbers or not (named and self.numbers):
                found |= {key for key in keys if key in self.phones}
        return found

    @property
    def mailboxes(self) -> set[str]:
        return {value for email in self.emails for _, value in email_values(email)}

    def tombstone(self) -> list[tuple[Kind, str]]:
        """What is suppressed, so that they stay out."""
        values = [pair for email in sorted(self.emails) for pair in email_values(email)]
        values += [pair for number in sorted(self.numbers) for pair in phone_values(number, phone_key(number))]
        return list(dict.fromkeys([*self.asked.values, *values]))

    def needles(self) -> tuple[Needle, ...]:
        """What must not be found any more."""
        found = [Needle("email", text) for text in sorted(self.emails | self.mailboxes | self.texts["email"])]
        found += [Needle("phone", text) for number in sorted(self.numbers) for text in _spellings(number)]
        found += [Needle("phone", text) for text in sorted(self.texts["phone"])]
        found += [Needle("phone", digits, _prefixes(self.numbers)) for digits in sorted(self.phones)]
        found += [Needle("profile", text) for text in sorted({f"linkedin.com/in/{slug}" for slug in self.profiles} | self.texts["profile"])]
        found += [Needle("name", text) for name in sorted(self.names) for text in _orders(name)]
        if self.hashes:
            found += [Needle("id", text) for value in sorted(self.emails | self.numbers) for text in _unkeyed(value)]
        return tuple(found)

    def finder(self) -> Needles:
        """What looks for them, and leaves others alone."""
        return Needles(self.needles(), self.beside)

    def parts_of(self, kind: str, text: str) -> Iterator[str]:
        """The addresses, profiles and names in a text that one of theirs is only a part of."""
        low = text.lower()
        if kind == "email":
            found, mine = [each.strip(".'-_+") for each in _ADDRESS.findall(low)], self.emails | self.mailboxes
        elif kind == "profile":
            found, mine = [f"linkedin.com/in/{slug}" for slug in re.findall(_PROFILE, low)], {f"linkedin.com/in/{s}" for s in self.profiles}
        else:
            found, mine = list(_orders(" ".join(low.split()))), {order for name in self.names for order in _orders(name)}
        yield from (each for each in found if each not in mine and any(one in each for one in mine))

    def add(self, rows: pl.DataFrame) -> None:
        """Take over what their rows (columns of `COLUMNS`) say."""
        rows = rows.select(COLUMNS)
        self.rows = pl.concat([self.rows, rows]).unique(_KEY, keep="first", maintain_order=True)
        read = read_emails(rows["email"])
        emails = normalise_emails(read)["email_normalized"]
        personal = emails.set(shared_mailboxes(emails).fill_null(False), None)
        self.emails |= set(personal.drop_nulls())
        self.texts["email"] |= {text for text, email in zip(rows["email"], personal, strict=True) if text and email and "@" in text}
        self.texts["phone"] |= {text for text in rows["phone"].drop_nulls() if phone_key(text)}
        self.phones |= {key for text in rows["phone"].drop_nulls() if (key := phone_key(_ascii(text)))}
        self.numbers |= set(_numbers(rows["phone"].drop_nulls()))
        self.profiles |= set(rows["linkedin_url"].str.extract(_PROFILE).str.to_lowercase().drop_nulls())
        self.names |= {name for name in _names(rows).drop_nulls() if _is_whole(name)}

    def learn(self, kind: str, text: str) -> None:
        """Take over a value that was bought or made for one of their leads."""
        if kind == "email" and (email := normalise_emails(pl.Series([text]))["email_normalized"][0]):
            if not shared_mailboxes(pl.Series([email]))[0]:
                self.emails.add(email)
        elif kind == "phone" and (key := phone_key(text)):
            self.phones.add(key)
            self.numbers |= set(_numbers([text]))
            self.texts["phone"].add(text)
        elif kind == "profile" and (found := re.search(_PROFILE, text)):
            self.profiles.add(found[1].lower())
        elif kind == "name" and _is_whole(name := " ".join(text.lower().split())):
            self.names.add(name)

    def leave_to_others(self, everybody: pl.DataFrame) -> None:
        """Drop what others have, too. What was asked for stays."""
        mine = self.rows.select(_KEY)
        others = everybody.join(mine, on=_KEY, how="anti")
        asked = {value for _, value in self.asked.values}
        phones = {key for text in self._near(others["phone"]).drop_nulls().unique() for key in self._own_keys(text)}
        phones = {phone for phone in phones if phone not in asked and f"national:{phone}" not in asked}
        names = set(_names(others).filter(_names(others).is_in(sorted(self.names)))) & self.names
        profiles = set(others["linkedin_url"].str.extract(_PROFILE).str.to_lowercase().drop_nulls()) & self.profiles
        emails = set(others["email"].str.strip_chars().str.to_lowercase().drop_nulls()) & self.emails - asked
        self.emails -= emails
        self.phones -= phones
        self.numbers = {number for number in self.numbers if phone_key(number) not in phones}
        self.texts["phone"] = {text for text in self.texts["phone"] if phone_key(text) not in phones}
        self.names -= names
        self.profiles -= profiles
        self.shared = {
            kind: len(found) for kind, found in (("email", emails), ("phone", phones), ("name", names), ("profile", profiles)) if found
        }


def start(asked: Identifier, *, hashes: bool = False) -> DataSubject:
    """A person of whom only what was asked for is known."""
    person = DataSubject(asked, hashes)
    if asked.kind == "email":
        person.emails.add(asked.value)
    elif asked.kind == "phone":
        if asked.value.startswith("+"):
            person.numbers.add(asked.value)
        person.phones.add(phone_key(asked.value) or asked.value)
    else:
        raise ValueError(
            "a domain is not a person: give an e-mail address or a phone number; `lead-assets suppress add` keeps a domain out"
        )
    return person


def find(person: DataSubject, warehouse: Warehouse, more: pl.DataFrame | None = None) -> None:
    """Look the person up in the warehouse and in `more` rows (columns of `COLUMNS`), also under what their rows say besides."""
    listed = ", ".join(COLUMNS)
    everybody = warehouse.query(f"SELECT {listed} FROM {RawLead.table}", [RawLead]).cast(RawLead.empty().select(COLUMNS).schema)
    if more is not None:
        everybody = pl.concat([everybody, more.select(COLUMNS)]).unique(_KEY, keep="first", maintain_order=True)
    for _ in range(_ROUNDS):
        known = person.rows.height
        mine = everybody.filter(person.theirs(everybody))
        ways = (_of_one_lead, _duplicates, _of_one_person)
        mine = pl.concat([mine, *(way(warehouse, everybody, mine) for way in ways)]).unique(_KEY, keep="first")
        person.add(mine)
        for kind, text in _bought(person, warehouse):
            person.learn(kind, text)
        person.leave_to_others(everybody)
        if person.rows.height == known:
            break
    person.beside = frozenset(_beside(person, warehouse, everybody))


def _beside(person: DataSubject, warehouse: Warehouse, everybody: pl.DataFrame) -> Iterator[str]:
    """See `DataSubject.beside`: from `everybody` (columns of `COLUMNS`), from what was bought about others, and from rejected payloads."""
    pieces = {"email": person.emails, "profile": person.profiles, "name": {order for name in person.names for order in _orders(name)}}
    pieces = {kind: {piece.lower() for piece in found} for kind, found in pieces.items() if found}

    def told(kind: str, texts: pl.Series) -> Iterator[str]:
        if kind in pieces:
            low = texts.str.to_lowercase()
            for text in low.filter(low.str.contains_any(sorted(pieces[kind])).fill_null(False)).unique():
                yield from person.parts_of(kind, text)

    yield from told("email", everybody["email"])
    yield from told("profile", everybody["linkedin_url"])
    yield from told("name", _names(everybody))
    for contract in TABLES.values():
        kinds = {name: kind for name, kind in _columns_that_name(contract).items() if kind in pieces}
        if contract is RejectedPayload and "email" in pieces:
            kinds["raw_text"] = "email"
        if not kinds or contract is RawLead or not warehouse.partitions(contract):
            continue
        where = " OR ".join(f"CONTAINS(LOWER({name}), {_literal(piece)})" for name, kind in kinds.items() for piece in sorted(pieces[kind]))
        rows = warehouse.query(f"SELECT DISTINCT {', '.join(kinds)} FROM {contract.table} WHERE {where}", [contract])
        for name, kind in kinds.items():
            texts = rows[name].map_elements(lambda text: _ESCAPED.sub(" ", text.lower()), pl.String) if name == "raw_text" else rows[name]
            yield from told(kind, texts)


def _columns_that_name(contract: type[Table]) -> dict[str, str]:
    """Column → what of a person it holds."""
    return {
        column.name: str(column.pii)
        for column in contract.columns()
        if column.pii in _NAMING and column.dtype == pl.String and not column.json
    }


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bought(person: DataSubject, warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """(kind, value) of what tables say of their leads in columns that name a person."""
    leads = pl.DataFrame(person.leads, schema={"campaign_id": pl.String, "lead_id": pl.String}, orient="row")
    for contract in TABLES.values():
        kinds = _columns_that_name(contract)
        campaigns = sorted(set(person.campaigns) & set(warehouse.partitions(contract))) if contract.grain == "campaign" else []
        if not kinds or not campaigns or "lead_id" not in contract.polars_schema():
            continue
        rows = warehouse.query(f"SELECT campaign_id, lead_id, {', '.join(kinds)} FROM {contract.table}", [contract], campaigns)
        rows = rows.join(leads, on=["campaign_id", "lead_id"], how="semi")
        for name, kind in kinds.items():
            yield from ((kind, text) for text in rows[name].drop_nulls() if text)


def _of_one_lead(_: Warehouse, everybody: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    return everybody.join(mine.select("campaign_id", "lead_id").unique(), on=["campaign_id", "lead_id"], how="semi")


def _duplicates(warehouse: Warehouse, everybody: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    """Payloads that identity found to be the same lead."""
    campaigns = sorted(set(mine["campaign_id"]) & set(warehouse.partitions(Duplicate)))
    if not campaigns:
        return mine.head(0)
    kept = {"kept_drop_sha256": "drop_sha256", "kept_position": "position", "kept_part": "part"}
    found = warehouse.query(f"SELECT {', '.join([*_KEY, *kept])} FROM {Duplicate.table}", [Duplicate], campaigns)
    found = found.cast({name: RawLead.polars_schema()[name] for name in _KEY})
    keys = mine.select(_KEY).with_columns(pl.lit(True).alias("mine"))
    joined = (
        found.join(keys, on=_KEY, how="left")
        .join(keys.rename({**{name: other for other, name in kept.items()}, "mine": "kept_mine"}), on=["campaign_id", *kept], how="left")
        .filter(pl.col("mine") | pl.col("kept_mine"))
    )
    wanted = pl.concat([joined.select(_KEY), joined.select("campaign_id", *kept).rename(kept).select(_KEY)]).unique()
    return everybody.join(wanted, on=_KEY, how="semi")


def _of_one_person(warehouse: Warehouse, everybody: pl.DataFrame, mine: pl.DataFrame) -> pl.DataFrame:
    """Payloads of leads that identity found to be the same person, in other campaigns."""
    if mine.is_empty() or not warehouse.partitions(PersonLead):
        return mine.head(0)
    leads = warehouse.query(f"SELECT campaign_id, lead_id, person_id FROM {PersonLead.table}", [PersonLead])
    own = leads.join(mine, on=["campaign_id", "lead_id"], how="semi")["person_id"]
    return everybody.join(leads.filter(pl.col("person_id").is_in(own.implode())), on=["campaign_id", "lead_id"], how="semi")


def _names(rows: pl.DataFrame) -> pl.Series:
    """Each row's whole name, folded."""
    both = pl.concat_str("first_name", "last_name", separator=" ")
    return rows.select(pl.coalesce("full_name", both).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()).to_series()


def _is_whole(name: str) -> bool:
    """Whether a name is of two words and long enough not to stand in other words by chance."""
    # A letter of Chinese, Japanese or Korean says as much as two of an alphabet.
    letters = sum(1 + (unicodedata.east_asian_width(letter) == "W") for letter in name if letter.isalpha())
    return " " in name and letters >= _NAME_LETTERS


def _orders(name: str) -> Iterator[str]:
    yield name
    first, _, last = name.rpartition(" ")
    yield f"{last}, {first}"


def _ascii(text: str) -> str:
    """The text with the digits of other scripts as ASCII."""
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in text)


def _numbers(texts: Iterable[str]) -> list[str]:
    """The numbers in E.164 of those that name their country."""
    listed = pl.Series(list(texts), dtype=pl.String)
    return normalise_phones(listed, pl.repeat(None, listed.len(), dtype=pl.String, eager=True))["phone_e164"].drop_nulls().to_list()


def _spellings(number: str) -> Iterator[str]:
    """How a number is written by programs and people."""
    from phonenumbers import PhoneNumberFormat, format_number, parse

    parsed = parse(number, None)
    national = format_number(parsed, PhoneNumberFormat.NATIONAL)
    yield from dict.fromkeys(
        [
            number,
            national,
            format_number(parsed, PhoneNumberFormat.INTERNATIONAL),
            *(re.sub(r"\D+", between, national).strip(between) for between in ("-", ".", " ")),
        ]
    )


def _unkeyed(value: str) -> Iterator[str]:
    """What stores keep to recognise an address: outcomes and lookalike indices, accounts of private people, the outbox."""
    yield value_hash(value)
    yield f"person:{value_hash(value)[:16]}"
    yield person_hash(value)


def _prefixes(numbers: Iterable[str]) -> tuple[str, ...]:
    from phonenumbers import parse

    codes = {str(parse(number, None).country_code) for number in numbers}
    return tuple(sorted({"0", *codes, *(f"00{code}" for code in codes)}))

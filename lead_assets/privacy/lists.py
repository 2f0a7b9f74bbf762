"""Lists of people and companies that must not be processed or contacted: adding, importing and showing suppressions.

A value is read as identity reads a lead's ("Jane Doe <Jane@ACME.com>", "(415) 555-0123", "https://www.acme.com/jobs"), and only its keyed hash is stored. Does
not belong here: hashing and storing (see `lead_assets.core.suppressing`, `lead_assets.ledger`), or keeping leads out (see `lead_assets.identity.resolve`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.emails import ascii_host, normalise_emails, read_emails
from lead_assets.core.suppressing import KINDS, NATIONAL, Kind, email_values, phone_values, value_hash
from lead_assets.core.tabular import UnreadableTable, table_of
from lead_assets.identity.phones import normalise_phones, phone_key
from lead_assets.ledger.ledger import Ledger

_HEADERS: dict[str, Kind] = {
    **dict.fromkeys(("email", "e-mail", "mail", "email address", "e-mail address"), "email"),
    **dict.fromkeys(("phone", "phone number", "mobile", "telephone", "tel"), "phone"),
    **dict.fromkeys(("domain", "website", "company domain", "url"), "domain"),
}
FORGOTTEN_REASON = "asked to be forgotten"
_LOCATOR = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:www\.)?", re.IGNORECASE)
_IN_REASON = re.compile(r"[^\s@]+@[^\s@]+|\+?\d[\d ().-]{5,}\d")
"""What may be an address or a number: a reason stands in tables, beside nobody's name."""


@dataclass(frozen=True)
class Identifier:
    """A value as it is suppressed: its kind, its one spelling, and everything that is stored for it."""

    kind: Kind
    value: str
    values: tuple[tuple[Kind, str], ...]


def read_identifier(text: str, *, kind: Kind | None = None, country: str | None = None) -> Identifier | None:
    """An e-mail address, phone or domain as a person writes it; None if it is none of them.

    `country` (ISO 3166-1 alpha-2) reads numbers written without theirs; such a number without a country stands for its national digits."""
    text = text.strip()
    if kind in (None, "email") and "@" in text:
        email = normalise_emails(read_emails(pl.Series([text])))["email_normalized"][0]
        return Identifier("email", email, tuple(email_values(email))) if email else None
    if kind in (None, "phone") and re.fullmatch(r"[\d\s+().\-/extEXT:]+", text):
        number = normalise_phones(pl.Series([text]), pl.Series([country.upper() if country else None], dtype=pl.String))["phone_e164"][0]
        national = phone_key(number or text)
        if number:
            return Identifier("phone", number, tuple(phone_values(number, national)))
        return Identifier("phone", national, (("phone", NATIONAL + national),)) if national else None
    if kind in (None, "domain") and "." in text and " " not in text:
        host = ascii_host(_LOCATOR.sub("", text).split("/")[0].split(":")[0].lower().lstrip("@"))
        return Identifier("domain", host, (("domain", host),)) if host else None
    return None


def add(ledger: Ledger, texts: Sequence[str], *, reason: str, kind: Kind | None = None, country: str | None = None) -> dict[str, Any]:
    """Suppress values. Returns {added, already, unread: [number of the value, from 1]}; nothing is stored if one of them cannot be read.

    Raises ValueError for a reason that names somebody.
    """
    read = [read_identifier(text, kind=kind, country=country) for text in texts]
    unread = [number for number, each in enumerate(read, start=1) if each is None]
    if unread:
        return {"added": 0, "already": 0, "unread": unread}
    return keep_out(ledger, [each for each in read if each is not None], reason) | {"unread": []}


def import_file(ledger: Ledger, path: Path, *, reason: str, country: str | None = None) -> dict[str, Any]:
    """Suppress everybody in a file: a table with a column for e-mail, phone or domain, or one value per line.

    Returns {added, already, unread: [line, from 1]}; the lines that can be read are stored. Raises UnreadableTable (a ValueError).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableTable(f"{path.name}: cannot be read ({type(error).__name__})") from None
    return import_data(ledger, data, path.name, reason=reason, country=country)


def import_data(ledger: Ledger, data: bytes, name: str, *, reason: str, country: str | None = None) -> dict[str, Any]:
    """`import_file` for the bytes of a file of this name."""
    cells = _cells(data, name)
    read = [(line, read_identifier(text, kind=kind, country=country)) for line, kind, text in cells]
    stored = keep_out(ledger, [each for _, each in read if each is not None], reason)
    return stored | {"unread": sorted({line for line, each in read if each is None})}


def lift(ledger: Ledger, texts: Sequence[str], *, country: str | None = None, forgotten: bool = False) -> dict[str, Any]:
    """Let people or companies in again, e.g. after a mistake or a new consent. Returns {lifted, why: reasons that they were kept out for, unread: [number of
    the value, from 1], still: [number] of those whom another value, such as their domain, still keeps out}; nothing is lifted if a value cannot be read.

    Whoever asked to be forgotten is let in with `forgotten` only: ValueError otherwise.
    """
    read = [read_identifier(text, country=country) for text in texts]
    unread = [number for number, each in enumerate(read, start=1) if each is None]
    if unread:
        return {"lifted": 0, "why": [], "unread": unread, "still": []}
    known = ledger.suppressed_among([pair for each in read if each is not None for pair in each.values])
    if FORGOTTEN_REASON in known.values() and not forgotten:
        raise ValueError(
            "somebody among them asked to be forgotten: only their own new consent lets them in; if there is one, add --forgotten"
        )
    ledger.lift(known)
    still = [number for number, text in enumerate(texts, start=1) if shown(ledger, text, country=country)["suppressed"]]
    lifted = sum(not known.keys().isdisjoint(each.values) for each in read if each is not None)
    return {"lifted": lifted, "why": sorted(set(known.values())), "unread": [], "still": still}


def shown(ledger: Ledger, value: str | None = None, *, country: str | None = None) -> dict[str, Any]:
    """How many are suppressed, by kind and reason; or whether one value is, and why. Raises ValueError for a value that cannot be read."""
    if value is not None:
        read = read_identifier(value, country=country)
        if read is None:
            raise ValueError("the value is no e-mail address, phone or domain: write a phone as +14155550123, or add --country")
        from lead_assets.core.suppressing import contact_values

        asked = contact_values(read.value) if read.kind == "email" else list(read.values)
        found = ledger.suppressed_among(asked)
        return {"kind": read.kind, "suppressed": bool(found), "why": sorted({f"{kind}: {reason}" for (kind, _), reason in found.items()})}
    listed = ledger.suppressions()
    counts = listed.group_by("kind", "reason").agg(pl.len().alias("hashes"), pl.col("suppressed_at").max().alias("newest"))
    rows = counts.sort("kind", "reason").with_columns(pl.col("newest").dt.to_string("iso:strict")).to_dicts()
    return {"hashes": listed.height, "lists": rows}


def keep_out(ledger: Ledger, read: Sequence[Identifier], reason: str) -> dict[str, Any]:
    """Suppress what was read. Returns {added, already}. Raises ValueError for a reason that names somebody."""
    if _IN_REASON.search(reason):
        raise ValueError("the reason contains what may be an address or a number, and would keep it: say why, not who")
    known = ledger.suppressed_among([pair for each in read for pair in each.values])
    fresh = {each.value: each for each in read if not set(each.values) <= known.keys()}
    ledger.suppress_all([(kind, value_hash(value), reason) for each in fresh.values() for kind, value in each.values])
    return {"added": len(fresh), "already": len({each.value for each in read}) - len(fresh)}


def _cells(data: bytes, name: str) -> list[tuple[int, Kind | None, str]]:
    """(line, kind if a header says it, text) of each filled cell."""
    if Path(name).suffix.lower() in (".csv", ".tsv", ".parquet", ".xlsx"):
        table = table_of(data, name)
        kinds = {name: _HEADERS[folded] for name in table.columns if (folded := name.strip().lower().replace("_", " ")) in _HEADERS}
        if not kinds:
            raise UnreadableTable(f"{name}: no column is called {', '.join(KINDS)}: rename one, or give one value per line in a .txt file")
        return [
            (line, kind, str(cell))
            for name, kind in kinds.items()
            for line, cell in enumerate(table[name].cast(pl.String).to_list(), start=2)
            if cell is not None and cell.strip()
        ]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableTable(f"{name}: is not text in UTF-8: save it as CSV and retry") from None
    return [(line, None, value) for line, value in enumerate(text.splitlines(), start=1) if value.strip()]

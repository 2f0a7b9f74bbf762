"""What a lead brings itself: facts of its source (an export, a contact database) that a signal would otherwise buy, with their dates.

Belongs here: reading `identity.leads.given` into a signal's columns, and which subjects need not be asked about. Does not belong here: where a payload
has its facts (`gives` of a shape, see rules/shapes), buying what is missing or stale (see `waterfall`), choosing a lead's value (see `merge`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts.enriched import VALUE_SOURCES
from lead_assets.core.values import day, headcount_band, number, text, texts, whole, year
from lead_assets.signals.signal import Signal
from lead_assets.signals.subjects import subject
from lead_assets.vendors.answers import Values

PROVIDER = "given"
"""The provider of what a lead brings itself, in signal tables and in `provenance`."""

_BOUNDS = {"headcount_min", "headcount_max"}
"""They follow from a headcount."""
Key = tuple[str, str]
"""(campaign, subject): what a lead brings counts for its own campaign, so that a campaign's rows do not depend on those that run beside it."""


@dataclass(frozen=True)
class Gift:
    """A signal's columns as a lead brings them, and since when the oldest of them is so."""

    values: Values
    as_of: datetime


def gifts(signal: Signal, leads: pl.DataFrame) -> dict[Key, Gift]:
    """Each subject for which a lead of its campaign brings all columns that the signal fills in enriched_leads; the newest gift, if several do.

    `leads` has the columns of identity.leads. Bounds of a headcount follow from it and may be open. An e-mail grade counts if it is good enough
    to stop asking (`prefer` in rules/signals.yaml).
    """
    wanted = filled(signal)
    if not wanted or leads["given"].null_count() == leads.height:
        return {}
    found: dict[Key, Gift] = {}
    # Most leads bring nothing for most signals, and reading a text costs 30 times as much as looking into it.
    brings_all = [pl.col("given").str.contains(f'"{target}":', literal=True) for target in wanted.values() if target not in _BOUNDS]
    rows = leads.filter(pl.all_horizontal(brings_all).fill_null(False))
    rows = rows.select("campaign_id", "lead_id", subject=subject(signal.subject), **_DATES_AND_FACTS)
    for row in rows.drop_nulls("subject").sort("received_at", "lead_id").iter_rows(named=True):
        facts = facts_of(row)
        if not _are_all(signal, facts, wanted):
            continue
        values = {name: facts[target][0] for name, target in wanted.items() if target in facts}
        if signal.name == "email":
            values["email_from"] = "own"
        gift = Gift(values, min(facts[target][1] for target in wanted.values() if target in facts))
        key = row["campaign_id"], row["subject"]
        if key not in found or gift.as_of >= found[key].as_of:
            found[key] = gift
    return found


def given_columns(leads: pl.DataFrame) -> pl.DataFrame:
    """One row per lead, in order: for each column of enriched_leads that signals fill, its given value (as text or a list of texts) under its name, and
    its date under `<name>.as_of`; null if the lead does not bring it."""
    facts = [facts_of(row) if row["given"] else {} for row in leads.select(**_DATES_AND_FACTS).iter_rows(named=True)]
    columns: dict[str, pl.Series] = {}
    for name, dtype in _TYPES.items():
        columns[name] = pl.Series([each[name][0] if name in each else None for each in facts], dtype=dtype)
        columns[f"{name}.as_of"] = pl.Series([each[name][1] if name in each else None for each in facts], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(columns)


def filled(signal: Signal) -> dict[str, str]:
    """The signal's columns that go into enriched_leads → the column there that each fills."""
    return {
        column: target
        for target, sources in VALUE_SOURCES.items()
        for table, column in sources
        if table == signal.name and column in signal.value_schema
    }


def facts_of(row: Mapping[str, Any]) -> dict[str, tuple[Any, datetime]]:
    """A lead's facts: column of enriched_leads → its value in that column's type, and since when it is so. What cannot be read is left out.

    `row`: given, email_normalized, submitted_at, received_at. A fact without a date is as old as the lead, and none is newer than the lead's arrival.
    Facts about an address count only if it is the lead's.
    """
    try:
        given = orjson.loads(row["given"])
    except orjson.JSONDecodeError:
        return {}
    arrived: datetime = row["received_at"]
    facts: dict[str, tuple[Any, datetime]] = {}
    for name, said in given.items():
        read = _READ.get(name)
        value = read(said.get("value")) if read is not None and isinstance(said, dict) else None
        if value is None or value == []:
            continue
        since = _moment(said.get("as_of")) or row["submitted_at"] or arrived
        facts[name] = value, min(since, arrived)
    if "headcount" in facts:
        value, since = facts["headcount"]
        low, high = headcount_band(value)
        facts |= {
            name: (bound, since) for name, bound in (("headcount_min", low), ("headcount_max", high)) if bound is not None and name in _READ
        }
    address = facts.get("email_address")
    if address is not None:
        if address[0].lower() != row["email_normalized"]:
            facts.pop("email_address")
            facts.pop("email_grade", None)
        elif "email_grade" in facts:
            # The address is as good as its last verification.
            facts["email_address"] = row["email_normalized"], facts["email_grade"][1]
    return facts


def _are_all(signal: Signal, facts: Mapping[str, tuple[Any, datetime]], wanted: Mapping[str, str]) -> bool:
    missing = {target for target in wanted.values() if target not in facts}
    if missing - (_BOUNDS if "headcount" in facts else set()):
        return False
    if signal.prefer is None:
        return True
    target = wanted.get(signal.prefer.column)
    return target is not None and target in facts and facts[target][0] in signal.prefer.enough


def _moment(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return read if read is not None and read.tzinfo is not None else None


def _list(value: Any) -> list[str]:
    """A list of texts, or a text with commas between them; sorted by name, as signals have them."""
    return sorted({part.strip() for part in value.split(",") if part.strip()} if isinstance(value, str) else set(texts(value)))


def _amount(value: Any) -> float | None:
    return number(value.replace(",", "").removeprefix("$").strip()) if isinstance(value, str) else number(value)


def _count(value: Any) -> int | None:
    return whole(value.replace(",", "") if isinstance(value, str) else value)


def _readers() -> Iterator[tuple[str, Any]]:
    from lead_assets.contracts import EnrichedLead

    schema = EnrichedLead.polars_schema()
    for name in VALUE_SOURCES:
        dtype = schema[name]
        if isinstance(dtype, pl.List):
            yield name, _list
        elif dtype == pl.Date:
            yield name, day
        elif dtype.is_float():
            yield name, _amount
        elif dtype.is_integer():
            yield name, year if name.endswith("_year") else _count
        elif dtype == pl.String:
            yield name, text


_READ: dict[str, Any] = dict(_readers())
_DATES_AND_FACTS = {name: pl.col(name) for name in ("given", "email_normalized", "submitted_at", "received_at")}


def _types() -> dict[str, pl.DataType]:
    from lead_assets.contracts import EnrichedLead

    schema = EnrichedLead.polars_schema()
    return {name: schema[name] for name in _READ}


_TYPES = _types()
GIVEN_COLUMNS = frozenset(_TYPES)
"""Columns of enriched_leads that a lead can bring itself."""

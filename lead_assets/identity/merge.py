"""What is left of the rows of one lead: the newest one, under the oldest one's id, with what it lacks from the others.

Belongs here: which value of which row a lead keeps. Does not belong here: which rows are one lead (see `same_person` and `resolve`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import polars as pl

from lead_assets.contracts.base import canonical_json
from lead_assets.contracts.intake import LeadFields, RawLead
from lead_assets.core.columns import folded
from lead_assets.core.emails import email_domains, email_kinds
from lead_assets.core.places.deciding import decide
from lead_assets.core.places.reading import read_texts
from lead_assets.identity.companies import company_domains
from lead_assets.identity.company_names import clean_companies
from lead_assets.identity.phones import has_number

Row = dict[str, Any]

_NAMES = ("full_name", "first_name", "last_name")
# Fields that are true of one thing: an older row that says otherwise of it (another employer, another town) fills none of them.
_TOGETHER = (
    ("company", "company_domain", "title", "website", "industry", "company_size", "given"),
    ("country", "state", "city", "postal_code"),
    ("property_address", "property_type", "loan_amount_requested", "purchase_price", "estimated_arv"),
    ("outcome", "outcome_at"),
)
# What may differ without being about something else: a promotion, a corrected amount, a second site.
_MAY_DIFFER = frozenset((
    "title", "website", "industry", "company_size", "given", "property_type", "loan_amount_requested", "purchase_price", "estimated_arv", "outcome_at"
))  # fmt: skip
_SPECIAL = frozenset({"email", "phone", "extra", "unread_fields", *_NAMES, *(field for fields in _TOGETHER for field in fields)})
_ALONE = tuple(field for field in LeadFields.model_fields if field not in _SPECIAL)
_SAID = (
    *(
        name
        for name, kind in RawLead.polars_schema().items()
        if name in {*LeadFields.model_fields, "lead_id", "payload"} and not kind.is_nested()
    ),
    "submitted_at",
)
"""What a row says; the rest is where and when it arrived, and how it was read."""


def survivors(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per lead from `rows` (RawLead's columns, email_normalized, `row` and `group`; oldest first): the newest row, with `known_domain` added. A row
    that says what the one before it said is not newer: a file that arrives every day changes nothing, and nobody's time begins again.

    Its lead_id is that of the row that arrived first, so that a lead keeps its id however many rows join it. A value that the newest row lacks, or that cannot
    be read (an e-mail, a phone), is the latest that an older row has; `known_domain` is the company's domain that only an older row says. What an older row
    says of another employer, place or property is left out, and a name is taken whole. Objects in `extra` are united.
    """
    rows = _without_repeats(rows)
    newest = rows.filter(pl.col("row") == pl.col("row").last().over("group")).with_columns(known_domain=pl.lit(None, pl.String))
    if newest.height == rows.height:
        return newest
    several = rows.filter(pl.len().over("group") > 1)
    first = several.sort("received_at", "drop_sha256", "position", "part").group_by("group").agg(first_id=pl.col("lead_id").first())
    newest = newest.join(first, on="group", how="left", maintain_order="left").with_columns(lead_id=pl.coalesce("first_id", "lead_id"))
    lacking = _lacking(several)
    if lacking.is_empty():
        return newest.drop("first_id")
    filled = pl.DataFrame(
        [{"row": of[-1]["row"], **_merged(of)} for of in _groups(lacking)],
        schema={name: newest.schema[name] for name in ("row", *LeadFields.model_fields, "email_normalized", "known_domain")},
    )
    as_it_came = newest.drop("first_id", *filled.columns[1:]).join(filled, on="row", how="inner").select(newest.drop("first_id").columns)
    return pl.concat([newest.drop("first_id").join(filled, on="row", how="anti"), as_it_came]).sort("row")


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that differ from the one before them of their lead."""
    if not rows["group"].is_duplicated().any():
        return rows
    several = rows.filter(pl.col("group").is_duplicated()).sort("group", "row")
    repeats = several.filter(pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in ("group", *_SAID)))
    return rows.join(repeats, on="row", how="anti", maintain_order="left")


def _lacking(several: pl.DataFrame) -> pl.DataFrame:
    """The rows of leads whose newest row lacks something that another has."""
    readable = (pl.col("email_normalized").is_not_null(), has_number(pl.col("phone")).fill_null(False))
    has = (*readable, *(pl.col(name).is_not_null() for name in LeadFields.model_fields))
    lacks = pl.any_horizontal(value.last() != value.any() for value in has)
    # Any of several names may be the whole one, any of several addresses the one that names the company.
    differ = pl.any_horizontal(pl.col(name).n_unique() > 1 for name in (*_NAMES, "email_normalized", "extra"))
    wanted = several.group_by("group").agg(wanted=lacks | differ).filter("wanted")
    return several.join(wanted, on="group", how="semi", maintain_order="left")


def _groups(rows: pl.DataFrame) -> list[list[Row]]:
    """The rows of each lead, oldest first, each with `company_domain`."""
    kinds = email_kinds(email_domains(rows["email_normalized"]))
    known = rows.with_columns(company_domain=company_domains(rows["website"], rows["email_normalized"], kinds))
    of: dict[int, list[Row]] = {}
    for row in known.iter_rows(named=True):
        of.setdefault(row["group"], []).append(row)
    return list(of.values())


def _merged(rows: list[Row]) -> Row:
    """Values of contracts.LeadFields, email_normalized and known_domain from the rows of one lead, oldest first."""
    rows = rows[::-1]
    lead = {field: _first(rows, field) for field in _ALONE}
    mail = next((row for row in rows if row["email_normalized"]), None)
    lead |= {"email": mail["email"] if mail else _first(rows, "email"), "email_normalized": mail["email_normalized"] if mail else None}
    lead["phone"] = next((row["phone"] for row in rows if row["phone"] and _has_number(row["phone"])), None) or _first(rows, "phone")
    named = next((row for row in rows if _is_whole(row)), None) or next(
        (row for row in rows if any(row[field] for field in _NAMES)), rows[0]
    )
    lead |= {field: named[field] for field in _NAMES}
    for fields in _TOGETHER:
        lead |= _about_one_thing(rows, fields)
    lead["known_domain"] = lead.pop("company_domain")
    lead["extra"] = rows[0]["extra"] if len({row["extra"] for row in rows}) == 1 else _united([row["extra"] for row in rows])
    lead["given"] = _dated(lead["given"], rows)
    unread = dict.fromkeys(field for row in rows for field in row["unread_fields"] or () if lead.get(field) is None)
    return lead | {"unread_fields": sorted(unread) or None}


def _dated(given: str | None, rows: list[Row]) -> str | None:
    """What an older row gives is as old as that row, not as the lead."""
    if given is None or given == rows[0]["given"]:
        return given
    row = next(row for row in rows if row["given"] == given)
    since = (row["submitted_at"] or row["received_at"]).isoformat()
    facts: dict[str, dict[str, Any]] = json.loads(given)
    return canonical_json({column: {**fact, "as_of": fact["as_of"] or since} for column, fact in facts.items()})


def _first(rows: list[Row], field: str) -> Any:
    return next((row[field] for row in rows if row[field] is not None), None)


def _is_whole(row: Row) -> bool:
    return bool((row["first_name"] and row["last_name"]) or " " in (row["full_name"] or "").strip())


def _about_one_thing(rows: list[Row], fields: tuple[str, ...]) -> Row:
    """The fields of the newest row, filled from each older one that does not contradict what is known so far."""
    known: Row = dict.fromkeys(fields)
    for row in rows:
        if all(known[field] is None or row[field] is None or _means_the_same(field, known[field], row[field]) for field in fields):
            known |= {field: row[field] for field in fields if known[field] is None}
    return known


def _means_the_same(field: str, one: Any, other: Any) -> bool:
    if one == other or field in _MAY_DIFFER:
        return True
    return _KEYS.get(field, _plain)(one) == _KEYS.get(field, _plain)(other)


@lru_cache(10_000)
def _has_number(text: str) -> bool:
    return bool(pl.select(has_number(pl.lit(text))).item())


@lru_cache(10_000)
def _plain(text: str) -> str:
    return folded([text])[0]


@lru_cache(10_000)
def _company(name: str) -> str:
    return _plain(clean_companies(pl.Series([name])).item() or name)


@lru_cache(10_000)
def _country(text: str) -> str:
    return decide(read_texts([text]).get(text), None, None).country or _plain(text)


_KEYS: dict[str, Callable[[str], str]] = {"company": _company, "country": _country}


def _united(extras: list[str]) -> str:
    """JSON objects as one, earlier ones first."""
    found: dict[str, Any] = {}
    for extra in extras:
        found = json.loads(extra) | found
    return canonical_json(found)

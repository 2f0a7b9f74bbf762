"""Which rules a lead meets, for a whole frame at once.

A lead's facts are its values of the fields that the table asks for. Many leads have equal facts, so rules are tried on the distinct ones. Facts are
stored with the decision and shown: a value that nobody may see, or that a stranger typed, is kept only where the table names it, in the table's spelling.

Belongs here: the frame to route, facts, conditions on them, and the reason in words. Does not belong here: who can take a lead (`choose`), or what only the
ledger knows of it (existing owner, customer).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lead_assets.core.columns import beside
from lead_assets.core.conditions import Between, KnownValue, Test, plain_number
from lead_assets.routing.fields import FIELDS, RoutingField, field, routing_schema
from lead_assets.routing.model import RoutingTable, When
from lead_assets.routing.places import HEAD_OFFICE, subdivision, with_head_office

Facts = dict[str, Any]
"""By field, a lead's value; without fields that have none. `country_source` and `state_source` say how a place is known."""

OTHER = "other"
"""A value that the table does not name and that is not to be repeated."""
_PLACES = {"country_code": pl.String(), "country_source": pl.String(), "subdivision": pl.String(), "state_source": pl.String()}


def routing_frame(
    leads: pl.DataFrame, enriched: pl.DataFrame, classifications: pl.DataFrame, scores: pl.DataFrame, table: RoutingTable
) -> pl.DataFrame:
    """The frame to route: one row per scored lead, with the columns of `routing_schema` joined from their tables.

    Takes identity.leads, signals.enriched_leads, classification.classifications and scoring.scores, each with its contract's columns.
    """
    keys = ["campaign_id", "lead_id"]
    schema = routing_schema(table.asked())
    needed = {*schema, *HEAD_OFFICE}
    frame = scores
    for contract in (leads, enriched, classifications):
        wanted = [column for column in contract.columns if column in needed and column not in frame.columns]
        frame = beside(frame, contract[[*keys, *wanted]], keys)
    return with_head_office(frame)[schema.names()]


@dataclass(frozen=True)
class Matched:
    """Leads in the order in which they are given away, and what the table makes of each."""

    keys: pl.DataFrame
    """campaign_id, lead_id, account_key, tier, path of each lead."""
    fact_of: list[int]
    """Position of each lead's facts in `facts` and `rules`."""
    facts: list[Facts]
    rules: list[list[int]]
    """The positions of the rules that each of the facts meets, conditions on what only the ledger knows left aside."""


ORDER = ["received_at", "drop_sha256", "position", "campaign_id", "lead_id"]
"""The order of arrival; position and ids break ties, so that the order of the frame does not matter."""


def match(leads: pl.DataFrame, table: RoutingTable) -> Matched:
    """`leads` has the columns of `routing_schema` (others are ignored). Raises ValueError naming any missing column."""
    missing = [column for column in routing_schema(table.asked()) if column not in leads.columns]
    if missing:
        raise ValueError(f"routing: the frame lacks {', '.join(missing)}: build it with routing_frame()")
    arrived = leads.sort(ORDER)
    values = arrived.select(*_values(table)).select(*_facts(table))
    distinct = values.unique(maintain_order=True).with_row_index("__fact")
    known = [pl.col(name) for name in values.columns]
    fact_of = values.join(distinct, on=known, how="left", nulls_equal=True, maintain_order="left")["__fact"].to_list()
    distinct = distinct.drop("__fact")
    facts = [{name: value for name, value in row.items() if value is not None} for row in distinct.iter_rows(named=True)]
    return Matched(arrived.select("campaign_id", "lead_id", "account_key", "tier", "path"), fact_of, facts, met(distinct, table))


def met(facts: pl.DataFrame, table: RoutingTable) -> list[list[int]]:
    """For each row of facts, the positions of the rules that it meets, in order."""
    if not table.territories:
        return [[] for _ in range(facts.height)]
    hits = [
        pl.when(_all(table, territory.when, facts.columns)).then(pl.lit(index, pl.Int32))
        for index, territory in enumerate(table.territories)
    ]
    found: list[list[int]] = facts.select(pl.concat_list(hits).list.drop_nulls().alias("hits"))["hits"].to_list()
    return found


def facts_frame(facts: Facts, table: RoutingTable) -> pl.DataFrame:
    """One row of facts as they were stored, to try conditions on. A field that was not asked for then is unknown."""
    schema = _schema(table)
    return pl.DataFrame([{name: facts.get(name) for name in schema}], schema=schema, orient="row")


def _schema(table: RoutingTable) -> dict[str, pl.DataType]:
    schema: dict[str, pl.DataType] = dict(_PLACES)
    for each in _asked(table):
        schema[each.name] = pl.Float64() if each.kind == "number" else pl.List(pl.String()) if each.kind == "words" else pl.String()
    return schema


def _asked(table: RoutingTable) -> Iterator[RoutingField]:
    """The fields that have a value in facts."""
    for name in table.asked():
        found = field(name)
        if found is not None and found.kind != "region" and not found.in_ledger:
            yield found


def _values(table: RoutingTable) -> Iterator[pl.Expr]:
    yield from (
        pl.col("country_code").alias("country_code"),
        pl.col("country_source"),
        subdivision().alias("subdivision"),
        pl.col("state_source"),
    )
    listed = _listed(table)
    of_segments = [found for when in table.segments.values() for name in when if (found := field(name)) is not None]
    for each in dict.fromkeys([*_asked(table), *of_segments]):
        if each.name == "country_code" or each.kind == "region":
            continue
        if each.name == "named_account":
            yield pl.when(pl.col("account_key").is_in(list(table.named))).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(each.name)
        elif each.name != "segment":
            yield _spelled(each, listed.get(each.name, {})).alias(each.name)


def _listed(table: RoutingTable) -> dict[str, dict[str, str]]:
    """By field, the values that the table names: in lower case → as it spells them."""
    found: dict[str, dict[str, str]] = {}
    for when in (*table.segments.values(), *(territory.when for territory in table.territories)):
        for name, test in when.items():
            if isinstance(test, tuple):
                for value in test:
                    found.setdefault(name, {}).setdefault(value.lower(), value)
    return found


def _spelled(each: RoutingField, spelling: Mapping[str, str]) -> pl.Expr:
    value = each.value()
    if each.kind in ("number", "yes_no", "other"):
        return value
    if each.kind == "words":
        named = value.list.eval(pl.element().filter(pl.element().is_in(list(spelling))))
        return (
            pl.when(value.is_null()).then(None).when(named.list.len() > 0).then(named.list.unique().list.sort()).otherwise(pl.lit([OTHER]))
        )
    otherwise = value if each.shown else pl.when(value.is_not_null()).then(pl.lit(OTHER))
    if not spelling:
        return otherwise
    return pl.coalesce(value.str.to_lowercase().replace_strict(spelling, default=None, return_dtype=pl.String), otherwise)


def _facts(table: RoutingTable) -> Iterator[pl.Expr]:
    """The facts of `_schema`, from the columns of `_values`."""
    for name in _schema(table):
        if name != "segment":
            yield pl.col(name)
            continue
        segments = [pl.when(_all(table, when, None)).then(pl.lit(segment)) for segment, when in table.segments.items()]
        yield (pl.coalesce(segments) if segments else pl.lit(None, pl.String)).alias("segment")


def _all(table: RoutingTable, when: When, columns: list[str] | None) -> pl.Expr:
    tests = [test_of(table, name, test) for name, test in when.items() if not FIELDS.get(name, _NO_FIELD).in_ledger]
    return pl.all_horizontal(tests) if tests else pl.lit(True)


_NO_FIELD = RoutingField("", "text", "")


def test_of(table: RoutingTable, name: str, test: Test) -> pl.Expr:
    """True if facts meet the condition; facts without a value do not, but for {known: false}."""
    if name == "region":
        if isinstance(test, KnownValue):
            known = pl.col("country_code").is_not_null()
            return known if test.known else ~known
        return pl.any_horizontal(_inside(table.regions[region]) for region in test) if isinstance(test, tuple) else pl.lit(False)
    value = pl.col(name)
    if isinstance(test, KnownValue):
        return value.is_not_null() if test.known else value.is_null()
    if isinstance(test, Between):
        low = value >= test.min if test.min is not None else pl.lit(True)
        high = value <= test.max if test.max is not None else pl.lit(True)
        return (low & high & value.is_not_null()).fill_null(False)
    words = [each.lower() for each in test]
    found = field(name)
    if found is not None and found.kind == "words":
        return value.list.eval(pl.element().is_in(words)).list.any().fill_null(False)
    return value.str.to_lowercase().is_in(words).fill_null(False)


def _inside(places: tuple[str, ...]) -> pl.Expr:
    countries = [place for place in places if "-" not in place]
    subdivisions = [place for place in places if "-" in place]
    return (pl.col("country_code").is_in(countries) | pl.col("subdivision").is_in(subdivisions)).fill_null(False)


# In words


def because(table: RoutingTable, when: When, facts: Facts) -> str:
    """The conditions in words, with the lead's values: "country DE is in DACH and stated company size 201 is at least 50"."""
    return " and ".join(_because(table, name, test, facts) for name, test in when.items())


def _because(table: RoutingTable, name: str, test: Test, facts: Facts) -> str:
    found = field(name)
    words = found.words if found is not None else name
    if isinstance(test, KnownValue):
        return f"{words} is {'known' if test.known else 'unknown'}"
    if isinstance(test, Between):
        bounds = ((" is at least ", test.min), (" is at most ", test.max))
        limits = " and".join(f"{says}{plain_number(bound)}" for says, bound in bounds if bound is not None)
        return f"{words} {shown(facts.get(name))}{limits}"
    if name == "region":
        region = next((each for each in test if _is_inside(table.regions[each], facts)), test[0])
        return _place(region, table.regions[region], facts)
    if found is not None and found.kind == "yes_no":
        return words if facts.get(name) == "yes" else f"not {words}"
    # The rule's spelling, not the lead's: equal conditions give equal reasons.
    value = facts.get(name)
    named = [each for each in test if each.lower() in ([value.lower()] if isinstance(value, str) else value or [])]
    return f"{words} {', '.join(named)}{said_by(facts, words) if name in ('country_code', 'state_code') else ''}"


def _is_inside(places: tuple[str, ...], facts: Facts) -> bool:
    return facts.get("country_code") in places or facts.get("subdivision") in places


def _place(region: str, places: tuple[str, ...], facts: Facts) -> str:
    if facts.get("country_code") in places:
        return f"country {facts['country_code']}{said_by(facts, 'country')} is in {region}"
    return f"state {facts.get('subdivision')}{said_by(facts, 'state')} is in {region}"


def said_by(facts: Facts, itself: str) -> str:
    """What a reason adds to a place: " (by the phone)", nothing where its own name (`itself`) was stated."""
    source = facts.get(f"{itself}_source")
    return f" (by the {source.replace('_', ' ')})" if source is not None and source != itself else ""


def shown(value: Any) -> str:
    """A value in words: 201 instead of 201.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return ", ".join(value) if isinstance(value, list) else "unknown" if value is None else str(value)


def by_fallback(facts: Facts) -> str:
    country = facts.get("country_code")
    return f"no territory takes this lead (country {country or 'unknown'})"

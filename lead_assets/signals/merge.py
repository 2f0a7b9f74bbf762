"""Merges the signals of a lead: each value with its provider, and what is missing and why.

Belongs here: choosing among values from several signals, and the summary columns. Does not belong here: buying (see `engine`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from lead_assets.contracts import EnrichedLead
from lead_assets.contracts.base import MONEY_DTYPE
from lead_assets.contracts.enriched import VALUE_SOURCES
from lead_assets.core.columns import beside, conform, selected, widened
from lead_assets.core.places.located import located
from lead_assets.signals.given import GIVEN_COLUMNS, given_columns
from lead_assets.signals.given import PROVIDER as GIVEN
from lead_assets.signals.worth import NOT_WORTH_IT

PRECEDENCE = VALUE_SOURCES
"""For each column of enriched_leads, the signal columns that can fill it: the first with a value wins, in whatever order they arrived, and what the lead
brings itself comes last. The signals' contracts say so (see `lead_assets.contracts.enriched`)."""

Count = int | pl.Expr
"""A number for all rows, or one for each."""

OFF, NO_SUBJECT = "off", "no_subject"
_KEYS = ["campaign_id", "lead_id"]


def enrich(
    leads: pl.DataFrame,
    signals: Mapping[str, pl.DataFrame],
    others: Mapping[str, tuple[Count, Count]] = MappingProxyType({}),
    *,
    apart: bool = False,
) -> pl.DataFrame:
    """signals.enriched_leads: one row per lead in `leads` (columns of identity.leads), in the same order.

    `signals` maps a signal's name to a frame of its contract. A lead that is not in a frame counts as missed, with reason not_collected. What a lead
    brings itself fills the columns that no signal fills, however old it is, with provider "given" and its date.
    `others`: signal → of how many leads of the campaign that are not in `leads` it was found, and how many could be asked about. `apart`: the rows know
    nothing of each other, and `others` says for each what the rest of its campaign has.
    Raises polars' ComputeError if a frame contains a lead twice, which would multiply leads.
    """
    frame = leads["campaign_id", "lead_id", "account_key", "company_domain"]
    brings = leads["given"].null_count() < leads.height
    if brings:
        frame = pl.concat([frame, given_columns(leads).rename(lambda name: f"{GIVEN}.{name}")], how="horizontal")
    names = tuple(sorted(signals))
    for name in names:
        frame = beside(frame, signals[name], _KEYS, prefix=f"{name}.")
    said = _expressions(names, brings)
    # Asked dozens of times below, and an expression is worked out as often as it is written.
    frame = widened(frame, said.asked)
    # Not `select`: of a constant it makes one row, also where there are more leads.
    offices = located(frame.with_columns(__head_office=said.head_office)["__head_office"])
    frame = frame.with_columns(hq_country_code=offices["country_code"], hq_region=offices["region"])
    frame, quality = _quality(frame, names, others, apart=apart)
    return conform(selected(frame, [*said.told, quality.alias("enrichment_quality")]), EnrichedLead.polars_schema())


class _Expressions(NamedTuple):
    """What is asked of a lead's signals, and what is told of them. They are the same for every frame with these signals."""

    asked: list[pl.Expr]
    head_office: pl.Expr
    told: list[pl.Expr]


@lru_cache(maxsize=64)
def _expressions(names: tuple[str, ...], brings: bool) -> _Expressions:
    schema = EnrichedLead.polars_schema()
    # A column's origin is told for each column that a signal fills: its time is put into words once.
    told = [_told(f"{name}.as_of", pl.col(f"{name}.provider")).alias(f"{name}.told") for name in names]
    has = [(pl.col(f"{name}.state") == "found").fill_null(False).alias(f"{name}.has") for name in names]
    return _Expressions(
        [*has, *told],
        _head_office(names, brings),
        [
            *map(pl.col, ("campaign_id", "lead_id", "account_key", "company_domain")),
            *(_value(column, names, schema[column], brings).alias(column) for column in PRECEDENCE),
            pl.col("hq_country_code"),
            pl.col("hq_region"),
            _provenance(names, brings).alias("provenance"),
            _listed(names, pl.lit(True)).alias("signals_found"),
            _listed(names, pl.lit(False)).alias("signals_missed"),
            _miss_reasons(names).alias("miss_reasons"),
            _sum([pl.col(f"{name}.cost_usd") for name in names]).alias("signals_cost_usd"),
            pl.any_horizontal(pl.lit(False), *(_has(name) & pl.col(f"{name}.synthetic") for name in names)).alias("synthetic"),
        ],
    )


def _has(signal: str) -> pl.Expr:
    return pl.col(f"{signal}.has")


def _candidates(column: str, names: Sequence[str]) -> list[tuple[str, pl.Expr]]:
    """(signal, its value or null) for a column, best first."""
    return [(signal, pl.when(_has(signal)).then(pl.col(f"{signal}.{source}"))) for signal, source in PRECEDENCE[column] if signal in names]


def _value(column: str, names: Sequence[str], dtype: pl.DataType, brings: bool) -> pl.Expr:
    candidates = [value for _, value in _candidates(column, names)]
    if brings and column in GIVEN_COLUMNS:
        candidates.append(pl.col(f"{GIVEN}.{column}"))
    return pl.coalesce(candidates) if candidates else pl.lit(None, dtype=dtype)


def _head_office(names: Sequence[str], brings: bool) -> pl.Expr:
    """Where the head office is, as a provider writes it: in one text, else in three."""
    said = [pl.lit(None, dtype=pl.String)]
    if "company_overview" in names:
        said.append(pl.when(_has("company_overview")).then(pl.col("company_overview.company_region")))
    if "organization" in names:
        parts = [pl.col(f"organization.hq_{part}") for part in ("city", "state", "country")]
        said.append(pl.when(_has("organization")).then(pl.concat_str(parts, separator=", ", ignore_nulls=True)))
    if brings:
        said.append(pl.col(f"{GIVEN}.company_region"))
    return pl.coalesce(said)


def _provenance(names: Sequence[str], brings: bool) -> pl.Expr:
    """A JSON object with sorted keys, built as text within polars, so that a million leads need not pass through Python one by one."""
    entries = []
    for column in sorted(PRECEDENCE):
        said = [_origin(column, value, pl.col(f"{signal}.told")) for signal, value in _candidates(column, names)]
        if brings and column in GIVEN_COLUMNS:
            said.append(_origin(column, pl.col(f"{GIVEN}.{column}"), _told(f"{GIVEN}.{column}.as_of", pl.lit(GIVEN))))
        entries.append(pl.coalesce(pl.lit(None, dtype=pl.String), *said))
    return _json_object(entries)


def _told(as_of: str, provider: pl.Expr) -> pl.Expr:
    date = pl.col(as_of).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return pl.concat_str(pl.lit('{"as_of":"'), date, pl.lit('","provider":"'), provider, pl.lit('"}'))


def _origin(column: str, value: pl.Expr, told: pl.Expr) -> pl.Expr:
    return pl.when(value.is_not_null()).then(pl.concat_str(pl.lit(f'"{column}":'), told))


def _miss_reasons(names: Sequence[str]) -> pl.Expr:
    return _json_object(
        [
            pl.when(~_has(name)).then(
                pl.concat_str(pl.lit(f'"{name}":"'), pl.coalesce(pl.col(f"{name}.reason"), pl.lit("not_collected")), pl.lit('"'))
            )
            for name in names
        ]
    )


def _quality(
    frame: pl.DataFrame, names: Sequence[str], others: Mapping[str, tuple[Count, Count]], *, apart: bool
) -> tuple[pl.DataFrame, pl.Expr]:
    """The share of signals that were found, and the frame with what it is worked out from. Signals that are switched off were not requested, so their absence
    says nothing about the lead.

    One that was not worth its price counts as it was found for the campaign's other leads that could be asked about. Leaving it out would make the share of
    cheap leads one of few signals, which is often 0 or 1, and move their scores by chance. In tenths, so that a few more leads do not move everybody else's
    score, and with it what is sent about them: a tenth of one signal is a few hundredths of a point.
    """
    if not names:
        return frame, pl.lit(None, dtype=pl.Float64)
    left_out = [name for name in names if frame[f"{name}.reason"].eq(NOT_WORTH_IT).any()]
    counted = {f"{name}.of_all": _has(name).cast(pl.Int64) for name in left_out}
    counted |= {
        f"{name}.asked_of_all": (_requested(name) & pl.col(f"{name}.reason").ne_missing(NO_SUBJECT)).cast(pl.Int64) for name in left_out
    }
    if counted and apart:
        frame = frame.with_columns(**counted)
    elif counted:
        of_all = frame.group_by("campaign_id").agg(count.sum().alias(name) for name, count in counted.items())
        frame = frame.join(of_all, on="campaign_id", how="left", maintain_order="left")
    asked, found = [], []
    for name in names:
        if name not in left_out:
            asked.append(_requested(name).cast(pl.Int64))
            found.append(_has(name).cast(pl.Float64))
            continue
        found_of, asked_of = others.get(name, (0, 0))
        usual = ((pl.col(f"{name}.of_all") + found_of) / (pl.col(f"{name}.asked_of_all") + asked_of)).round(1)
        estimated = (pl.col(f"{name}.reason") == NOT_WORTH_IT).fill_null(False) & usual.is_not_nan()
        asked.append((_requested(name) | estimated).cast(pl.Int64))
        found.append(pl.when(estimated).then(usual).otherwise(_has(name).cast(pl.Float64)))
    total = pl.sum_horizontal(asked)
    return frame, pl.when(total > 0).then((pl.sum_horizontal(found) / total).round(4))


def _requested(name: str) -> pl.Expr:
    reason = pl.col(f"{name}.reason")
    return reason.ne_missing(OFF) & reason.ne_missing(NOT_WORTH_IT)


def _json_object(entries: list[pl.Expr]) -> pl.Expr:
    if not entries:
        return pl.lit("{}")
    return pl.concat_str(pl.lit("{"), pl.concat_str(entries, separator=",", ignore_nulls=True).fill_null(""), pl.lit("}"))


def _listed(names: Sequence[str], found: pl.Expr) -> pl.Expr:
    if not names:
        return pl.lit([], dtype=pl.List(pl.String))
    return pl.concat_list(pl.when(_has(name) == found).then(pl.lit(name)) for name in names).list.drop_nulls()


def _sum(columns: list[pl.Expr]) -> pl.Expr:
    total = pl.lit(Decimal(0), dtype=MONEY_DTYPE)
    for column in columns:
        total = total + column.fill_null(Decimal(0))
    return total

"""signals.enriched_leads: the columns that signal contracts fill, beside the lead's identity and the outcome of each signal.

Belongs here: its columns, and the signals that fill each, best first; both follow from the signals' contracts. Does not belong here: choosing a
lead's value (see `lead_assets.signals.merge`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import create_model

from lead_assets.contracts.base import OF_A_LEAD, Column, Json, Money, References, Sources, Table, column_of
from lead_assets.contracts.found import declared
from lead_assets.contracts.signals import SignalRow


def signal_contracts() -> list[type[SignalRow]]:
    """The signals of all modules, with those of `signals` first."""
    every = [contract for contract in declared(but=["enriched"]) if issubclass(contract, SignalRow)]
    return sorted(every, key=lambda contract: contract.__module__ != SignalRow.__module__)


def with_values(lead: type[Table], signals: Iterable[type[SignalRow]], *, reserved: Collection[str]) -> type[Table]:
    """The contract `lead`, followed by one column for each that signals fill, described as in the preferred signal.

    Raises TypeError if signals contradict each other or fill a column that is not theirs.
    """
    fillers: dict[str, list[tuple[int, type[SignalRow], str]]] = {}
    for signal in signals:
        for name, field in signal.value_fields().items():
            column = column_of(field)
            if column.enriches:
                fillers.setdefault(name if column.enriches is True else column.enriches, []).append((column.rank, signal, name))
    fields: dict[str, Any] = {}
    for target, filled in fillers.items():
        ranked = sorted(filled, key=lambda each: each[0])
        sources = tuple(f"{signal.table}.{name}" for _, signal, name in ranked)
        if target in lead.model_fields or target in reserved:
            raise TypeError(f"{sources[0]}: signals may not fill enriched_leads.{target}: give its Column another enriches=")
        if len({rank for rank, _, _ in ranked}) < len(ranked):
            raise TypeError(
                f"{' and '.join(sources)} fill enriched_leads.{target} with the same rank: give the less preferred one a higher rank="
            )
        if len({str(signal.polars_schema()[name]) for _, signal, name in ranked}) > 1:
            raise TypeError(
                f"{' and '.join(sources)} fill enriched_leads.{target} but differ in type: use one type, or fill different columns"
            )
        _, signal, name = ranked[0]
        field = signal.model_fields[name]
        column = replace(column_of(field), source=sources, enriches=None)
        annotation: Any = field.annotation
        markers = [column if isinstance(marker, Column) else marker for marker in field.metadata]
        fields[target] = (Annotated[annotation | None, *markers], None)
    return create_model("WithValues", __base__=lead, **fields)


class _Lead(Table):
    campaign_id: Annotated[str, Column("Campaign: the partition key", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    account_key: Annotated[str, Column("Account that ownership is decided by", source="identity.leads.account_key")]
    company_domain: Annotated[str | None, Column("Registrable domain of the company", source="identity.leads.company_domain")] = None


class _Outcome(Table):
    hq_country_code: Annotated[
        str | None,
        Column(
            "Country of the company's head office, ISO 3166-1 alpha-2",
            source=("signals.company_overview.company_region", "signals.organization.hq_country"),
        ),
    ] = None
    hq_region: Annotated[
        str | None,
        Column(
            "State or region of the company's head office, ISO 3166-2, e.g. US-TX",
            source=("signals.company_overview.company_region", "signals.organization.hq_state"),
        ),
    ] = None
    provenance: Annotated[
        Json, Column('Provider and time of each value: {"column": {"provider", "as_of"}}; provider given: what the lead brings itself')
    ]
    signals_found: Annotated[list[str], Column("Names of the signals that were found, sorted")]
    signals_missed: Annotated[list[str], Column("Names of the signals that were not found, sorted")]
    miss_reasons: Annotated[Json, Column('Reason for each missed signal: {"signal": "reason"}')]
    enrichment_quality: Annotated[
        float | None,
        Column(
            "Share of requested signals that were found, 0 to 1; null if none was requested. One that was not worth its price counts as the share of "
            "the campaign's other leads for which it was found, in tenths"
        ),
    ] = None
    signals_cost_usd: Annotated[Money, Column("Cost of this lead's signals in US dollars")]
    synthetic: Annotated[bool, Column("True if any value came from the sandbox")]


if TYPE_CHECKING:
    _LeadWithValues = _Lead
else:
    _LeadWithValues = with_values(_Lead, signal_contracts(), reserved=_Outcome.model_fields)


VALUE_SOURCES: dict[str, list[tuple[str, str]]] = {
    name: [(table, column) for _, table, column in (each.split(".") for each in column_of(field).sources)]
    for name, field in _LeadWithValues.model_fields.items()
    if any(each.startswith("signals.") for each in column_of(field).sources)
}
"""For each column of enriched_leads that signals fill, the (signal, column) pairs that can fill it, best first."""


class EnrichedLead(_Outcome, _LeadWithValues):
    """One row per lead: its identity, the values from all signals, which provider gave each value, and which signals are missing and why."""

    table: ClassVar[str] = "signals.enriched_leads"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        """What says something of all signals comes from the same column of each."""

        def of_all(*names: str) -> tuple[str, ...]:
            return tuple(f"{signal.table}.{name}" for signal in signal_contracts() for name in names)

        return {
            "provenance": (*of_all("provider", "as_of"), "identity.leads.given"),
            "signals_found signals_missed": of_all("state"),
            "miss_reasons": of_all("reason"),
            "enrichment_quality": of_all("state", "reason"),
            "signals_cost_usd": of_all("cost_usd"),
            "synthetic": of_all("synthetic"),
        }

"""Dagster's view of the signals room."""

import polars as pl
from dagster import AssetExecutionContext, AssetIn, MaterializeResult, ResourceParam, asset

from lead_assets.contracts import CompanyOverview, EnrichedLead, Lead
from lead_assets.declare import asset_of, key_of, limited, result_of
from lead_assets.ledger import Ledger
from lead_assets.settings import Settings
from lead_assets.signals.engine import collect
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import load_signals


@asset(**asset_of(CompanyOverview, kinds=["api"]), ins={"leads": AssetIn(key_of(Lead))}, pool="pipe0")
def company_overview(
    context: AssetExecutionContext, leads: pl.DataFrame, ledger: ResourceParam[Ledger], settings: ResourceParam[Settings]
) -> MaterializeResult:
    signal = load_signals(settings)["company_overview"]
    collected = collect(signal, limited(context, leads), ledger=ledger, settings=settings)
    return result_of(CompanyOverview, collected.frame, **collected.stats.metadata())


@asset(**asset_of(EnrichedLead), ins={"leads": AssetIn(key_of(Lead)), "company_overview": AssetIn(key_of(CompanyOverview))})
def enriched_leads(context: AssetExecutionContext, leads: pl.DataFrame, company_overview: pl.DataFrame) -> MaterializeResult:
    frame = enrich(limited(context, leads), {"company_overview": company_overview})
    return result_of(EnrichedLead, frame, with_a_signal=frame.filter(pl.col("signals_found").list.len() > 0).height)

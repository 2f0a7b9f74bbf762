"""Dagster's view of the identity room."""

from collections.abc import Iterator

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetIn, MaterializeResult, ResourceParam, multi_asset

from lead_assets.contracts import Duplicate, Lead, RawLead, SuppressedLead
from lead_assets.identity.resolve import conservation, resolve
from lead_assets.kit.declare import assets_of, conservation_check, key_of, result_of
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger

CONSERVES = AssetCheckSpec(
    "conserves",
    asset=key_of(Lead),
    blocking=True,
    partitions_def=campaigns,
    description="Raw leads = leads + duplicates + suppressed, for every campaign.",
)


@multi_asset(**assets_of([Lead, Duplicate, SuppressedLead]), ins={"raw_leads": AssetIn(key_of(RawLead))}, check_specs=[CONSERVES])
def identity__leads(raw_leads: pl.DataFrame, ledger: ResourceParam[Ledger]) -> Iterator[MaterializeResult | AssetCheckResult]:
    resolved = resolve(raw_leads, ledger.suppressions())
    normalised = {
        f"with_{name}": resolved.leads[name].count()
        for name in ("email_normalized", "company_domain", "country_code", "state_code", "phone_e164", "seniority")
    }
    yield result_of(Lead, resolved.leads, **normalised)
    yield result_of(Duplicate, resolved.duplicates)
    yield result_of(SuppressedLead, resolved.suppressed)
    yield conservation_check(CONSERVES, conservation(raw_leads, resolved), "received", "leads", "duplicate", "suppressed")

"""Dagster's view of the intake room."""

from collections.abc import Iterator

from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, MaterializeResult, ResourceParam, multi_asset

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.core.settings import Settings
from lead_assets.intake.failed_leads import publish
from lead_assets.intake.parsed import parsed_of
from lead_assets.intake.read import conservation, read_campaigns
from lead_assets.kit.declare import assets_of, conservation_check, key_of, result_of
from lead_assets.kit.partitions import campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import open_objects

CONSERVES = AssetCheckSpec(
    "conserves",
    asset=key_of(RawLead),
    blocking=True,
    partitions_def=campaigns,
    description="Payloads received = good + rejected, for every campaign: the receipts' count, made when the drop came in, against the rows.",
)


@multi_asset(**assets_of([RawLead, RejectedPayload]), check_specs=[CONSERVES])
def intake__raw_leads(
    context: AssetExecutionContext, archive: ResourceParam[Archive], settings: ResourceParam[Settings]
) -> Iterator[MaterializeResult | AssetCheckResult]:
    read = read_campaigns(archive, context.partition_keys, max_payload_bytes=settings.max_payload_bytes, parsed=parsed_of(settings))
    codes = dict(read.rejected["code"].value_counts().sort("code").iter_rows())
    yield result_of(
        RawLead,
        read.raw_leads,
        adapters=dict(read.raw_leads["adapter"].value_counts().sort("adapter").iter_rows()),
        repeated_files=int(read.received["repeated_files"].sum()),
    )
    copies = publish(read.rejected, open_objects(settings.failed_leads_location)) if settings.failed_leads_location else None
    yield result_of(RejectedPayload, read.rejected, codes=codes, failed_leads=copies)
    yield conservation_check(CONSERVES, conservation(read), "received", "good", "rejected")

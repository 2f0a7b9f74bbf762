"""The assets of the intake room."""

import polars as pl
from dagster import AssetCheckSeverity

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, joined, named, tables

MOST_REJECTED = 0.25
FEWEST_JUDGED = 20
"""Payloads of a drop below which its rate says little: a webhook's drop has one."""
_BY_DROP = """
    SELECT campaign_id, drop_sha256, ANY_VALUE(drop_name) AS drop_name, SUM(good) AS good, SUM(rejected) AS rejected
    FROM (
        SELECT campaign_id, drop_sha256, drop_name, 1 AS good, 0 AS rejected FROM intake.raw_leads
        UNION ALL
        SELECT campaign_id, drop_sha256, drop_name, 0, 1 FROM intake.rejected_payloads WHERE code NOT IN ('notice', 'test_event')
    ) AS payloads
    GROUP BY campaign_id, drop_sha256
    ORDER BY campaign_id, drop_sha256
"""


def conserves(step: Step) -> dict[str, Verdict]:
    counts = stored_counts(step.warehouse, step.partitions, good=RawLead, rejected=RejectedPayload)
    return adds_up(counts.join(step.memo["received"], on="campaign_id", how="left"), "received", "good", "rejected")


def reject_rate(step: Step) -> dict[str, Verdict]:
    """Of each drop, at most a share of `MOST_REJECTED` may be rejects; what its source sends beside leads does not count. Small drops are judged together."""
    counted = step.warehouse.query(_BY_DROP, [RawLead, RejectedPayload], step.partitions)
    frame = counted.with_columns(pl.col("good", "rejected").cast(pl.Int64))
    verdicts = {}
    for (campaign_id,), drops in frame.partition_by("campaign_id", as_dict=True).items():
        large = drops.filter(pl.col("good") + pl.col("rejected") >= FEWEST_JUDGED)
        small = drops.filter(pl.col("good") + pl.col("rejected") < FEWEST_JUDGED).select(pl.col("good", "rejected").sum())
        judged = [*large.select("drop_name", "good", "rejected").iter_rows(), ("all small drops", *small.row(0))]
        bad = [(name, good, rejected) for name, good, rejected in judged if rejected > MOST_REJECTED * max(good + rejected, FEWEST_JUDGED)]
        said = "; ".join(f"{name}: {rejected} of {good + rejected} payloads" for name, good, rejected in bad[:20])
        verdicts[str(campaign_id)] = Verdict(not bad, {"drops": drops.height, "rejected": said})
    return verdicts


def receipts(step: Step, campaign_id: str) -> object:
    return step.archive.receipt_names(campaign_id), step.settings.limits


@tables(
    RawLead,
    RejectedPayload,
    logic=["lead_assets.intake", "lead_assets.core"],
    rules=["shapes", "headers.yaml"],
    outside=receipts,
    checks=[
        Check(
            RawLead,
            "conserves",
            "Payloads received = good + rejected: compares the receipts' count, made on arrival, with the stored rows.",
            conserves,
            blocking=True,
        ),
        Check(
            RejectedPayload,
            "reject_rate",
            "At most a quarter of a drop's payloads is rejected, apart from notices and test events: more says that a source changed its form.",
            reject_rate,
            severity=AssetCheckSeverity.WARN,
        ),
    ],
)
def intake__raw_leads(step: Step) -> list[Made]:
    from lead_assets.intake.adapters import adapters_of
    from lead_assets.intake.failed_leads import publish
    from lead_assets.intake.parsed import parsed_of
    from lead_assets.intake.read import read_campaigns
    from lead_assets.stores.objects import open_objects

    settings = step.settings
    read = read_campaigns(step.archive, step.partitions, limits=settings.limits, parsed=parsed_of(settings), adapters=adapters_of(settings))
    step.memo["received"] = read.received.select("campaign_id", "received")
    copies = publish(read.rejected, open_objects(settings.failed_leads_location)) if settings.failed_leads_location else None
    repeated = dict(read.received.select("campaign_id", "repeated_files").iter_rows())
    return [
        Made(
            read.raw_leads,
            joined(named("adapters", counts_by(read.raw_leads, "adapter")), named("repeated_files", repeated)),
        ),
        Made(read.rejected, joined(named("codes", counts_by(read.rejected, "code"))), {"failed_leads": copies}),
    ]

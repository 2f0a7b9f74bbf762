"""The assets of the intake room."""

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.failed_leads import publish
from lead_assets.intake.parsed import parsed_of
from lead_assets.intake.read import read_campaigns
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, joined, named, tables
from lead_assets.stores.objects import open_objects


def conserves(step: Step) -> dict[str, Verdict]:
    counts = stored_counts(step.warehouse, step.partitions, good=RawLead, rejected=RejectedPayload)
    return adds_up(counts.join(step.memo["received"], on="campaign_id", how="left"), "received", "good", "rejected")


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
        )
    ],
)
def intake__raw_leads(step: Step) -> list[Made]:
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

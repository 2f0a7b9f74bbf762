"""The assets of the identity room."""

import hashlib

import polars as pl

from lead_assets.contracts import Duplicate, Lead, RawLead, SuppressedLead
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, tables

_NORMALISED = (
    "email_normalized",
    "company_domain",
    "country_code",
    "state_code",
    "phone_e164",
    "seniority",
    "possible_duplicates",
    "shared_domain",
)


def conserves(step: Step) -> dict[str, Verdict]:
    counts = stored_counts(step.warehouse, step.partitions, received=RawLead, leads=Lead, duplicate=Duplicate, suppressed=SuppressedLead)
    return adds_up(counts, "received", "leads", "duplicate", "suppressed")


def suppressions(step: Step, _: str) -> str:
    """All suppressions: which ones apply is only known once the leads are read."""
    if "suppressions" not in step.memo:
        step.memo["suppressions"] = step.ledger.suppressions()
    return hashlib.sha256(step.memo["suppressions"].write_ndjson().encode()).hexdigest()


@tables(
    Lead,
    Duplicate,
    SuppressedLead,
    reads={"raw_leads": RawLead},
    logic=["lead_assets.identity", "lead_assets.core"],
    outside=suppressions,
    checks=[Check(Lead, "conserves", "In the stored tables, raw leads = leads + duplicates + suppressed.", conserves, blocking=True)],
)
def identity__leads(step: Step, raw_leads: pl.DataFrame) -> list[Made]:
    from lead_assets.identity.resolve import resolve

    resolved = resolve(raw_leads, step.memo.get("suppressions"), step.ledger.suppression_hash)
    normalised = figures_by(resolved.leads, **{f"with_{name}": pl.col(name).count() for name in _NORMALISED})
    return [Made(resolved.leads, normalised), Made(resolved.duplicates), Made(resolved.suppressed)]

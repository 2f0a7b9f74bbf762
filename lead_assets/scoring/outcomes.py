"""Which lead is meant by each statement, and how it ended.

A lead's own payload, a file and a CRM may all say something. The newest statement counts, by the date at which the lead ended, else by when it was received;
so a deal that was lost and is open again is open. A statement about a company counts only for leads of which nobody says more.

Does not belong here: reading files (see `statements`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

from lead_assets.contracts import Duplicate, Lead, LeadOutcome, RawLead
from lead_assets.core.columns import map_distinct
from lead_assets.scoring.outcome_rules import OutcomeRules

OF_LEADS = """
SELECT leads.campaign_id, leads.lead_id, leads.account_key, leads.email_normalized AS email, raw.outcome AS stage, raw.outcome_at, raw.received_at AS known_at
FROM intake.raw_leads AS raw
LEFT JOIN identity.duplicates AS older
  ON older.campaign_id = raw.campaign_id AND older.drop_sha256 = raw.drop_sha256 AND older.position = raw.position AND older.part = raw.part
JOIN identity.leads AS leads
  ON leads.campaign_id = raw.campaign_id
 AND (leads.lead_id = older.duplicate_of OR (leads.drop_sha256 = raw.drop_sha256 AND leads.position = raw.position AND leads.part = raw.part))
WHERE raw.outcome IS NOT NULL
"""
KNOWN = "SELECT campaign_id, lead_id, account_key, email_normalized AS email FROM identity.leads"
READS = (RawLead, Duplicate, Lead)

_LEAD = ["campaign_id", "lead_id"]
_BEST = {"payload": 0, "email": 0, "lead_id": 0, "account": 1}
_SAID = [*_LEAD, "account_key", "email", "outcome", "stage", "outcome_at", "known_at", "source", "matched_on", "record"]


def outcomes(of_leads: pl.DataFrame, stated: pl.DataFrame, leads: pl.DataFrame, rules: OutcomeRules) -> pl.DataFrame:
    """Rows of contracts.LeadOutcome.

    of_leads: rows of the query OF_LEADS. stated: `statements.FILE_COLUMNS`. leads: rows of the query KNOWN, over all campaigns.
    """
    own = of_leads.with_columns(
        outcome=map_distinct(of_leads["stage"], rules.meaning),
        source=pl.lit("lead"),
        matched_on=pl.lit("payload"),
        record=pl.lit(None, dtype=pl.String),
    ).filter(pl.col("outcome").is_not_null())
    matched = list(_matched(stated, leads))
    found = pl.concat([each.select(_SAID).cast(_TYPES) for each in (own, *matched)])  # type: ignore[arg-type]
    nobody = stated.join(found, on="record", how="anti").with_columns(
        campaign_id=pl.lit(None, dtype=pl.String),
        lead_id=pl.lit(None, dtype=pl.String),
        account_key="domain",
        matched_on=pl.lit(None, dtype=pl.String),
    )
    rows = pl.concat([_newest(found, _LEAD), _newest(nobody.select(_SAID).cast(_TYPES), ["email", "account_key"])])  # type: ignore[arg-type]
    return rows.with_columns(
        outcome_id=pl.when(pl.col("lead_id").is_null()).then("record").otherwise(pl.col("campaign_id") + "/" + pl.col("lead_id")),
        email_hash=map_distinct(rows["email"], hashed_email),
    ).select(pl.col(name).cast(dtype) for name, dtype in LeadOutcome.polars_schema().items())


def hashed_email(email: str) -> str:
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()


_TYPES = dict.fromkeys(_SAID, pl.String()) | {name: pl.Datetime("us", "UTC") for name in ("outcome_at", "known_at")}


def _matched(stated: pl.DataFrame, leads: pl.DataFrame) -> Iterable[pl.DataFrame]:
    """Each statement with the leads that it means: by e-mail address, otherwise by id, otherwise by company."""
    meant = leads.rename({column: f"of_{column}" for column in leads.columns}).with_columns(_crm_id("of_lead_id"))
    rest = stated.with_columns(_crm_id("lead_id"))
    for key, on, name in (("email", "of_email", "email"), ("_lead_id", "_of_lead_id", "lead_id"), ("domain", "of_account_key", "account")):
        found = rest.join(meant.filter(pl.col(on).is_not_null()), left_on=key, right_on=on, how="inner", coalesce=False)
        yield found.select(
            *(pl.col(f"of_{column}").alias(column) for column in leads.columns),
            pl.col("outcome", "stage", "outcome_at", "known_at", "source", "record"),
            matched_on=pl.lit(name),
        )
        rest = rest.join(found, on="record", how="anti")
        if key == "_lead_id":  # who is named, and is no lead here, is not some other person of the company
            rest = rest.filter(pl.col("email").is_null() & pl.col("lead_id").is_null())


def _crm_id(column: str) -> pl.Expr:
    """The id as a CRM exports it: without the name of the CRM, which intake puts before it, and Salesforce's in its form of 15 letters."""
    bare = pl.col(column).str.replace(r"^(hubspot|salesforce|pipedrive):", "")
    of_salesforce = bare.str.contains(r"^00[A-Za-z0-9]{13}(?:[A-Z0-5]{3})?$")
    return pl.when(of_salesforce).then(bare.str.head(15)).otherwise(bare).alias(f"_{column}")


def _newest(found: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """One statement per lead, with the time at which this outcome was first known."""
    ranked = found.with_columns(
        _exact=pl.col("matched_on").replace_strict(_BEST, default=0, return_dtype=pl.Int64).min().over(by),
        _own=pl.col("matched_on").replace_strict(_BEST, default=0, return_dtype=pl.Int64),
        _at=pl.coalesce("outcome_at", "known_at"),
        _ended=(pl.col("outcome") != "open").cast(pl.Int64) + (pl.col("outcome") == "won").cast(pl.Int64),
        known_at=pl.col("known_at").min().over([*by, "outcome"]),
    ).filter(pl.col("_own") == pl.col("_exact"))
    newest = ranked.sort("_at", "_ended", "source", "record", descending=[True, True, False, False], nulls_last=True)
    return newest.unique(by, keep="first", maintain_order=True).select(found.columns).sort(by, nulls_last=True)

"""Leads of several campaigns for tests of who is who. Not a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.contracts import Lead
from lead_assets.core.emails import email_domains, email_kinds
from lead_assets.identity.records import LEAD_COLUMNS
from lead_assets_tests.linking import made_up

AT = datetime(2026, 11, 1, tzinfo=UTC)
SCHEMA = {name: Lead.polars_schema()[name] for name in LEAD_COLUMNS}


def lead(campaign: str, lead_id: str, name: str = "", *, day: int = 0, **given: Any) -> dict[str, Any]:
    """A row of `LEAD_COLUMNS`; a company's domain is that of the e-mail."""
    first, _, last = name.rpartition(" ")
    email = given.get("email_normalized")
    domain = email.partition("@")[2] if email and not email.endswith(("gmail.com", "yahoo.com")) else None
    row: dict[str, Any] = dict.fromkeys(LEAD_COLUMNS)
    row |= {"campaign_id": campaign, "lead_id": lead_id, "received_at": AT + timedelta(days=day), "account_key": domain or "person:x"}
    row |= {"name_first": first or None, "name_last": last or None, "company_domain": domain}
    row |= {"email_kind": None if email is None else "business" if domain else "free"}
    return row | given


def frame(*leads: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(leads), schema=SCHEMA, orient="row")


def many(count: int, people: int, *, seed: int = 5, per_campaign: int = 100) -> tuple[pl.DataFrame, dict[str, int]]:
    """`count` leads of made-up people in campaigns that arrive a minute after one another, and the person of each ("campaign/lead")."""
    table = made_up.leads(count, people=people, seed=seed)
    number = pl.int_range(pl.len()) // per_campaign
    business = email_kinds(email_domains(table["email"])) == "business"
    leads = table.select(
        campaign_id=pl.lit("c") + number.cast(pl.String).str.zfill(6),
        lead_id="id",
        received_at=pl.lit(AT) + pl.duration(minutes=number),
        email_normalized="email",
        email_kind=pl.when(pl.lit(business)).then(pl.lit("business")).otherwise(pl.lit("free")),
        phone_e164="phone",
        name_first="first_name",
        name_last="last_name",
        company_domain=pl.when(pl.lit(business)).then(pl.col("email").str.extract(r"@(.*)$", 1)),
        company_clean="company",
        postal_code="postcode",
        country_code=pl.lit("US"),
        account_key=pl.lit("x"),
    )
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in leads.columns]
    leads = leads.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    person = dict(zip(leads.select(pl.concat_str("campaign_id", pl.lit("/"), "lead_id")).to_series(), table["person"], strict=True))
    return leads, person

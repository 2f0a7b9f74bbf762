"""Made-up past leads for the lookalike index: those of high value are mostly heads of sales of large software companies."""

from __future__ import annotations

import random

import polars as pl

_TITLES = {True: ["VP Sales", "Head of Sales", "Chief Revenue Officer"], False: ["Engineer", "Student", "Buyer", "Nurse"]}
_BIOS = {True: "grows revenue teams and pipelines", False: "likes hiking, reading and machines"}


def past_leads(number: int, seed: int = 0) -> pl.DataFrame:
    """customer_id, email, the default columns of an index, is_high_value; a third is of high value."""
    chance = random.Random(seed)
    rows = []
    for index in range(number):
        high = chance.random() < 1 / 3
        rows.append(
            {
                "customer_id": f"C{seed}-{index}",
                "email": f"Person{index}@Firm{seed}.example",
                "job_title": f"{chance.choice(_TITLES[high])} {chance.choice(['EMEA', 'APAC', 'Nordics', 'Retail', 'Health'])}",
                "bio": f"{_BIOS[high]} since {chance.randrange(1980, 2025)} in area {chance.randrange(10_000)}",
                "industry": chance.choice(["SaaS", "fintech"] if high else ["retail", "health", "public"]),
                "country": chance.choice(["US", "DE", "FR"]),
                "company_size": chance.lognormvariate(5 if high else 3, 1),
                "web_activity_score": chance.random() * 100,
                "email_engagement_score": chance.random() * 100,
                "is_high_value": high,
            }
        )
    return pl.DataFrame(rows)

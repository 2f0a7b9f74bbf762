"""The most similar accounts for each of 1,000, among 100,000 others: seconds and peak memory. Made-up companies of 25 words and 6 technologies."""

from __future__ import annotations

import random
import resource
import time
from datetime import UTC, datetime

import polars as pl

from lead_assets.contracts import Account
from lead_assets.core.settings import Settings
from lead_assets.lookalike.rules import load_lookalike_rules
from lead_assets.lookalike.search import similar_accounts

ASKED, KNOWN = 1_000, 100_000


def main() -> None:
    chance = random.Random(1)
    known = _accounts(chance, KNOWN, "known", datetime(2026, 1, 1, tzinfo=UTC))
    asked = _accounts(chance, ASKED, "asked", datetime(2026, 6, 1, tzinfo=UTC))
    began = time.perf_counter()
    found = similar_accounts(asked, pl.concat([known, asked]), load_lookalike_rules(Settings()))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{ASKED:,} accounts against {KNOWN:,}: {seconds:.1f} s, {found.height:,} rows, peak memory {peak} MB")


def _accounts(chance: random.Random, number: int, campaign: str, known_at: datetime) -> pl.DataFrame:
    return Account.frame(
        {
            "campaign_id": campaign,
            "account_key": f"{campaign}{index}.example",
            "company_name": f"{campaign}{index}",
            "industry": f"Industry {chance.randrange(60)}",
            "headcount_min": chance.choice([1, 11, 51, 201, 501]),
            "country_code": "US",
            "technologies": [f"tech{each}" for each in chance.sample(range(200), 6)],
            "company_description": " ".join(f"word{each}" for each in chance.choices(range(3_000), k=25)),
            "known_at": known_at,
            "synthetic": True,
        }
        for index in range(number)
    )


if __name__ == "__main__":
    main()

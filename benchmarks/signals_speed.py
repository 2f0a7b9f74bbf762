"""One company signal through the whole engine: leads/s with an empty ledger, and with everything in the ledger; calls for leads that share companies.

The sandbox has neither latency nor limits here. python -m benchmarks.signals_speed [--leads 20000] [--signal company_overview]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import start
from lead_assets.signals.engine import collect
from lead_assets.signals.signal import load_signals

FROM_EMPTY, FROM_LEDGER = 1_500, 20_000
"""Leads/s to reach."""
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument("--signal", default="company_overview")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as home, start() as sandbox:
        settings = Settings(home=Path(home), sandbox_url=sandbox.url)
        signal = load_signals(settings)[options.signal]
        ledger = Ledger(settings.ledger_location).open()

        def rate(frame: pl.DataFrame) -> float:
            began = time.perf_counter()
            collected = collect(signal, frame, ledger=ledger, settings=settings)
            assert collected.frame.height == frame.height
            return frame.height / (time.perf_counter() - began)

        each_its_own = leads(options.leads, companies=options.leads)
        empty = rate(each_its_own)
        # The best of some: whatever else the machine does is not the engine's.
        full = max(rate(each_its_own) for _ in range(ROUNDS))
        sandbox.reset()
        rate(leads(5_000, companies=300, suffix="shared.example"))
        shared = sandbox.billed(signal.sources[0].provider)
        ledger.close()
    print(
        json.dumps(
            {
                "leads": options.leads,
                "signal": signal.name,
                "cores": os.cpu_count(),
                "leads_per_second_from_an_empty_ledger": round(empty),
                "leads_per_second_all_in_the_ledger": round(full),
                "ratio": round(full / empty, 1),
                "of_target": {"from_an_empty_ledger": round(empty / FROM_EMPTY, 2), "all_in_the_ledger": round(full / FROM_LEDGER, 2)},
                "calls_for_5000_leads_of_300_companies": shared,
            },
            indent=2,
        )
    )


def leads(count: int, *, companies: int, suffix: str = "own.example") -> pl.DataFrame:
    """`count` leads of `companies` companies in turn."""
    began = datetime(2026, 11, 1, tzinfo=UTC)
    common = {"campaign_id": "benchmark", "adapter": "csv", "drop_sha256": "0" * 64, "payload": "{}", "extra": "{}"}
    return Lead.frame(
        {
            **common,
            "lead_id": f"L{number}",
            "position": number,
            "part": 1,
            "received_at": began + timedelta(seconds=number),
            "company_domain": f"c{number % companies}.{suffix}",
            "account_key": f"c{number % companies}.{suffix}",
        }
        for number in range(count)
    )


if __name__ == "__main__":
    main()

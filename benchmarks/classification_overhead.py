"""The interactive path's own time per lead, without the provider's; and a second run, which asks nothing.

python -m benchmarks.classification_overhead [--leads 800] [--latency-ms 200]

The sandbox answers each call after a set latency, 16 calls in parallel. Without any work of ours, the time would be leads / 16 * latency. The sandbox runs on
the same cores, so the figure is an upper bound; `cpu_ms_a_lead` is the CPU time of this process, including the vendor's SDK.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.classification_batches import leads
from lead_assets.classification.classify import classify
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import start
from lead_assets_tests.classification.leads import enriched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=800)
    parser.add_argument("--latency-ms", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, start() as sandbox:
        settings = Settings(home=Path(home), sandbox_url=sandbox.url, _env_file=None)  # type: ignore[call-arg]
        ledger = Ledger(settings.ledger_location).open()
        asked = leads(options.leads)
        added = enriched(asked)
        warm = leads(options.leads + 1)[-1:]
        classify(warm, enriched(warm), ledger=ledger, settings=settings)  # imports, the SDK's client, the prompt cache
        sandbox.set_fault("anthropic", "latency", latency_ms=options.latency_ms)
        # The first call of a purchase goes alone, so that the others find the prompt cached.
        concurrency = load_rulebook(settings).limits.calls.concurrency
        waited = (1 + (options.leads - 1) / concurrency) * options.latency_ms / 1000

        def timed() -> tuple[float, float]:
            wall, cpu = time.perf_counter(), time.process_time()
            result = classify(asked, added, ledger=ledger, settings=settings)
            assert result.classifications.height + result.quarantine.height == options.leads
            return time.perf_counter() - wall, time.process_time() - cpu

        (wall, cpu), calls = timed(), sandbox.billed("anthropic", "messages")
        again, _ = timed()
        metered = sandbox.billed("anthropic", "messages") - calls
        ledger.close()
    own = (wall - waited) * 1000 / options.leads
    print(
        json.dumps(
            {
                "benchmark": "classification_overhead",
                "leads": options.leads,
                "latency_ms": options.latency_ms,
                "own_ms_a_lead": round(own, 2),
                "cpu_ms_a_lead": round(cpu * 1000 / options.leads, 2),
                "second_run_calls": metered,
                "second_run_ms_a_lead": round(again * 1000 / options.leads, 3),
                "ok": own < 5 and metered == 0,
            }
        )
    )


if __name__ == "__main__":
    main()

"""How long after `lead-assets pause` the last new call leaves, with two processes buying; goal: 1 s.

    python -m benchmarks.pausing [--leads 400] [--times 5]

Each vendor's answer takes 300 ms. The lives are processes as in `kill_nine`; the pause is the command's own function, in a third process's place.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import kill_nine
from lead_assets.cli import money
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle, start

PROVIDERS = ("pipe0", "apollo", "hunter", "anthropic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=400)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    later = [_once(asked.leads) for _ in range(asked.times)]
    print(json.dumps({"benchmark": "pausing", "last_call_s_after_the_pause_returned": later, "ok": max(later) <= 1.0}))


def _once(leads: int) -> float:
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        home = Path(folder) / "home"
        for provider in PROVIDERS:
            sandbox.set_fault(provider, "latency", latency_ms=300)
        kill_nine.fill(home, leads, "spring")
        kill_nine.fill(home, 2 * leads, "fall")
        settings = Settings(home=home)
        lives = [kill_nine.begin(home, sandbox.url, campaign) for campaign in ("spring", "fall")]
        while len(sandbox.requests("hunter")) < 20:
            time.sleep(0.05)
        money.pause(settings, None)
        paused = datetime.now(UTC).timestamp()
        for life in lives:
            life.wait()
        assert not sandbox.requests("anthropic"), "everything was bought before the pause"
        last, provider, operations = max(_times(sandbox))
        print(f"{last - paused:.3f} s: {provider} {', '.join(operations)}", flush=True)
        return round(last - paused, 3)


def _times(sandbox: Handle) -> list[tuple[float, str, list[str]]]:
    """When each question reached its vendor for the first time, and what it was. One that the vendor still works at may be asked for again."""
    first: dict[tuple[str, str, str, str | None], tuple[float, str, list[str]]] = {}
    for provider in PROVIDERS:
        for each in sandbox.requests(provider):
            first.setdefault((provider, each["path"], each["query"], each["body"]), (each["at"], provider, each["operations"]))
    return list(first.values())


if __name__ == "__main__":
    main()

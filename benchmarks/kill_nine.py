"""`kill -9` at random moments while a campaign is being enriched and classified, then resume: nothing lost, nothing hidden.

    python -m benchmarks.kill_nine [--kills 100] [--leads 2000] [--seed 1]

Each life is a process that does what the asset steps that buy do, signals and classification, over the same home, and is killed at a random moment
(it is leaner than `lead-assets run`, so that more of the kills hit a purchase and fewer hit an import). The last life is the real `lead-assets run`.
The vendors' declared rates are left out of the rules, for by Hunter's alone 2,000 leads would take a quarter of an hour.
Then every lead must be enriched and classified, and the ledger must agree with the sandbox's meter, except for calls that were in flight at a
kill: they are in the ledger as uncertain, and the vendor may have billed each of them or not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.estimating.archived import leads_of
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle, start
from lead_assets.stores.opened import archive_of

CAMPAIGN = "kill-nine"
_FIRST = ["Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gia", "Hal", "Ida", "Jon"]
_LAST = ["Moss", "Okafor", "Lindt", "Sato", "Reyes", "Novak", "Hahn", "Brandt", "Ito", "Silva"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--leads", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--life", help=argparse.SUPPRESS, nargs=2, metavar=("URL", "CAMPAIGN"))
    options = parser.parse_args()
    if options.life:
        live(Settings(sandbox_url=options.life[0]), options.life[1])
        return 0
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        # Together the 300 ms that a synchronous run took when this was first measured.
        sandbox.set_fault("pipe0", "latency", latency_ms=50)
        sandbox.set_fault("pipe0", "run_delay", latency_ms=250)
        sandbox.set_fault("anthropic", "latency", latency_ms=500)
        said = rehearse(Path(folder) / "home", sandbox, leads=options.leads, kills=options.kills, seed=options.seed)
    print(json.dumps({"benchmark": "kill_nine", **said}))
    return 0 if said["ok"] else 1


def rehearse(home: Path, sandbox: Handle, *, leads: int, kills: int, seed: int, longest: float = 1.2) -> dict[str, Any]:
    """Kill `kills` lives within `longest` seconds after they begin to buy, then finish. Returns the figures, with `ok`."""
    fill(home, leads)
    dice = random.Random(seed)
    began = time.perf_counter()
    idle = 0
    for _ in range(kills):
        process = begin(home, sandbox.url)
        try:
            process.wait(dice.uniform(0.0, longest))
            if process.returncode:
                raise RuntimeError("a life ended by itself, with an error: see above")
            idle += 1  # nothing was left to buy
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    row = _finish(home, sandbox.url)
    return {"seconds": round(time.perf_counter() - began, 1), "kills": kills - idle, **verdict(home, sandbox, leads, row)}


def verdict(home: Path, sandbox: Handle, leads: int, row: dict[str, int]) -> dict[str, Any]:
    """What the ledger and the meter say, and whether they agree. `row`: what became of the campaign's leads, as the last life counted them."""
    meter = sandbox.meter()
    metered_calls = sum(entry["billed"] for service in meter.values() for entry in service.values())
    metered_usd = sum(entry["usd"] for service in meter.values() for entry in service.values())
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    total = ledger.costs(by=()).row(0, named=True)
    by_provider = dict(ledger.costs(by=("provider",)).select("provider", "uncertain_calls").iter_rows())
    ledger.close()
    calls, usd, uncertain = total["calls"], float(total["usd"]), total["uncertain_calls"]
    # The ledger rounds a call's price up to a millionth of a dollar.
    slack = 1e-6 * (calls + uncertain) + 1e-9
    agrees = calls <= metered_calls <= calls + uncertain and usd - slack <= metered_usd <= usd + float(total["uncertain_usd"]) + slack
    again = sum(times - 1 for service in meter for times in sandbox.subjects(service).values() for times in times.values())
    whole = row["leads"] == leads and row["classified"] + row["quarantined"] == leads
    return {
        "leads": row["leads"],
        "enriched": row["enriched"],
        "classified_or_quarantined": row["classified"] + row["quarantined"],
        "ledger_calls": calls,
        "metered_calls": metered_calls,
        "uncertain_calls": uncertain,
        "uncertain_by_provider": by_provider,
        "bought_again_after_a_kill": again,
        "ledger_usd": round(usd, 6),
        "metered_usd": round(metered_usd, 6),
        "uncertain_usd": float(total["uncertain_usd"]),
        "ok": whole and row["enriched"] == leads and agrees and again <= uncertain,
    }


def fill(home: Path, leads: int, campaign: str = CAMPAIGN) -> None:
    """A campaign of so many inbound leads of half as many companies, in the archive."""
    from lead_assets.intake.ingest import ingest

    lines = [
        {
            "email": f"{_FIRST[n % 10].lower()}.{_LAST[n // 10 % 10].lower()}{n}@firm-{n // 2}.example",
            "company": f"Firm {n // 2}",
            "full_name": f"{_FIRST[n % 10]} {_LAST[n // 10 % 10]}",
            "title": "Head of Operations",
            "country": "Germany",
        }
        for n in range(leads)
    ]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (home / "rules").mkdir(parents=True, exist_ok=True)
    (home / "rules" / "signals.yaml").write_text(yaml.safe_dump(_without_rates(), sort_keys=False))
    ingest(archive_of(Settings(home=home)), data, name="kill_nine.ndjson", received_at=datetime.now(UTC), campaign=campaign)


def _without_rates() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load((project_file("lead_assets") / "rules" / "signals.yaml").read_text())
    for provider in rules["providers"].values():
        for terms in (provider, *provider.get("endpoints", {}).values()):
            terms.pop("rates", None)
    return rules


def live(settings: Settings, campaign: str = CAMPAIGN) -> dict[str, int]:
    """One life: buy what the signals and the classification lack. Returns what became of the leads, if it is not killed."""
    from lead_assets.classification.classify import classify
    from lead_assets.signals.engine import collect_all
    from lead_assets.signals.merge import enrich
    from lead_assets.signals.signal import load_signals

    ledger = Ledger(settings.ledger_location)
    leads = leads_of(settings, [campaign], ledger)
    print("buying", flush=True)
    collected = collect_all(list(load_signals(settings).values()), leads, ledger=ledger, settings=settings)
    enriched = enrich(leads, {name: each.frame for name, each in collected.items()})
    result = classify(leads, enriched, ledger=ledger, settings=settings)
    ledger.close()
    return {
        "leads": leads.height,
        "enriched": enriched.height,
        "classified": result.classifications.height,
        "quarantined": result.quarantine.height,
    }


def begin(home: Path, url: str, campaign: str = CAMPAIGN) -> subprocess.Popen[bytes]:
    """Start a life; returns when it begins to buy."""
    command = [sys.executable, "-m", "benchmarks.kill_nine", "--life", url, campaign]
    process = subprocess.Popen(command, env=_environment(home), stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _finish(home: Path, url: str) -> dict[str, int]:
    command = [str(Path(sys.executable).parent / "lead-assets"), "run", "--all", "--json"]
    environment = _environment(home) | {"LEAD_ASSETS_SANDBOX_URL": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the last run failed: {done.stderr[-2000:]}")
    [row] = json.loads(done.stdout)["campaigns"]
    counted: dict[str, int] = row
    return counted


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEAD_ASSETS_", "DAGSTER_HOME"))}
    return kept | {"LEAD_ASSETS_HOME": str(home), "LEAD_ASSETS_RULES_DIR": str(home / "rules")}


if __name__ == "__main__":
    sys.exit(main())

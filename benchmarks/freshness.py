"""How long the verdicts on many campaigns take: one campaign is run, and copied.

python -m benchmarks.freshness [--campaigns 1000]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.operating.freshness import PATH, verdicts
from lead_assets.operating.rules import load_freshness
from lead_assets.sandbox import start
from lead_assets.stores.opened import archive_of, warehouse_of


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1000)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
        _one_campaign(settings)
        names = [f"c{number:05}" for number in range(1, asked.campaigns)]
        for table in sorted((settings.home / "warehouse").glob("*/*")):
            for source in table.glob("*c00000*"):
                for name in names:
                    shutil.copytree(source, table / source.name.replace("c00000", name))
        receipts = Path(settings.archive_location) / "receipts"
        for name in names:
            shutil.copytree(receipts / "c00000", receipts / name)
        for said, now in (("all fresh", datetime.now(UTC)), ("again", datetime.now(UTC))):
            began = time.perf_counter()
            found = verdicts(settings, archive_of(settings), warehouse_of(settings), load_freshness(settings), now)
            states = {state: sum(each.state == state for each in found) for state in ("fresh", "stale", "inactive")}
            print(f"{said}: {len(found)} campaigns in {time.perf_counter() - began:.2f} s: {states}")
        for name in names[:100]:
            for path in (settings.home / "warehouse" / PATH[-1].table.replace(".", "/")).glob(f"*{name}*"):
                shutil.rmtree(path)
        began = time.perf_counter()
        later = datetime.fromtimestamp(time.time() + 3600, UTC)
        found = verdicts(settings, archive_of(settings), warehouse_of(settings), load_freshness(settings), later)
        print(f"100 not routed: {time.perf_counter() - began:.2f} s: {sum(each.state == 'stale' for each in found)} stale")


def _one_campaign(settings: Settings) -> None:
    from lead_assets.cli.pipeline import run

    leads = "".join(
        f'{{"email": "p{n}@company{n % 20}.example", "company": "Company {n % 20}", "title": "CTO", "full_name": "Ada Byron"}}\n'
        for n in range(100)
    )
    ingest(
        archive_of(settings),
        leads.encode(),
        name="c.ndjson",
        received_at=datetime.now(UTC),
        campaign="c00000",
        limits=DropLimits(1 << 20),
    )
    run(settings, campaigns=["c00000"])


if __name__ == "__main__":
    main()

"""Another process of the tests: `python -m lead_assets_tests.ledger.worker TASK URL FOLDER`. Waits for FOLDER/go, does its task, prints JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lead_assets.ledger import Ledger, Reply, Want, purchase
from lead_assets_tests.ledger.owners import leads, to
from lead_assets_tests.ledger.vendor import Vendor, wants


def share(ledger: Ledger, folder: Path) -> Any:
    """Buy what everybody else buys, too."""
    vendor = Vendor(delay=0.02)
    result = purchase(ledger, wants(50), vendor, batch_size=7)
    return {"asked": vendor.asked, "found": sum(answer.state == "found" for answer in result.answers.values())}


def hang(ledger: Ledger, folder: Path) -> Any:
    """Send a request whose answer never comes."""

    async def call(batch: Sequence[Want]) -> list[Reply]:
        (folder / "calling").touch()
        await asyncio.sleep(60)
        return []

    return purchase(ledger, wants(3), call).bought


def assign(ledger: Ledger, folder: Path) -> Any:
    offered = leads(40)
    ledger.route(offered, to(offered, str(os.getpid())), ("digest", "{}"))
    return {key: assignment.owner for key, assignment in ledger.assigned([lead.account_key for lead in offered]).items()}


def migrate(ledger: Ledger, folder: Path) -> Any:
    ledger.open()
    return len(ledger.budgets())


def main() -> None:
    task, url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    (folder / f"ready-{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.005)
    print(json.dumps({"share": share, "hang": hang, "assign": assign, "migrate": migrate}[task](Ledger(url), folder)))


if __name__ == "__main__":
    main()

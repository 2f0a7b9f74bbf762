"""How fast the service is on loopback, against docs' figures: the receiver (leads per second on one worker; times at 500 requests per second), `/enrich` whose
answers are all in the ledger (20 senders at once), `/score_lead`.

`python -m benchmarks.service_speed [receive|enrich|score]`. The server is a process of its own with one worker, started as a user starts it; the senders are
this process: plain sockets, because a full client would take more time than the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import build
from lead_assets.lookalike.index_files import save
from lead_assets.sandbox import start

SECONDS = 5.0
PER_SECOND = 500
CONNECTIONS = 64
ENRICHED, AT_ONCE = 100, 20
READ_AHEAD_SECONDS = 3.0
"""What a service that has just started takes to read tables and rules."""


class Connection:
    """One keep-alive connection that sends JSON and waits for the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = f"Host: loopback\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        self._writer.write(f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return int(head[9:12]), await self._reader.readexactly(length)


@contextlib.asynccontextmanager
async def connections(url: str, key: str, count: int) -> AsyncIterator[list[Connection]]:
    host, _, port = url.removeprefix("http://").partition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    try:
        yield [Connection(reader, writer, key) for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home), "LEAD_ASSETS_SANDBOX_URL": str(settings.sandbox_url)}
    if settings.lookalike_index is not None:
        environment["LEAD_ASSETS_LOOKALIKE_INDEX"] = str(settings.lookalike_index)
    command = [str(Path(sys.executable).parent / "lead-assets"), "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


def lead(number: int) -> dict[str, Any]:
    return {
        "email": f"p{number}@firm{number}.example",
        "full_name": "Ada Lovelace",
        "company": f"Firm {number}",
        "title": "CTO",
        "country": "US",
        "notes": "wants a call about the plan for the second quarter",
    }


def told(name: str, took: list[float]) -> None:
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"{name}: {len(took)} requests, p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms", flush=True)


async def at_once(sockets: Sequence[Connection], path: str, bodies: Sequence[bytes]) -> list[float]:
    """Every connection sends as soon as it has its answer, until all bodies are sent."""
    rest, took = iter(bodies), []

    async def send(socket: Connection) -> None:
        for body in rest:
            began = time.perf_counter()
            status, answer = await socket.post(path, body)
            took.append(time.perf_counter() - began)
            assert status in (200, 202), answer

    await asyncio.gather(*map(send, sockets))
    return took


async def receive(url: str, key: str) -> None:
    async with connections(url, key, CONNECTIONS) as sockets:
        await at_once(sockets, "/webhooks/lead", [json.dumps(lead(n)).encode() for n in range(500)])
        for per_body in (1, 20):
            count = int(SECONDS * (2_000 if per_body == 1 else 300))
            bodies = [json.dumps([lead(per_body * n + m) for m in range(per_body)]).encode() for n in range(count)]
            began = time.perf_counter()
            took = await at_once(sockets, "/webhooks/lead", bodies)
            seconds = time.perf_counter() - began
            told(f"receiver, {CONNECTIONS} senders, {per_body} leads per body: {per_body * count / seconds:,.0f} leads/s", took)
        # Sent when it is time, whether or not the one before was answered; what waits for a connection counts.
        bodies = [json.dumps(lead(n)).encode() for n in range(int(SECONDS * PER_SECOND))]
        free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for socket in sockets:
            free.put_nowait(socket)
        took = []

        async def send(at: float, body: bytes) -> None:
            await asyncio.sleep(at - time.perf_counter())
            socket = await free.get()
            status, answer = await socket.post("/webhooks/lead", body)
            took.append(time.perf_counter() - at)
            free.put_nowait(socket)
            assert status == 202, answer

        began = time.perf_counter() + 0.2
        await asyncio.gather(*(send(began + number / PER_SECOND, body) for number, body in enumerate(bodies)))
        told(f"receiver at {PER_SECOND} requests per second", took)


async def enrich(url: str, key: str, name: str, times: int = 1, *, senders: int = AT_ONCE, first: int = 0, count: int = ENRICHED) -> None:
    bodies = [json.dumps(lead(n)).encode() for n in range(first, first + count)] * times
    async with connections(url, key, senders) as sockets:
        told(f"/enrich, {senders} at once, {name}", await at_once(sockets, "/enrich?max_seconds=600", bodies))


async def score(url: str, key: str) -> None:
    from lead_assets_tests.lookalike.leads import past_leads

    bodies = [json.dumps(row).encode() for row in past_leads(300).drop("email", "is_high_value").to_dicts()]
    async with connections(url, key, 1) as sockets:
        await at_once(sockets, "/score_lead", bodies[:20])
        told("/score_lead, one after the other", await at_once(sockets, "/score_lead", bodies))


def main() -> None:
    wanted = sys.argv[1:] or ["receive", "enrich", "score"]
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
        if "score" in wanted:
            from lead_assets_tests.lookalike.leads import past_leads

            save(build(past_leads(5_000), FeatureSpec(), id_column="customer_id"), Path(folder) / "index")
            settings.lookalike_index = Path(folder) / "index"
        with opened_ledger(settings) as ledger:
            key = ledger.keys.create("benchmark", ["admin"])[1]
        if "enrich" in wanted:
            with served(settings) as url:
                asyncio.run(enrich(url, key, "bought"))
                asyncio.run(enrich(url, key, "bought from a sandbox that answers at once", senders=1, first=10_000, count=40))
        with served(settings) as url:
            time.sleep(READ_AHEAD_SECONDS)
            if "enrich" in wanted:
                asyncio.run(enrich(url, key, "in the ledger, first time in this process"))
                asyncio.run(enrich(url, key, "in the ledger, again", 10))
            if "score" in wanted:
                asyncio.run(score(url, key))
            if "receive" in wanted:
                asyncio.run(receive(url, key))


if __name__ == "__main__":
    main()

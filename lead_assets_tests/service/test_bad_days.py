"""Bad days of a service that runs: the ledger's database is away, thousands hold their connections open, bodies are bombs, the warehouse is rebuilt under a
reader."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import resource
import socket
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import ledger_of, opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.service.receiving import Receiver
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, landed, serving
from lead_assets_tests.service.test_hard_days import process

pytestmark = pytest.mark.slow


class Wire:
    """A TCP proxy to a database at a Unix socket, which can be cut."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._is_cut = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def mend(self) -> None:
        self._is_cut = False

    def _serve(self) -> None:
        while True:
            near, _ = self._listening.accept()
            if self._is_cut:
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self._target)
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def test_what_arrives_while_the_ledgers_database_is_away_is_stored_once(
    settings: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy as sa

    url = sa.make_url(postgres_url)
    wire = Wire(f"{url.query['host']}/.s.PGSQL.{url.port or 5432}")
    through = url.set(host="127.0.0.1", port=wire.port, query={}).render_as_string(hide_password=False)
    monkeypatch.setattr(settings, "ledger_url", SecretStr(through))
    with contextlib.closing(serving(settings)) as started:
        service = next(started)
        sender = service.client("webhook")
        assert sender.post("/webhooks/lead", json={"event_id": "before", "email": "before@away.example"}).status_code == 202
        wire.cut()
        until, number, statuses = time.monotonic() + 20, 0, Counter[int]()
        while time.monotonic() < until:
            # Every event is sent twice: the second one is known, though the ledger cannot be asked.
            for _ in range(2):
                answer = sender.post("/webhooks/lead", json={"event_id": f"e{number}", "email": f"p{number}@away.example"})
                statuses[answer.status_code] += 1
            number += 1
            time.sleep(0.5)
        assert statuses == {202: number, 200: number}
        assert service.client().get("/health").status_code == 200
        wire.mend()
        expected = {f"p{each}@away.example" for each in range(number)} | {"before@away.example"}
        until = time.monotonic() + 60
        while (found := _emails(settings)).keys() != expected:
            assert time.monotonic() < until, f"{len(found)} of {len(expected)} are landed"
            time.sleep(0.2)
        assert set(found.values()) == {1}
        assert sender.post("/webhooks/lead", json={"event_id": "e0", "email": "p0@away.example"}).json()["status"] == "duplicate_ignored"
        # A key that nobody has seen can be looked up again.
        assert service.client("read").get("/ready").status_code == 200


def _emails(settings: Settings) -> Counter[str]:
    return Counter(json.loads(line)["email"] for path in landed(settings) for line in path.read_text().splitlines())


def test_two_receivers_that_get_the_same_event_at_once_land_it_once(settings: Settings) -> None:
    async def received() -> list[bool]:
        receivers = [Receiver(settings, ledger_of(settings)) for _ in range(2)]
        work = [asyncio.create_task(receiver.work()) for receiver in receivers]
        taking = [
            receiver.take(b'{"email": "p%d@two.example"}' % number, source="lead", event_id=f"e{number}")
            for number in range(20)
            for receiver in receivers
        ]
        answers = await asyncio.gather(*taking)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        return [answer.earlier for answer in answers]

    assert not any(asyncio.run(received())), "neither can know of the other's before it is landed"
    assert _emails(settings) == {f"p{number}@two.example": 1 for number in range(20)}


def test_a_body_written_but_not_answered_is_there_once_when_it_is_sent_again(settings: Settings) -> None:
    async def killed() -> None:
        receiver = Receiver(settings, ledger_of(settings))
        work = asyncio.create_task(receiver.work())
        taking = asyncio.create_task(receiver.take(b'{"email": "once@killed.example"}', source="lead", event_id="e1"))
        while not any(path.stat().st_size for path in (settings.home / "receiving").glob("*.open")):
            await asyncio.sleep(0)
        # What a kill does: the answer is not given, and the lock is gone. The journal is on the disk.
        taking.cancel()
        work.cancel()
        assert receiver._journal is not None
        receiver._journal.close()
        receiver._journal = None
        await asyncio.gather(work, return_exceptions=True)

    async def again() -> bool:
        receiver = Receiver(settings, ledger_of(settings))
        work = asyncio.create_task(receiver.work())
        while list((settings.home / "receiving").glob("*.open")):
            await asyncio.sleep(0.02)
        answer = await receiver.take(b'{"email": "once@killed.example"}', source="lead", event_id="e1")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return answer.earlier

    asyncio.run(killed())
    assert asyncio.run(again())
    assert _emails(settings) == {"once@killed.example": 1}


def test_ten_thousand_connections_that_say_nothing_keep_nobody_out(settings: Settings) -> None:
    with opened_ledger(settings) as ledger:
        key = ledger.keys.create("sender", ["webhook"])[1]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 10_500, "this machine allows too few open files"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held: list[socket.socket] = []
    try:
        with process(settings) as (_, url):
            host, _, port = url.removeprefix("http://").partition(":")
            for number in range(10_000):
                held.append(socket.create_connection((host, int(port))))
                if number % 2:
                    held[-1].sendall(b"POST /webhooks/lead HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            answer = httpx.post(f"{url}/webhooks/lead", json={"email": "in@time.example"}, headers={"X-API-Key": key}, timeout=30)
            assert answer.status_code == 202
            # Those that do not go on are closed.
            held[-1].settimeout(30)
            assert held[-1].recv(1) == b""
            held[-2].settimeout(30)
            assert held[-2].recv(1) == b""
            assert httpx.get(f"{url}/health", timeout=30).status_code == 200
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Handle) -> Iterator[Service]:
    yield from serving(Settings(home=tmp_path_factory.mktemp("bad") / "home", sandbox_url=sandbox_of_module.url))


def test_a_hundred_megabytes_are_refused_before_they_are_read(running: Service) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1_600):
            yield b" " * 65_536

    sender = running.client("webhook")
    began = time.monotonic()
    for body in (b" " * (100 << 20), endless()):
        with contextlib.suppress(httpx.WriteError):  # the service hung up while we were still sending
            assert sender.post("/webhooks/lead", content=body).status_code == 413
    assert time.monotonic() - began < 60
    assert sender.post("/webhooks/lead", json={"email": "after@large.example"}).status_code == 202


def test_a_zip_bomb_is_a_reject_and_the_service_goes_on(running: Service) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb, bomb.open("leads.csv", "w", force_zip64=True) as file:
        for _ in range(1_024):
            file.write(b"\0" * (1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = running.client("webhook").post("/webhooks/lead", content=packed.getvalue(), headers={"Content-Type": "application/zip"})
    assert answer.status_code in (422, 202), answer.text
    assert answer.json().get("leads", 0) == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10, "the bomb was unpacked"
    assert running.client("webhook").post("/webhooks/lead", json={"email": "after@bomb.example"}).status_code == 202


def test_pages_are_whole_while_the_warehouse_is_rebuilt(running: Service) -> None:
    warehouse = warehouse_of(running.settings)
    warehouse.prepare()
    leads = rows(Lead, [{"campaign_id": "r1", "lead_id": f"R{number:03}", "company": "Acme"} for number in range(200)])
    warehouse.write(Lead, leads, ["r1"])
    ended = threading.Event()

    def rebuild() -> None:
        while not ended.is_set():
            warehouse.write(Lead, leads, ["r1"])

    thread = threading.Thread(target=rebuild)
    thread.start()
    try:
        reader = running.client("read")
        for _ in range(5):
            seen: list[str] = []
            cursor: Any = None
            while True:
                query = {"campaign_id": "r1", "sort": "lead_id", "descending": False, "limit": 60} | ({"cursor": cursor} if cursor else {})
                page = reader.get("/api/v1/leads", params=query)
                assert page.status_code == 200, page.text
                seen += [item["lead_id"] for item in page.json()["items"]]
                cursor = page.json()["next_cursor"]
                if cursor is None:
                    break
            assert seen == [f"R{number:03}" for number in range(200)]
    finally:
        ended.set()
        thread.join()

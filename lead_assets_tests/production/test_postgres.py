"""Ledger failures on a real Postgres: all connections taken, and a database set to serializable. `test_deployed` covers a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa

from lead_assets.ledger import Ledger, purchase
from lead_assets_tests.ledger.vendor import Vendor, want, wants


@pytest.fixture
def ledgers(postgres_url: str) -> Iterator[list[Ledger]]:
    """Two, as two processes have them."""
    opened = [Ledger(postgres_url), Ledger(postgres_url)]
    yield opened
    for ledger in opened:
        ledger.close()


def _taken(url: str) -> list[psycopg.Connection]:
    """Every connection that the server gives to anybody."""
    held: list[psycopg.Connection] = []
    try:
        while True:
            held.append(psycopg.connect(url))
    except psycopg.OperationalError:
        return held


def test_a_server_without_a_free_connection_is_waited_for(postgres_url: str, ledgers: list[Ledger]) -> None:
    ledgers[0].open()
    ledgers[0].close()
    held = _taken(postgres_url)
    assert len(held) > 50
    release = threading.Timer(1.0, lambda: [connection.close() for connection in held])
    release.start()
    vendor = Vendor()
    result = purchase(ledgers[1], wants(5), vendor)
    release.join()
    assert {answer.state for answer in result.answers.values()} == {"found"}
    assert set(vendor.asked.values()) == {1}


def test_more_threads_than_the_pool_has_connections_wait_for_one(ledgers: list[Ledger]) -> None:
    vendor = Vendor(delay=0.05)
    with ThreadPoolExecutor(80) as pool:
        results = list(pool.map(lambda n: purchase(ledgers[0], [want(f"c{n}.example")], vendor), range(80)))
    assert all(result.bought == 1 for result in results)
    assert set(vendor.asked.values()) == {1}


def test_a_serialization_failure_is_tried_again_and_money_stays_exact(postgres_url: str, ledgers: list[Ledger]) -> None:
    """A database whose default is serializable refuses transactions that read what another has changed since: they are made again, once each."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'")
    ledgers[0].set_budget("total", 30 * 10_000, period="all")
    vendor = Vendor(delay=0.002)
    refused: list[str] = []

    def note(context: sa.ExceptionContext) -> None:
        refused.extend([state] if (state := getattr(context.original_exception, "sqlstate", None)) == "40001" else [])

    def buy(number: int) -> None:
        mine = [want(f"c{(number * 7 + n) % 40}.example") for n in range(20)]
        purchase(ledgers[number % 2], mine, vendor, batch_size=2, concurrency=2)

    sa.event.listen(sa.Engine, "handle_error", note)
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(buy, range(6)))
    finally:
        sa.event.remove(sa.Engine, "handle_error", note)
    (budget,) = ledgers[0].budgets()
    assert (budget.spent_micros, budget.reserved_micros, budget.uncertain_micros) == (300_000, 0, 0)
    assert len(vendor.asked) == 30
    assert set(vendor.asked.values()) == {1}
    assert refused, "the test shows nothing if no transaction was refused"

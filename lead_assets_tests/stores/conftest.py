"""Both warehouses under one name, so that one suite holds both to the same promises."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse
from lead_assets_tests.stores.fake import FakeAccount
from lead_assets_tests.stores.proxy import Cut, Proxy, Request


@dataclass(frozen=True)
class Store:
    """A warehouse, and what a test needs beside it."""

    kind: str
    warehouse: Warehouse
    another: Callable[[], Warehouse]
    """The same tables as another process would open them."""
    rows: Callable[[str], list[tuple[Any, ...]]]
    """An analyst's query, in the SQL that both share."""
    failing: Callable[[], contextlib.AbstractContextManager[None]]
    """While the block lasts, writing fails when it is half done."""


@pytest.fixture
def snowflake(account: FakeAccount, wire: Proxy) -> Iterator[SnowflakeWarehouse]:
    """A database of its own, reached over `wire`."""
    warehouse = SnowflakeWarehouse(account.settings(snowflake_url=wire.url, snowflake_network_timeout_seconds=1), retry_wait=0.05)
    yield warehouse
    wire.rule = lambda request: None
    warehouse.close()


@pytest.fixture(params=["duckdb", "snowflake"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "duckdb":
        return _duckdb(tmp_path / "warehouse")
    return _snowflake(request.getfixturevalue("snowflake"), request.getfixturevalue("wire"), request.getfixturevalue("account"))


def _duckdb(folder: Path) -> Store:
    warehouse = DuckDBWarehouse(folder)

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(warehouse.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))  # as on a full disk, no file grows further
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return Store("duckdb", warehouse, lambda: DuckDBWarehouse(folder), rows, failing)


def _snowflake(warehouse: SnowflakeWarehouse, wire: Proxy, account: FakeAccount) -> Store:
    settings = account.settings(snowflake_database=warehouse.database)

    @contextlib.contextmanager
    def failing() -> Iterator[None]:
        wire.rule = _cut_after_delete()
        try:
            yield
        finally:
            wire.rule = lambda request: None

    return Store("snowflake", warehouse, lambda: SnowflakeWarehouse(settings), warehouse.ask, failing)


def _cut_after_delete() -> Callable[[Request], dict[str, Any] | None]:
    deleted = False

    def rule(request: Request) -> dict[str, Any] | None:
        nonlocal deleted
        if deleted and request.sql and not request.sql.startswith("ROLLBACK"):
            raise Cut
        deleted = deleted or request.sql.startswith("DELETE")
        return None

    return rule

"""The ledger's other registers, its schema and how it opens."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from lead_assets.core.errors import ProviderError
from lead_assets.ledger import Ledger, Rate, WorldError, purchase
from lead_assets.ledger import database as database_module
from lead_assets.ledger.schema import HEAD, VERSION_TABLE, metadata
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.test_many import Workers
from lead_assets_tests.ledger.vendor import Vendor, want, wants


def test_importing_the_ledger_loads_no_database() -> None:
    heavy = "sqlalchemy,alembic,polars,psycopg"
    code = f"import sys, lead_assets.ledger.ledger, lead_assets.ledger.buying; print([m for m in '{heavy}'.split(',') if m in sys.modules])"
    # The vocabulary of contracts brings polars along; nothing else may come.
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "sqlalchemy" not in loaded
    assert "psycopg" not in loaded


def test_two_processes_migrate_a_fresh_database_at_once(url: str, tmp_path: Path) -> None:
    workers = Workers(url, tmp_path)
    try:
        workers.start("migrate", 2)
        workers.go()
        assert workers.results() == [0, 0]
    finally:
        workers.kill()


def test_migrations_end_where_the_code_begins(ledger: Ledger) -> None:
    folder = Path(database_module.__file__).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]

    def differences(tx: database_module.Tx) -> object:
        context = MigrationContext.configure(tx.connection, opts={"version_table": VERSION_TABLE})
        return compare_metadata(context, metadata)

    assert ledger._db.read(differences) == []

    def keys(tx: database_module.Tx) -> dict[str, object]:
        found = sa.inspect(tx.connection)
        return {name: found.get_pk_constraint(name)["constrained_columns"] for name in metadata.tables}

    # Alembic does not compare these.
    assert ledger._db.read(keys) == {name: [column.name for column in table.primary_key] for name, table in metadata.tables.items()}
    if not ledger._db.postgres:
        made = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%WITHOUT ROWID%'"
        without = {name for (name,) in ledger._db.read(lambda tx: tx.connection.exec_driver_sql(made).all())}
        assert without == {name for name, table in metadata.tables.items() if table.dialect_options["sqlite"]["with_rowid"] is False}


def test_a_ledger_of_a_newer_release_is_left_alone(ledger: Ledger, url: str) -> None:
    ledger._db.write(lambda tx: tx.connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(RuntimeError, match="newer release"):
        Ledger(url).open()


def test_a_ledger_that_no_other_process_could_share_is_refused() -> None:
    with pytest.raises(ValueError, match="LEAD_ASSETS_LEDGER_URL"):
        Ledger("sqlite://").open()
    with pytest.raises(ValueError, match="mysql"):
        Ledger("mysql://localhost/x").open()


def test_made_up_answers_and_real_ones_never_share_a_ledger(ledger: Ledger) -> None:
    assert ledger.world() is None
    ledger.bind_world("sandbox")
    ledger.bind_world("sandbox")
    with pytest.raises(WorldError, match="LEAD_ASSETS_HOME"):
        ledger.bind_world("live")
    assert ledger.world() == "sandbox"


def test_suppressions_keep_their_first_reason(timed: Ledger, clock: Clock) -> None:
    timed.suppress("email", "aa", "asked on the phone")
    first = clock.time
    clock.pass_by(timedelta(days=1))
    timed.suppress("email", "aa", "vendor 451")
    timed.suppress_all([("domain", "bb", "competitor")])
    assert timed.suppressions().rows() == [("domain", "bb", "competitor", clock.time), ("email", "aa", "asked on the phone", first)]
    assert timed.suppressions().schema.names() == ["kind", "value_hash", "reason", "suppressed_at"]


def test_costs_add_up_by_whatever_is_asked(timed: Ledger, clock: Clock) -> None:
    purchase(timed, wants(3), Vendor())
    mark = timed.last_call()
    clock.pass_by(timedelta(days=1))
    purchase(timed, wants(2, campaign="fall", provider="apollo"), Vendor(cost=1))
    purchase(timed, [want("free", campaign="fall")], Vendor(cost=0))
    assert timed.costs(["provider"]).select("provider", "answers", "calls", "usd").rows() == [
        ("apollo", 2, 2, Decimal("0.000002")),
        ("pipe0", 4, 3, Decimal("0.030000")),
    ]
    assert timed.costs(["day"]).select("day", "calls").rows() == [("2026-11-20", 3), ("2026-11-21", 2)]
    assert timed.costs(["campaign"], campaigns=["fall"]).select("campaign_id", "answers").rows() == [("fall", 3)]
    assert timed.costs([]).select("usd").item() == Decimal("0.030002")
    assert timed.billed(since=mark) == timed.billed(campaigns=["fall"]) == {"calls": 2, "usd": Decimal("0.000002"), "uncertain_calls": 0}
    assert timed.billed(campaigns=["winter"])["calls"] == 0
    purchase(timed, [want("down")], Vendor(*[ProviderError("pipe0", "pipe0.overview", "contract", "no JSON", status=200)] * 2))
    assert timed.costs(["provider", "state", "reason"]).select("provider", "state", "reason", "answers", "calls").rows() == [
        ("apollo", "found", "", 2, 2),
        ("pipe0", "found", "", 4, 3),
        ("pipe0", "unknown", "bad_answer", 1, 0),
        ("pipe0", "unknown", "uncertain", 0, 0),
    ]
    with pytest.raises(ValueError, match="weekday"):
        timed.costs(["weekday"])  # type: ignore[list-item]


def test_two_ledgers_on_one_database_share_a_rate(url: str, clock: Clock) -> None:
    ours, theirs = Ledger(url, clock), Ledger(url, clock)
    rates = [Rate(2, 1.0)]
    began, step = clock.time, rates[0].interval
    due = [ledger.reserve_slots("pipe0", rates) for ledger in (ours, theirs, ours, theirs)]
    assert [(moment - began).total_seconds() for moment in due if moment] == pytest.approx([0.0, step, 2 * step, 3 * step], abs=1e-5)
    assert ours.reserve_slots("apollo", rates) == began
    # More than one is willing to wait: no slot is taken.
    assert ours.reserve_slots("pipe0", rates, most=0.1) is None
    next_due = theirs.reserve_slots("pipe0", rates)
    assert next_due is not None
    assert (next_due - began).total_seconds() == pytest.approx(4 * step, abs=1e-5)
    theirs.penalise("pipe0", began + timedelta(minutes=1))
    assert ours.reserve_slots("pipe0", rates) == began + timedelta(minutes=1)
    assert ours.blocked_for("pipe0") == 60.0
    ours.close()
    theirs.close()

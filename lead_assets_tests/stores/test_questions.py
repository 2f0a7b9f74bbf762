"""An analyst's query reads tables and nothing else, and shows personal data only when asked to; the same on both warehouses."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from lead_assets.contracts import TABLES, EnrichmentEvent, Lead
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.questions import QuestionError, ask, checked, masked_view
from lead_assets_tests.rows import rows
from lead_assets_tests.stores.conftest import Store
from lead_assets_tests.stores.frames import full

SECRETS = {"email": "ana@acme.example", "full_name": "Ana Silva", "phone": "+49 30 1234", "notes": "call me", "extra": '{"x":"Ana"}'}


@pytest.fixture
def asked(store: Store) -> Store:
    leads = [{"campaign_id": "a", "lead_id": "1", "company": "Acme", **SECRETS}, {"campaign_id": "a", "lead_id": "2", "company": "Bolt"}]
    store.warehouse.write(Lead, rows(Lead, leads), ["a"])
    return store


def test_personal_data_is_masked_unless_it_is_asked_for(asked: Store) -> None:
    sql = "SELECT lead_id, email, full_name, phone, notes, extra, company FROM identity.leads ORDER BY lead_id"
    first, second = ask(asked.warehouse, sql).rows()
    assert first == ("1", "***@acme.example", "***", "***", "***", '"***"', "Acme")
    assert second[1:5] == (None, None, None, None)
    shown = ask(asked.warehouse, sql, pii=True).rows(named=True)[0]
    assert {name: shown[name] for name in SECRETS} == SECRETS


def test_what_is_masked_is_masked_in_conditions_and_joins_too(asked: Store) -> None:
    assert ask(asked.warehouse, "SELECT lead_id FROM identity.leads WHERE full_name LIKE 'Ana%'").is_empty()
    joined = "SELECT l.lead_id, other.email FROM identity.leads AS l JOIN identity.leads AS other ON other.lead_id = l.lead_id AND l.lead_id = '1'"
    assert ask(asked.warehouse, joined).rows() == [("1", "***@acme.example")]
    assert ask(asked.warehouse, "WITH x AS (SELECT identity.leads.email FROM identity.leads) SELECT MAX(email) AS e FROM x").rows() == [
        ("***@acme.example",)
    ]
    assert ask(asked.warehouse, "SELECT email FROM masked.identity_leads WHERE lead_id = '1'", pii=True).rows() == [("***@acme.example",)]


def test_a_limit_is_that_of_the_query_if_it_has_one(asked: Store) -> None:
    assert ask(asked.warehouse, "SELECT lead_id FROM identity.leads ORDER BY 1", limit=1).rows() == [("1",)]
    assert ask(asked.warehouse, "SELECT lead_id FROM identity.leads ORDER BY 1 LIMIT 2", limit=1).height == 2


def test_a_query_that_the_warehouse_refuses_says_why(asked: Store) -> None:
    with pytest.raises(QuestionError, match=r"(?i)the query failed: .*e_mail.*: tables and columns are in docs/TABLES.md"):
        ask(asked.warehouse, "SELECT e_mail FROM identity.leads")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DROP TABLE identity.leads", "not one SELECT"),
        ("SELECT 1 FROM identity.leads; SELECT 2 FROM identity.leads", "not one SELECT"),
        ("COPY identity.leads TO '/tmp/x'", "not one SELECT"),
        ("SELEC 1", "write one SELECT|not one SELECT"),
        ("SELECT 1", "reads no table"),
        ("SELECT * FROM identity.lead", r"no table 'identity.lead' \(did you mean 'identity.leads'\?\)"),
        ("SELECT * FROM read_text('/etc/passwd')", "not files or functions"),
        ("SELECT * FROM '/etc/passwd'", "no table"),
        ('SELECT (WITH "/etc/passwd" AS (SELECT 1) SELECT 1) FROM "/etc/passwd"', "name it with letters"),
        ("SELECT * FROM identity.leads WHERE lead_id IN (SELECT content FROM read_text('/etc/passwd'))", "not files or functions"),
        ("SELECT * FROM duckdb_settings()", "not files or functions"),
        ("SELECT * FROM information_schema.tables", "no table"),
    ],
)
def test_only_the_projects_tables_are_read(sql: str, says: str) -> None:
    for pii in (False, True):
        with pytest.raises(QuestionError, match=says):
            checked(sql, pii=pii)


def test_every_table_has_a_masked_view_without_any_personal_data(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    for contract in TABLES.values():
        key = {"campaign": "a", "day": "2026-02-28", "home": "all"}[contract.grain]
        warehouse.write(contract, full(contract, key), [key])
    with duckdb.connect(str(warehouse.database), read_only=True) as connection:
        for contract in TABLES.values():
            found = connection.execute(f"SELECT * FROM {masked_view(contract)}").fetchall()[0]
            plain = connection.execute(f"SELECT * FROM {contract.table}").fetchall()[0]
            for column, masked, value in zip(contract.columns(), found, plain, strict=True):
                if column.pii:
                    assert str(masked).strip('"') in ("***", "['***']"), f"{contract.table}.{column.name}"
                else:
                    assert masked == value


def test_an_event_is_masked_as_a_whole(store: Store) -> None:
    event = json.dumps({"lead": {"email": "ana@acme.example"}})
    store.warehouse.write(EnrichmentEvent, rows(EnrichmentEvent, [{"campaign_id": "a", "event": event}]), ["a"])
    assert ask(store.warehouse, "SELECT event FROM delivery.enrichment_events").rows() == [('"***"',)]

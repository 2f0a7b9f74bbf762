"""`lead-assets sql` and `show`: rows for people, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from lead_assets.contracts import TABLES, Lead, Score
from lead_assets.core.project_files import project_file
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.conftest import Command
from lead_assets_tests.rows import rows
from lead_assets_tests.stores.frames import scores


@pytest.fixture
def filled(home: Path) -> Path:
    warehouse = DuckDBWarehouse(home / "warehouse")
    warehouse.write(Score, scores("a", 120), ["a"])
    warehouse.write(Lead, rows(Lead, [{"campaign_id": "a", "lead_id": "1", "email": "ana@acme.example", "title": "[bold]=1+1"}]), ["a"])
    return home


def test_a_query_prints_rows_for_people_and_one_object_for_programs(command: Command, filled: Path) -> None:
    sql = "SELECT tier, COUNT(*) AS leads, AVG(score) AS mean FROM scoring.scores GROUP BY tier"
    assert command("sql", sql, "--json").answer() == {
        "columns": ["tier", "leads", "mean"],
        "rows": [{"tier": "warm", "leads": 120, "mean": pytest.approx(42.833333)}],
        "count": 1,
        "more": False,
    }
    printed = command("sql", sql).stdout
    assert "tier" in printed
    assert "120" in printed
    assert list(csv.reader(io.StringIO(command("sql", sql, "--csv").stdout)))[1][:2] == ["warm", "120"]


def test_a_query_may_begin_with_a_comment_as_the_questions_files_do(command: Command, filled: Path) -> None:
    (path,) = (project_file("sql") / "analyst").glob("19_*.sql")
    assert path.read_text().startswith("-- ")
    assert command("sql", path.read_text(), "--json").answer()["columns"] == ["seniority", "department", "leads", "mean_score", "hot"]
    assert command("sql", "-- a = b\nSELECT lead_id FROM scoring.scores", "--limit", "2", "--json").answer()["count"] == 2
    assert command("sql", "SELECT lead_id FROM scoring.scores", "--limt", "2").code == 2


def test_people_see_the_first_rows_and_programs_all(command: Command, filled: Path) -> None:
    sql = "SELECT lead_id FROM scoring.scores"
    assert "the first 100 rows" in command("sql", sql).stdout
    assert command("sql", sql, "--json").answer()["count"] == 120
    some = command("sql", sql, "--json", "--limit", "7").answer()
    assert (some["count"], some["more"]) == (7, True)
    assert command("show", "scoring.scores", "--json", "--limit", "0").answer()["count"] == 120


def test_a_table_is_shown_masked_and_text_is_only_text(command: Command, filled: Path) -> None:
    shown = command("show", "identity.leads").stdout
    assert "***@acme.example" in shown
    assert "ana@" not in shown
    assert "[bold]=1+1" in shown
    assert "ana@acme.example" in command("show", "identity.leads", "--pii").stdout
    assert "'=" not in command("sql", "SELECT title FROM identity.leads", "--csv").stdout
    assert "'=1+1" in command("sql", "SELECT SUBSTR(title, 7) AS title FROM identity.leads", "--csv").stdout


def test_show_without_a_table_lists_all_with_their_rows(command: Command, filled: Path) -> None:
    listed = {row["table"]: row["rows"] for row in command("show", "--json").answer()["tables"]}
    assert set(listed) == set(TABLES)
    assert (listed["scoring.scores"], listed["routing.decisions"]) == (120, 0)
    assert "scoring.scores" in command("show").stdout


def test_a_wrong_word_says_what_was_meant(command: Command, filled: Path) -> None:
    wrong = command("show", "scoring.score")
    assert (wrong.code, "did you mean 'scoring.scores'" in wrong.stderr) == (2, True)
    wrong = command("sql", "SELECT * FROM scoring.score", "--json")
    assert (wrong.code, "did you mean 'scoring.scores'" in wrong.stderr) == (1, True)
    assert command("sql", "DELETE FROM scoring.scores").code == 1
    assert "no rows; columns: owner" in command("sql", "SELECT owner FROM routing.decisions").stdout


def test_lineage_is_answered_in_both_directions_through_to_the_marts_and_the_archive(command: Command) -> None:
    told = command("lineage", "routing.decisions.owner", "--json").answer()
    assert {"column": "routing.decisions.owner", "source": "ledger.assignments", "distance": 1} in told["upstream"]
    above, below = ({link["source"] for link in told["upstream"]}, {link["column"] for link in told["downstream"]})
    assert {"identity.leads.country_code", "intake.raw_leads.country", "archive.drops"} <= above
    assert "delivery.enrichment_events.event" in below
    email = {link["column"] for link in command("lineage", "intake.raw_leads.email", "--json").answer()["downstream"]}
    assert {"identity.leads.email_normalized", "marts.duplicates_across_campaigns.matched_on"} <= email
    printed = command("lineage", "marts.campaign_scorecard.usd_per_lead").stdout
    assert "marts.campaign_funnel.cost_usd" in printed
    assert "signals.enriched_leads.signals_cost_usd" in printed
    assert "what is made from it: nothing" in printed


def test_a_column_that_does_not_exist_says_what_was_meant(command: Command) -> None:
    wrong = command("lineage", "routing.decisions.ower")
    assert (wrong.code, "did you mean 'owner'" in wrong.stderr) == (2, True)
    assert "did you mean 'routing.decisions'" in command("lineage", "routing.decision.owner").stderr

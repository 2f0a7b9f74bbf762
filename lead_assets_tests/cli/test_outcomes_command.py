"""`lead-assets outcomes import`, and the table that the next run makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.contracts import LeadOutcome
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.conftest import Command

DEALS = "Deal Stage;Contact Email;Close Date\nClosed Won;jane@rioplata.example;2026-11-20\nPixie dust;joe@x.example;\nLost;zoe@z.example;2026-11-21\n"


def test_a_file_is_read_first_and_stored_once(command: Command, tmp_path: Path, home: Path) -> None:
    file = tmp_path / "deals.csv"
    file.write_text(DEALS)
    tried = command("outcomes", "import", str(file), "--dry-run", "--json").answer()
    assert (tried["status"], tried["won"], tried["lost"], tried["unread"]) == ("dry_run", 1, 1, 1)
    assert tried["stages_not_known"] == {"Pixie dust": 1}
    archive = archive_of(Settings(home=home))
    assert archive.outcomes() == []
    assert [command("outcomes", "import", str(file), "--json").answer()["status"] for _ in range(2)] == ["stored", "already_stored"]
    assert [receipt.name for receipt in archive.outcomes()] == ["deals.csv"]
    assert "rules/outcomes.yaml" in command("outcomes", "import", str(file)).stdout


def test_a_file_without_an_outcome_is_refused_with_the_next_step(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Contact Email,Name\na@a.example,A\n")
    done = command("outcomes", "import", str(file))
    assert done.code == 1
    assert "--map stage=COLUMN" in done.stderr.replace("\n", " ")


@pytest.mark.slow
def test_the_next_run_matches_it_to_the_leads(command: Command, tmp_path: Path, home: Path, sandbox: Handle) -> None:
    (tmp_path / "deals.csv").write_text(DEALS)
    leads = tmp_path / "leads.csv"
    leads.write_text("email,full name,outcome,closed at\njane@rioplata.example,Jane Doe,,\nabe@arbor.example,Abe Roe,lost,2026-10-01\n")
    command("ingest", str(leads), "--campaign", "autumn", "--json").answer()
    command("outcomes", "import", str(tmp_path / "deals.csv"), "--json").answer()
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    table = warehouse_of(Settings(home=home)).read(LeadOutcome).sort("outcome", "source")
    assert table.select("outcome", "source", "matched_on").rows() == [
        ("lost", "file", None),
        ("lost", "lead", "payload"),
        ("won", "file", "email"),
    ]
    # Who is won or lost is open no longer, for the owner who was given the lead in the same run.
    with opened_ledger(Settings(home=home)) as ledger:
        assert ledger.routed(["autumn"])["closed_at"].null_count() == 0
    # A payload that came later opens one again.
    leads.write_text("email,full name,outcome,closed at\nabe@arbor.example,Abe Roe,open,2026-11-02\n")
    command("ingest", str(leads), "--campaign", "autumn", "--json").answer()
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    with opened_ledger(Settings(home=home)) as ledger:
        assert ledger.routed(["autumn"])["closed_at"].null_count() == 1

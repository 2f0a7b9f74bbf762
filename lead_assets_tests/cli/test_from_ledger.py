"""`run --from-ledger`: a rebuild or backfill that must cost nothing, whatever the age of the answers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from lead_assets.core.project_files import project_file
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "three.ndjson"
    names = [("Ada", "Moss"), ("Ben", "Okafor"), ("Cleo", "Lindt")]
    leads = [
        {"email": f"{first.lower()}@firm-{n}.example", "company": f"Firm {n}", "full_name": f"{first} {last}", "country": "Germany"}
        for n, (first, last) in enumerate(names)
    ]
    path.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
    return path


@pytest.mark.slow
def test_a_rebuild_from_the_ledger_buys_nothing_though_all_is_out_of_date_and_gives_the_same_rows(
    command: Command, drop: Path, home: Path, tmp_path: Path, sandbox: Handle
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    shipped = (project_file("lead_assets") / "rules" / "signals.yaml").read_text()
    # Nothing stays fresh; so job_postings, which needs the organization's answer too, would have it bought twice in the first run.
    at_once = re.sub(r"found: \d+[dhm]", "found: 0s", shipped).replace("  job_postings:\n", "  job_postings:\n    enabled: false\n")
    rules.joinpath("signals.yaml").write_text(at_once)
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    first = command("run", "--all", "--json", sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(rules)).answer()
    assert first["billed"]["calls"] > 0
    # Every signal would be bought again now.
    assert command("estimate", "--all", "--json", sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(rules)).answer()["calls"] > 0
    sandbox.reset()
    shutil.rmtree(home / "warehouse")
    rebuilt = command("run", "--all", "--from-ledger", "--json", sandbox_url=sandbox.url, LEAD_ASSETS_RULES_DIR=str(rules)).answer()
    assert (rebuilt["billed"]["calls"], sandbox.meter()) == (0, {})
    assert rebuilt["tables"] == first["tables"]


@pytest.mark.slow
def test_what_the_ledger_lacks_is_unknown_and_says_why(command: Command, drop: Path, sandbox: Handle) -> None:
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    said = command("run", "--all", "--from-ledger", "--json", sandbox_url=sandbox.url).answer()
    assert sandbox.meter() == {}
    assert (said["billed"]["calls"], said["campaigns"][0]["classified"], said["campaigns"][0]["routed"]) == (0, 3, 3)
    overview = json.loads(command("export", "signals.company_overview", "--format", "json").stdout)
    assert [(row["state"], row["reason"], row["provider"]) for row in overview] == [("unknown", "not_bought", None)] * 3
    classified = json.loads(command("export", "classification.classifications", "--format", "json").stdout)
    assert {row["fallback_reason"] for row in classified} == {"not_bought"}

"""`lead-assets refresh`: buys older answers again, once per subject, and materializes dependent tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command


@pytest.mark.slow
def test_what_is_older_is_bought_anew_and_shows_in_the_tables(command: Command, tmp_path: Path, sandbox: Handle) -> None:
    path = tmp_path / "three.ndjson"
    lead = {"company": "Firm", "full_name": "Jane Doe"}
    path.write_text("".join(json.dumps(lead | {"email": f"p{n}@firm{n // 2}.example"}) + "\n" for n in range(3)))
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    before = json.loads(command("export", "signals.news", "--format", "json").stdout)
    sandbox.reset()

    young = command("refresh", "--signal", "news", "--older-than", "1d", "--json", sandbox_url=sandbox.url).answer()
    assert (young["bought"], young["ledger_hits"], young["run_ids"], sandbox.meter()) == (0, 2, [], {})

    said = command("refresh", "--signal", "news", "--older-than", "0s", "--campaign", "c", "--json", sandbox_url=sandbox.url).answer()
    assert (said["subjects"], said["bought"], said["usd"], said["campaigns"]) == (2, 2, 0.06, ["c"])
    # Nothing but the news: the model is shown the same facts, so it is not asked again.
    assert {name: entry["billed"] for service in sandbox.meter().values() for name, entry in service.items() if entry["billed"]} == {
        "company:newssummary:website@1": 2
    }
    after = json.loads(command("export", "signals.news", "--format", "json").stdout)
    assert [row["as_of"] > old["as_of"] for row, old in zip(after, before, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--signal", "weather", "--older-than", "7d"], 2, "no signal 'weather': use one of company_overview"),
        (["--signal", "news", "--older-than", "a week"], 2, "a whole number and a unit"),
        (["--signal", "news", "--older-than", "7d", "--campaign", "x"], 2, "campaign 'x' has no leads in the archive"),
    ],
)
def test_errors_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command("refresh", *arguments)
    assert (done.code, says in " ".join(done.stderr.replace("│", " ").split())) == (code, True), done.stderr

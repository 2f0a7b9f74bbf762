"""The command line: exit codes, one JSON object on stdout, errors that say what to do, and no personal data or keys in any of it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from lead_assets.cli import show
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import Command

LEAD = {"email": "jane.doe@acme.example", "company": "Acme", "full_name": "Jane Doe", "title": "VP Sales", "country": "Germany"}


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "leads.ndjson"
    path.write_text(json.dumps(LEAD) + "\n" + '{"email": "broken' + "\n")
    return path


@pytest.fixture(scope="module")
def ran_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ran") / "home"


@pytest.fixture
def ran(ran_home: Path, command: Command, drop: Path) -> dict[str, Any]:
    """What a run without keys and sandbox said, of two campaigns of one file each, which came twice for one of them. The run of these tests is one."""
    kept = ran_home.parent / "said.json"
    if not kept.exists():
        for name in ("c", "spring", "c"):
            (row,) = command("ingest", str(drop), "--campaign", name, "--json", at=ran_home).answer()["drops"]
        said = command("run", "--all", "--json", at=ran_home).answer()
        kept.write_text(json.dumps({"repeated": row, **said}))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def test_ingest_says_what_came_in_for_which_campaign(command: Command, drop: Path) -> None:
    (row,) = command("ingest", str(drop), "--campaign", "Q4 / US", "--json").answer()["drops"]
    assert (row["path"], row["rows"], row["rejected"]) == (str(drop), 1, 1)
    assert row["campaign_id"].startswith("q4-us-")
    assert len(row["sha256"]) == 64


def test_a_file_that_came_before_is_said_to_be_a_duplicate_and_counts_nothing(command: Command, drop: Path, ran: dict[str, Any]) -> None:
    row = ran["repeated"]
    assert (row["status"], row["rows"], row["rejected"]) == ("duplicate_file", 0, 0)
    command("ingest", str(drop), "--campaign", "c", "--json").answer()
    assert "duplicate_file" in command("ingest", str(drop), "--campaign", "c").stdout
    (campaign,) = [each for each in ran["campaigns"] if each["campaign_id"] == "c"]
    assert (campaign["received"], campaign["rejected"], campaign["leads"]) == (2, 1, 1)


def test_a_campaigns_name_that_becomes_another_is_said(command: Command, drop: Path) -> None:
    done = command("ingest", str(drop), "--campaign", "ü", "--json")
    (row,) = done.answer()["drops"]
    assert row["campaign_id"] == campaign_key("ü") != "ü"
    assert f"campaign 'ü' has the key {row['campaign_id']}" in done.stderr
    assert "has the key" not in command("export", "intake.raw_leads", "--campaign", row["campaign_id"]).stderr
    assert "campaign 'ü' has the key" in command("estimate", "--campaign", "ü", "--json").stderr
    assert command("ingest", str(drop), "--campaign", " ").code == 2


@pytest.mark.slow
def test_campaigns_without_a_lead_run_to_zeros(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "header.csv").write_text("email,company\n")
    (tmp_path / "bad.ndjson").write_text('{"email": "broken\n{"email": "no"}\n')
    for name in ("empty.csv", "header.csv", "bad.ndjson"):
        assert command("ingest", str(tmp_path / name), "--campaign", name.partition(".")[0], "--json").code == 1
    answer = command("run", "--all", "--json").answer()
    assert answer["failures"] == []
    counts = {row["campaign_id"]: (row["received"], row["rejected"], row["leads"], row["routed"]) for row in answer["campaigns"]}
    assert counts == {"bad": (2, 2, 0, 0), "empty": (1, 1, 0, 0), "header": (1, 1, 0, 0)}
    funnel = csv.DictReader(io.StringIO(command("export", "marts.campaign_funnel").stdout))
    assert {row["campaign_id"]: int(row["leads"]) for row in funnel} == {"bad": 0, "empty": 0, "header": 0}
    assert "empty: nobody" in command("run", "--campaign", "empty").stdout


def test_a_csv_column_can_be_renamed_on_the_way_in(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("Wo man schreibt;Firma\njane@acme.example;Acme\n")
    (row,) = command("ingest", str(path), "--map", "Wo man schreibt=email", "--json").answer()["drops"]
    assert (row["rows"], row["rejected"]) == (1, 0)


def test_a_column_to_rename_that_the_file_lacks_is_said(command: Command, drop: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("Wo man schreibt;Firma\njane@acme.example;Acme\n")
    (row,) = command("ingest", str(path), "--map", "Wo man schreibt=email", "--map", "Wohin=phone", "--json").answer()["drops"]
    assert row["unmapped"] == ["Wohin"]
    assert "leads.ndjson has no column 'Wohin'" in command("ingest", str(drop), "--map", "Wohin=phone").stdout


def test_a_table_as_csv_has_times_that_every_reader_takes(command: Command, drop: Path) -> None:
    command("ingest", str(drop), "--json").answer()
    command("run", "--all", "--select", "group:intake", "--json").answer()
    (row,) = csv.DictReader(io.StringIO(command("export", "intake.raw_leads").stdout))
    assert datetime.fromisoformat(row["received_at"]).tzinfo is not None
    assert row["received_at"].endswith("+00:00")
    done = command("export", "intake.raw_leads", "--out", "nowhere/leads.csv")
    assert done.code == 1
    assert "nowhere/leads.csv: no such file or directory: check that" in " ".join(done.stderr.split())


def test_rows_of_one_campaign_are_given_of_any_table_that_has_them(command: Command, ran_home: Path, ran: dict[str, Any]) -> None:
    assert len(ran["campaigns"]) == 2
    for table in ("identity.leads", "marts.campaign_scorecard"):
        (row,) = csv.DictReader(io.StringIO(command("export", table, "--campaign", "spring", at=ran_home).stdout))
        assert row["campaign_id"] == "spring"
    assert len(command("export", "marts.campaign_scorecard", at=ran_home).stdout.splitlines()) == 3
    done = command("export", "marts.provider_yield", "--campaign", "spring", at=ran_home)
    assert done.code == 2
    assert "rows of marts.provider_yield do not belong to a campaign: export it without --campaign" in " ".join(done.stderr.split())


def test_campaigns_that_the_api_does_not_give_are_named(command: Command, sandbox: Handle) -> None:
    sandbox.set_fault("aturiya", "status", operation="leads", status=404, match="cmp_revops_q4")
    done = command("sync", "--json", sandbox_url=sandbox.url)
    said = json.loads(done.stdout)
    assert done.code == 1
    assert len(said["drops"]) == 1
    assert [failure.partition(":")[0] for failure in said["failures"]] == ["cmp_revops_q4"]


def test_a_sync_that_brings_nothing_says_so(command: Command, sandbox: Handle) -> None:
    first = command("sync", sandbox_url=sandbox.url)
    assert (first.code, "nothing new" in first.stdout) == (0, False)
    again = command("sync", sandbox_url=sandbox.url)
    assert again.code == 0
    assert "nothing new at the campaign API: all" in again.stdout
    said = command("sync", "--json", sandbox_url=sandbox.url).answer()
    assert (said["drops"], said["dropped"], said["unchanged"], said["failures"]) == ([], 0, said["campaigns"], [])


def test_without_keys_a_lead_is_still_classified_scored_and_routed(
    command: Command, ran_home: Path, ran: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """No key, no sandbox: signals are unknown, rules classify, and the lead has an owner."""
    said = {name: value for name, value in ran.items() if name != "repeated"}
    for row in said["campaigns"]:
        assert (row["received"], row["rejected"], row["enriched"], row["classified"], row["routed"]) == (2, 1, 0, 1, 1)
    assert said["billed"]["calls"] == 0
    assert said["synthetic"] is False
    show.run(said)
    shown = capfd.readouterr().out.splitlines()
    assert "rules answered instead of a model: 2 leads classified without anthropic; set ANTHROPIC_API_KEY and run again" in shown
    (pipe0,) = [line for line in shown if line.startswith("not asked pipe0: ")]
    assert "company_overview" in pipe0
    assert pipe0.endswith(" stay unknown; set PIPE0_API_KEY and run again")
    assert [line.split()[2] for line in shown if line.startswith("not asked ")] == ["apollo:", "hunter:", "pipe0:"]
    assert not [line for line in shown if "no_key" in line], "each is told once"
    exported = command("export", "classification.classifications", "--campaign", "c", "--format", "json", at=ran_home).stdout
    (classified,) = json.loads(exported)
    assert (classified["model"], classified["fallback_reason"], classified["outreach_message"]) == ("rules-v1", "no_key", None)


def test_a_live_home_refuses_the_sandbox(home: Path, command: Command, drop: Path, sandbox: Handle) -> None:
    from lead_assets.ledger import Ledger

    home.mkdir(parents=True)
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    ledger.bind_world("live")
    ledger.close()
    command("ingest", str(drop), "--json").answer()
    done = command("run", "--all", "--json", sandbox_url=sandbox.url)
    assert done.code == 1
    assert "LEAD_ASSETS_HOME" in done.stderr
    assert sandbox.meter() == {}


@pytest.mark.slow
def test_limit_lets_only_so_many_leads_cost_money(command: Command, tmp_path: Path, sandbox: Handle) -> None:
    path = tmp_path / "five.ndjson"
    # By arrival, and not by id.
    path.write_text("".join(json.dumps(LEAD | {"lead_id": f"L{9 - n}", "email": f"p{n}@firm{n}.example"}) + "\n" for n in range(5)))
    command("ingest", str(path), "--campaign", "c", "--json").answer()
    said = command("run", "--all", "--limit", "2", "--json", sandbox_url=sandbox.url).answer()
    assert said["without_key"] == []
    (row,) = said["campaigns"]
    assert (row["leads"], row["classified"], row["routed"]) == (5, 2, 2)
    command("export", "signals.enriched_leads", "--format", "json", "--out", str(tmp_path / "enriched.json"), "--json").answer()
    assert {row["lead_id"] for row in json.loads((tmp_path / "enriched.json").read_text())} == {"L9", "L8"}
    assert sandbox.billed("pipe0", "company:overview@2") == 2
    (row,) = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert (row["leads"], row["routed"]) == (5, 5)
    assert sandbox.billed("pipe0", "company:overview@2") == 5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run"], 2, "--campaign ID (once or more) or --all"),
        (["run", "--all", "--limit", "0"], 2, "--limit"),
        (["ingest", "nowhere.csv"], 2, "no such file: nowhere.csv"),
        (["ingest"], 2, "Missing argument"),
        (["ingest", "."], 2, ". is a folder: give the files in it"),
        (["ingest", "/dev/null", "--map", "a=qqq"], 2, "--map: no field 'qqq': use one of bio"),
        (["ingest", "/dev/null", "--map", "a=emial"], 2, "--map: no field 'emial' (did you mean 'email'?): use one of"),
        (["ingest", "/dev/null", "--map", "a"], 2, "--map takes FROM=TO"),
        (["export", "no.such"], 2, "no table 'no.such': use one of intake.raw_leads"),
        (["export", "routing.decision"], 2, "(did you mean 'routing.decisions'?): use one of"),
        (["export", "routing.decisions", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads in the archive"),
        (["export", "routing.decisions", "--format", "xml"], 2, "use one of csv, xlsx, json, parquet"),
        (["run", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads in the archive, and neither has any other: ingest a"),
        (["estimate", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads in the archive"),
        (["replay", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads in the archive"),
        (["replay", "--stage", "summary"], 2, "--stage 'summary' (did you mean 'summaries'?): use one of classification, summaries"),
        (["replay", "--code", "placehoder"], 2, "--code 'placehoder' (did you mean 'placeholder'?): use one of"),
        (["refresh", "--signal", "new", "--older-than", "7d"], 2, "no signal 'new' (did you mean 'news'?): use one of"),
        (["refresh", "--signal", "news", "--older-than", "soon"], 2, "--older-than soon"),
        (["refresh", "--signal", "news", "--older-than", "7d", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads"),
        (["costs", "--by", "provide"], 2, "--by 'provide' (did you mean 'provider'?): use one of day, campaign"),
        (["costs", "--campaign", "never-seen"], 2, "campaign 'never-seen' has no leads in the archive"),
        (["pause", "pip0"], 2, "no provider 'pip0' (did you mean 'pipe0'?): use one of"),
        (["resume", "pip0"], 2, "no provider 'pip0' (did you mean 'pipe0'?): use one of"),
        (["budget", "set", "provider:pip0", "5"], 2, "no provider 'pip0' (did you mean 'pipe0'?): use one of"),
        (["budget", "set", "totl", "5"], 2, "use total, campaign:ID or provider:NAME"),
        (["budget", "set", "total", "-5"], 2, "a limit cannot be negative"),
        (["budget", "set", "total", "five"], 2, "'five' is not an amount"),
        (["budget", "set", "total", "5", "--period", "days"], 2, "--period 'days' (did you mean 'day'?): use one of"),
        (["discover", "--query", "x", "--source", "apolo"], 2, "--source 'apolo' (did you mean 'apollo'?): use one of apollo"),
        (["discover"], 2, "a search needs a filter: give --query, --location"),
        (["discover", "--funding", "Series Q"], 2, "funding 'Series Q' is unknown: use one of"),
        (["discover", "--employees", "many"], 2, "--employees many: give FROM..TO"),
        (["sandbox", "--campaigns", "nowhere.json"], 2, "nowhere.json"),
        (["dev", "--port", "70000"], 2, "--port"),
        (["no-such-command"], 2, "No such command"),
        (["run", "--all"], 1, "nothing to run: ingest a file first"),
        (["enrich", __file__, "--max-usd", "1"], 1, "names no lead: write CAMPAIGN/LEAD_ID, one per line"),
    ],
)
def test_errors_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command(*arguments)
    assert done.code == code
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_the_version_is_said(command: Command) -> None:
    done = command("--version")
    assert (done.code, done.stdout) == (0, f"lead-assets {metadata.version('lead-assets')}\n")


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        ("nowhere/at_all", "--select 'nowhere/at_all'"),
        ("group:scorin", "(did you mean 'scoring'?)"),
        ('key:"routing/decision"+', "(did you mean 'routing/decisions'?)"),
        ("(group:scoring", "cannot be parsed"),
    ],
)
def test_a_selection_that_cannot_be_read_is_said(command: Command, drop: Path, selection: str, says: str) -> None:
    command("ingest", str(drop), "--json").answer()
    done = command("run", "--all", "--select", selection, "--json")
    error = json.loads(done.stdout)["error"]
    assert done.code == 2
    assert says in error
    assert {"scoring,", "routing/decisions,"} <= set(error.split())


def test_a_campaign_that_is_not_there_is_a_wrong_word_and_one_that_was_not_run_is_not(command: Command, drop: Path) -> None:
    command("ingest", str(drop), "--campaign", "spring-launch", "--json").answer()
    wrong = command("run", "--campaign", "sprong-launch")
    assert wrong.code == 2
    assert (
        "campaign 'sprong-launch' has no leads in the archive (did you mean 'spring-launch'?): use one of spring-launch, or" in wrong.stderr
    )
    for arguments in (["export", "routing.decisions"], ["replay"], ["refresh", "--signal", "news", "--older-than", "7d"]):
        assert command(*arguments, "--campaign", "spring-launch").code == 1
    assert command("costs", "--campaign", "spring-launch").code == 0


@pytest.mark.slow
def test_a_vendor_that_cannot_be_reached_is_not_passed_over_in_silence(
    command: Command, drop: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command("ingest", str(drop), "--json").answer()
    # What stands before the two rooms is made without a word to anybody, so that only these wait for a vendor.
    command("run", "--all", "--from-ledger", "--json", sandbox_url="http://127.0.0.1:9").answer()
    two = 'key:"signals/company_overview" or key:"classification/classifications"'
    said = command("run", "--all", "--select", two, "--json", sandbox_url="http://127.0.0.1:9").answer()
    assert said["missed"]["company_overview"] == {"provider_error": 1}
    assert said["missed"]["classification"] == {"provider_error": 1}
    show.run(said)
    assert "company_overview: provider_error 1 leads" in " ".join(capfd.readouterr().out.split())


def test_with_json_a_wrong_command_line_is_one_object_too(command: Command) -> None:
    done = command("run", "--json")
    assert done.code == 2
    assert json.loads(done.stdout) == {
        "ok": False,
        "error": "the command line is wrong: Invalid value: give --campaign ID (once or more) or --all",
    }


def test_with_json_a_wrong_word_is_one_object_too(command: Command) -> None:
    done = command("pause", "pip0", "--json")
    assert done.code == 2
    assert json.loads(done.stdout)["error"].startswith("no provider 'pip0' (did you mean 'pipe0'?)")


def test_with_json_an_error_is_one_object_too(command: Command) -> None:
    done = command("run", "--all", "--json")
    assert done.code == 1
    assert json.loads(done.stdout)["ok"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("streams", "code", "says"),
    [("<&- >&- 2>&-", 0, ""), (">/dev/full", 1, "error: [Errno 28] No space left on device\n")],
    ids=["closed", "full"],
)
def test_an_answer_that_nobody_can_take_is_no_traceback(streams: str, code: int, says: str, home: Path, tmp_path: Path) -> None:
    shell = f'exec "$0" -c "from lead_assets.cli.app import main; main()" quotas --json {streams}'
    environment = {**os.environ, "LEAD_ASSETS_HOME": str(home)}
    done = subprocess.run(["sh", "-c", shell, sys.executable], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", says)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_stop_stops(
    sent: signal.Signals, code: int, command: Command, drop: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster makes a signal a failed step. The group's halves were run then, and the command ended with 0."""
    for name in ("fall", "spring"):
        command("ingest", str(drop), "--campaign", name)
    reads = []

    def told_to_stop(*_: object, **__: object) -> None:
        reads.append(1)
        os.kill(os.getpid(), sent)
        time.sleep(5)

    monkeypatch.setattr("lead_assets.intake.read.read_campaigns", told_to_stop)
    assert command("run", "--all", "--json").code == code
    assert len(reads) == 1


def test_doctor_tells_what_is_there_and_what_works_without_the_rest(command: Command) -> None:
    said = command("doctor", "--json", ANTHROPIC_API_KEY="sk-canary-4711").answer()
    checks = {check["name"]: check for check in said["checks"]}
    assert said["ok"] is True
    assert {"home", "archive", "ledger", "warehouse", "python"} <= set(checks)
    assert checks["key: anthropic"]["detail"] == "present"
    for vendor in ("pipe0", "apollo", "hunter", "aturiya"):
        assert checks[f"key: {vendor}"]["detail"].startswith("absent: ")
    assert "canary" not in json.dumps(said)


def test_doctor_sees_whether_the_sandbox_answers(command: Command, sandbox: Handle) -> None:
    assert command("doctor", "--json", sandbox_url=sandbox.url).answer()["ok"] is True
    done = command("doctor", "--json", sandbox_url="http://127.0.0.1:9")
    (failed,) = [check for check in json.loads(done.stdout)["checks"] if not check["ok"]]
    assert (done.code, failed["name"]) == (1, "vendors")
    assert "lead-assets sandbox --port" in failed["detail"]


def test_doctor_fails_on_rules_that_cannot_be_used(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "scoring.yaml").write_text("version: one")
    done = command("doctor", "--json", LEAD_ASSETS_RULES_DIR=str(tmp_path / "rules"))
    assert done.code == 1
    failed = [check for check in json.loads(done.stdout)["checks"] if not check["ok"]]
    assert [check["name"] for check in failed] == ["rules: scoring"]
    assert "scoring.yaml" in failed[0]["detail"]


def test_a_wrong_setting_is_named_without_its_value(command: Command) -> None:
    done = command("doctor", LEAD_ASSETS_MAX_PAYLOAD_BYTES="lots-of-secret")
    assert done.code == 1
    assert "MAX_PAYLOAD_BYTES" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: _newer(file), "a newer release has opened it. Install that release, or restore a backup"),
        (lambda file: file.write_bytes(b"no database at all" * 300), "is damaged (file is not a database): restore it from a backup"),
    ],
)
def test_a_ledger_that_cannot_be_read_is_one_line(
    spoil: Callable[[Path], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lead_assets.cli.app import main

    with closing(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}").open()) as ledger:
        ledger.pause("pipe0")
    spoil(tmp_path / "ledger.sqlite")
    monkeypatch.setenv("LEAD_ASSETS_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["lead-assets", "costs"])
    with pytest.raises(SystemExit, match="1"):
        main()
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE ledger_version SET version_num = '9999'")
        database.commit()

"""`lead-assets verify-snowpipe`: what is archived beside what has landed. Pipe status and copy history are answered on the wire: fakesnow has neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lead_assets.cli import snowpipe
from lead_assets.core.settings import Settings
from lead_assets.stores.archive import Archive, Receipt
from lead_assets_tests.conftest import Command
from lead_assets_tests.stores.fake import FakeAccount
from lead_assets_tests.stores.proxy import Proxy, Request, rows

_COPY_HISTORY = dict.fromkeys(("FILE_NAME", "STATUS", "ROW_COUNT", "ROW_PARSED", "FIRST_ERROR_MESSAGE", "LAST_LOAD_TIME"), "text")


@pytest.fixture
def archived(tmp_path: Path) -> list[str]:
    """Three files of events, all of this moment."""
    archive = Archive(str(tmp_path / "archive"))
    names = []
    for index, campaign in enumerate(("spring", "spring", "autumn")):
        archive.add_receipt(receipt(campaign))
        names.append(archive.put_events(campaign, f"file {index}".encode()))
    return names


def receipt(campaign: str) -> Receipt:
    return Receipt.model_validate(
        {"receipt_id": campaign, "campaign_id": campaign, "sha256": "0" * 64, "name": "f", "received_at": "2026-11-20T00:00:00Z"}
        | {"size": 1, "records": 1, "default_campaign": campaign}
    )


def answering(pipe: dict[str, Any], history: list[list[str | None]], landed: list[str]) -> Any:
    def rule(request: Request) -> dict[str, Any] | None:
        if "SYSTEM$PIPE_STATUS" in request.sql:
            return rows({"STATUS": "text"}, [[json.dumps(pipe)]])
        if "COPY_HISTORY" in request.sql:
            return rows(_COPY_HISTORY, history)
        if "GROUP BY FILE_NAME" in request.sql:
            return rows({"FILE_NAME": "text", "EVENTS": "fixed"}, [[f"prefix/{name}", "5"] for name in landed])
        return None

    return rule


@pytest.fixture
def verify(account: FakeAccount, wire: Proxy, command: Command, tmp_path: Path) -> Any:
    environment = {
        "LEAD_ASSETS_ENV": "production",
        "LEAD_ASSETS_ARCHIVE_URL": str(tmp_path / "archive"),
        **account.environment(wire.url),
    }
    return lambda *arguments: command("verify-snowpipe", *arguments, **environment)


def test_all_is_well_when_what_is_old_enough_has_landed(verify: Any, wire: Proxy, archived: list[str]) -> None:
    wire.rule = answering({"executionState": "RUNNING", "pendingFileCount": 1}, [], archived[:2])
    answer = verify("--json").answer()
    assert answer["ok"]
    assert answer["files"] == {"archived": 3, "landed": 2, "events_landed": 10}
    assert (answer["pipe"], answer["waiting"], answer["on_their_way"], answer["not_landed"]) == ("RUNNING", 1, 1, [])


def test_a_file_that_did_not_land_is_named_and_fails_the_command(
    verify: Any, wire: Proxy, archived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowpipe, "_ON_ITS_WAY_SECONDS", 0)
    failed = ["prefix/" + archived[1], "Load failed", "0", "5", "Error parsing JSON: ana@lead.example", "2026-11-20"]
    wire.rule = answering({"executionState": "RUNNING", "pendingFileCount": 0}, [list(failed)], [archived[0], archived[2]])
    done = verify("--json")
    answer = json.loads(done.stdout)
    assert done.code == 1
    assert answer["not_landed"] == [archived[1].removeprefix("events/")]
    assert answer["errors"][0]["status"] == "Load failed"
    assert "ana@lead.example" not in done.stdout + done.stderr
    said = verify()
    assert said.code == 1
    assert "2 of 3 archived files landed" in said.stdout
    assert "files failed to load" in said.stdout


def test_a_pipe_that_is_paused_is_said_first(verify: Any, wire: Proxy, archived: list[str]) -> None:
    wire.rule = answering({"executionState": "PAUSED", "pendingFileCount": 7}, [], archived)
    done = verify("--json")
    assert done.code == 1
    assert json.loads(done.stdout)["next"].startswith("the pipe is not running")


def test_a_pipe_that_is_not_there_is_an_error_with_the_next_step(verify: Any, archived: list[str]) -> None:
    done = verify("--json")
    assert done.code == 1
    assert "run sql/snowflake/*.sql once" in json.loads(done.stdout)["error"]


def test_outside_production_the_command_says_what_it_needs(command: Command, settings: Settings) -> None:
    done = command("verify-snowpipe")
    assert done.code == 1
    assert "set LEAD_ASSETS_ENV=production" in done.stderr

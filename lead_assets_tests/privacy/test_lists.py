"""Suppressions as people give them: one value, a file, whatever the spelling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from lead_assets.cli.app import app
from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import value_hash
from lead_assets.identity.resolve import resolve
from lead_assets.ledger import Ledger
from lead_assets.ledger.opened import opened_ledger
from lead_assets.privacy.lists import FORGOTTEN_REASON, add, import_file, lift, read_identifier, shown

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened_ledger(Settings(home=tmp_path / "home")) as opened:
        yield opened


def raw(*rows: dict[str, str]) -> pl.DataFrame:
    same = {"campaign_id": "spring", "adapter": "csv", "drop_sha256": "0" * 64, "drop_name": "a.csv", "part": 1, "received_at": NOW}
    return RawLead.frame(
        same | {"lead_id": f"L{number}", "position": number, "payload": "{}", "extra": "{}"} | row
        for number, row in enumerate(rows, start=1)
    )


def kept(ledger: Ledger, *rows: dict[str, str]) -> list[str]:
    return resolve(raw(*rows), ledger.suppressions(), ledger.suppression_hash).leads["lead_id"].sort().to_list()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Jane Doe <Jane.Doe@ACME.example>", "email", "jane.doe@acme.example"),
        ("mailto:jane@acme.example", "email", "jane@acme.example"),
        ("+1 (415) 555-2671", "phone", "+14155552671"),
        ("https://www.ACME.example/jobs", "domain", "acme.example"),
        ("münchen.example", "domain", "xn--mnchen-3ya.example"),
    ],
)
def test_a_value_is_read_as_a_person_writes_it(text: str, kind: str, value: str) -> None:
    read = read_identifier(text)
    assert read is not None
    assert (read.kind, read.value) == (kind, value)


@pytest.mark.parametrize("text", ["", "jane", "jane@@acme", "12", "a b.example"])
def test_what_is_no_value_is_not_taken(text: str) -> None:
    assert read_identifier(text) is None


@pytest.mark.parametrize(
    ("suppressed", "lead"),
    [
        ("jane.doe@gmail.com", {"email": "JaneDoe+news@googlemail.com"}),
        ("+14155552671", {"phone": "(415) 555-2671", "country": "US"}),
        ("+14155552671", {"phone": "415-555-2671"}),
        ("+14155552671", {"phone": "+1 415 555 2671"}),
        ("acme.example", {"email": "joe@mail.acme.example"}),
        ("www.acme.example", {"website": "http://acme.example/about", "email": "joe@gmail.com"}),
    ],
)
def test_whoever_opted_out_stays_out_however_the_lead_is_written(ledger: Ledger, suppressed: str, lead: dict[str, str]) -> None:
    assert add(ledger, [suppressed], reason="opted out") == {"added": 1, "already": 0, "unread": []}
    assert kept(ledger, lead, {"email": "other@else.example", "phone": "+1 212 555 2000"}) == ["L2"]


def test_a_file_is_imported_with_its_unreadable_lines_named(ledger: Ledger, tmp_path: Path) -> None:
    table = tmp_path / "opted_out.csv"
    table.write_text("Email,Name,Phone\njane@acme.example,Jane,\nno address,Joe,\n,Kim,+14155552671\njane@acme.example,Jane,\n")
    assert import_file(ledger, table, reason="unsubscribed") == {"added": 2, "already": 0, "unread": [3]}
    assert import_file(ledger, table, reason="again") == {"added": 0, "already": 2, "unread": [3]}
    lines = tmp_path / "more.txt"
    lines.write_text("acme.example\n\n+14155552671\n")
    assert import_file(ledger, lines, reason="bounced") == {"added": 1, "already": 1, "unread": []}
    assert {row["reason"] for row in shown(ledger)["lists"]} == {"unsubscribed", "bounced"}


def test_a_table_without_a_known_column_is_an_error_that_names_the_words(ledger: Ledger, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("who\njane@acme.example\n")
    with pytest.raises(ValueError, match="email, domain, phone"):
        import_file(ledger, table, reason="asked")


def test_a_reason_that_names_somebody_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="say why, not who"):
        add(ledger, ["jane@acme.example"], reason="mail from jane@acme.example")


def test_the_commands_store_no_value_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_ASSETS_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    assert json.loads(run(app, ["suppress", "add", "jane@acme.example", "--json"]).stdout)["added"] == 1
    assert json.loads(run(app, ["suppress", "show", "Jane@ACME.example", "--json"]).stdout) == {
        "kind": "email",
        "suppressed": True,
        "why": ["email: opted out"],
    }
    assert run(app, ["suppress", "add", "nonsense"]).exit_code == 1
    assert b"jane@acme" not in b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())


def test_a_mistake_is_lifted_and_whoever_was_forgotten_only_with_a_new_consent(ledger: Ledger) -> None:
    add(ledger, ["Jane.Doe+news@gmail.com", "acme.example", "joe@acme.example"], reason="bounced")
    ledger.suppress_all([("email", value_hash("kim@x.example"), FORGOTTEN_REASON)])
    assert lift(ledger, ["janedoe@gmail.com", "?"]) == {"lifted": 0, "why": [], "unread": [2], "still": []}
    lifted = lift(ledger, ["jane.doe+news@gmail.com", "joe@acme.example", "nobody@x.example"])
    assert lifted == {"lifted": 2, "why": ["bounced"], "unread": [], "still": [2]}, "his company is still kept out"
    with pytest.raises(ValueError, match="--forgotten"):
        lift(ledger, ["kim@x.example"])
    assert shown(ledger, "kim@x.example")["suppressed"]
    assert lift(ledger, ["kim@x.example"], forgotten=True)["lifted"] == 1
    assert not shown(ledger, "kim@x.example")["suppressed"]

"""Replay: quarantined leads are sent again after a fix, once each, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lead_assets.classification.classify import Classified, cases_of
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.contracts import QuarantinedSummary, Summary
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.model import governance
from lead_assets.model.replay import Replayed, fix_of, replay
from lead_assets.model.rulebook import Rulebook
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import enriched, noted
from lead_assets_tests.classification.pipeline import ingest_notes
from lead_assets_tests.conftest import Command

NOTES = [f"Fix and flip number {number}, 12 flips done" for number in range(5)]
BROKEN = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "I would call this lead a bridge loan."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 10},
}


def break_the_model(sandbox: Handle) -> None:
    """Until the faults are cleared it answers in prose, at its own cost: the meter does not count it."""
    sandbox.set_fault("anthropic", "status", status=200, body=BROKEN, operation="messages")


class Again:
    """Replays what a run quarantined."""

    def __init__(self, run: Run, ledger: Ledger, settings: Settings, leads: pl.DataFrame) -> None:
        self.run, self.ledger, self.settings, self.leads = run, ledger, settings, leads

    def __call__(self, rows: pl.DataFrame | None = None, **arguments: Any) -> Replayed:
        arguments = {"ledger": self.ledger, "settings": self.settings} | arguments
        book = arguments.pop("rulebook", None) or load_rulebook(self.settings)
        cases = cases_of(self.leads, enriched(self.leads), book)
        return replay(self.result().quarantine if rows is None else rows, cases, book, **arguments)

    def result(self, **arguments: Any) -> Classified:
        return self.run(self.leads, **arguments)


@pytest.fixture
def again(run: Run, ledger: Ledger, settings: Settings, sandbox: Handle) -> Again:
    """Five leads in quarantine by the vendor's fault, which is then fixed."""
    break_the_model(sandbox)
    made = Again(run, ledger, settings, noted(*NOTES))
    assert made.result().quarantine["code"].to_list() == ["not_json"] * 5
    sandbox.clear_faults()
    return made


def test_a_fixed_model_is_asked_again_and_the_leads_are_classified(again: Again, sandbox: Handle) -> None:
    failed = again.result()
    assert sandbox.billed("anthropic") == 0
    assert again() == Replayed(selected=5, sent=5, bought=0, accepted=5, campaigns=("spring",))
    assert sandbox.billed("anthropic") == 5
    rebuilt = again.result()
    assert rebuilt.quarantine.is_empty()
    assert rebuilt.classifications["loan_type"].to_list() == ["bridge_rtl"] * 5
    # What the failed attempts cost is not forgotten: first answer, repair, replay.
    assert rebuilt.classifications["attempts"].to_list() == [3] * 5
    assert rebuilt.classifications["cost_usd"].sum() > failed.quarantine["cost_usd"].sum()
    assert sandbox.billed("anthropic") == 5


def test_what_was_sent_again_once_is_not_sent_under_the_same_fix(again: Again, sandbox: Handle) -> None:
    quarantine = again.result().quarantine
    again()
    second = again(quarantine)
    assert (second.sent, second.bought, second.accepted) == (0, 0, 5)
    assert sandbox.billed("anthropic") == 5


def test_a_replay_in_vain_is_not_repeated_until_there_is_another_fix(again: Again, sandbox: Handle) -> None:
    break_the_model(sandbox)
    assert (again().sent, again().sent) == (5, 0)
    assert again.result().quarantine["attempt"].to_list() == [4] * 5
    sandbox.clear_faults()
    assert again().sent == 0
    assert (again(fix="vendor case 4711").sent, again(fix="vendor case 4711").sent) == (5, 0)
    assert again.result().quarantine.is_empty()


def test_a_fixed_rule_of_governance_needs_no_model(again: Again, sandbox: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine = again.result().quarantine
    honest = governance.judge
    good = again.run(noted("Fix and flip")).classifications["answer"][0]
    calls = sandbox.billed("anthropic")
    monkeypatch.setattr(governance, "judge", lambda claims: honest([replace(claim, text=good) for claim in claims]))
    assert again(quarantine) == Replayed(selected=5, sent=0, bought=0, accepted=5, campaigns=("spring",))
    assert sandbox.billed("anthropic") == calls


def test_another_prompt_is_another_question_and_asked_once(again: Again, settings: Settings, sandbox: Handle) -> None:
    quarantine = again.result().quarantine
    book = load_rulebook(settings)
    worded = replace(book.profiles["lending"], system=book.profiles["lending"].system + "\nBe brief.")
    fixed = Rulebook(book.limits, book.prices, {"lending": worded})
    first, second = again(quarantine, rulebook=fixed), again(quarantine, rulebook=fixed)
    assert (first.sent, first.bought, first.accepted) == (0, 5, 5)
    assert (second.sent, second.bought) == (0, 0)
    assert sandbox.billed("anthropic") == 5


def test_only_the_leads_that_are_meant_are_sent(again: Again, sandbox: Handle) -> None:
    assert again(again.result().quarantine[1:3]).sent == 2
    result = again.result()
    assert (result.classifications.height, result.quarantine.height, sandbox.billed("anthropic")) == (2, 3, 2)


def test_leads_that_show_the_same_are_sent_as_one(run: Run, ledger: Ledger, settings: Settings, sandbox: Handle) -> None:
    break_the_model(sandbox)
    again = Again(run, ledger, settings, noted(*["Fix and flip"] * 3))
    quarantine = again.result().quarantine
    sandbox.clear_faults()
    assert (again(quarantine[:1]).sent, sandbox.billed("anthropic")) == (1, 1)
    assert again.result().classifications.height == 3


def test_a_model_that_is_down_leaves_the_quarantine_as_it_was(again: Again, sandbox: Handle) -> None:
    before = again.result().quarantine
    sandbox.set_fault("anthropic", "status", status=402)
    assert again().accepted == 0
    assert again.result().quarantine.equals(before)
    sandbox.clear_faults()
    assert again().accepted == 5


def test_a_fix_is_named_by_what_decides_on_an_answer(settings: Settings) -> None:
    book = load_rulebook(settings)
    calls = book.limits.calls
    roomier = replace(book, limits=book.limits.model_copy(update={"calls": calls.model_copy(update={"max_tokens": 4000})}))
    busier = replace(book, limits=book.limits.model_copy(update={"calls": calls.model_copy(update={"concurrency": 2})}))
    assert len({fix_of(book), fix_of(roomier), fix_of(book, "named")}) == 3
    assert fix_of(busier) == fix_of(book)


KILLED = """
import os, signal, sys
from pathlib import Path
from lead_assets.classification.classify import cases_of, classify
from lead_assets.model.client import MessagesClient
from lead_assets.model.batches import BatchClient
from lead_assets.model.replay import replay
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.model.rulebook import Rulebook
from lead_assets.ledger.ledger import Ledger
from lead_assets.core.settings import Settings
from lead_assets_tests.classification.leads import enriched, noted
from lead_assets_tests.model.test_replay import NOTES

home, url, mode = sys.argv[1:]
settings = Settings(home=Path(home), sandbox_url=url, _env_file=None)
book, leads, ledger = load_rulebook(settings), noted(*NOTES), Ledger(settings.ledger_location)
quarantine = classify(leads, enriched(leads), ledger=ledger, settings=settings).quarantine
real_send, real_fetch, sent = MessagesClient._send, BatchClient._fetch, []

async def send(self, attempt):
    if len(sent) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    sent.append(attempt)
    return await real_send(self, attempt)

async def fetch(self, batch_id):
    await real_fetch(self, batch_id)
    os.kill(os.getpid(), signal.SIGKILL)

MessagesClient._send, BatchClient._fetch = send, fetch
one = book.limits.calls.model_copy(update={"concurrency": 1})
quick = book.limits.batches.model_copy(update={"poll_seconds": 0.02})
book = Rulebook(book.limits.model_copy(update={"calls": one, "batches": quick}), book.prices, book.profiles)
replay(quarantine, cases_of(leads, enriched(leads), book), book, ledger=ledger, settings=settings, mode=mode)
"""


@pytest.mark.parametrize("mode", ["interactive", "batch"])
def test_a_killed_replay_goes_on_where_it_was(again: Again, settings: Settings, sandbox: Handle, mode: str) -> None:
    quarantine = again.result().quarantine
    arguments = [sys.executable, "-c", KILLED, str(settings.home), sandbox.url, mode]
    child = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -9, child.stderr
    assert again(quarantine, mode=mode).accepted == 5
    sent = [times for operation in sandbox.subjects("anthropic").values() for times in operation.values()]
    assert sent == [1] * 5
    assert again(quarantine, mode=mode).sent == 0


@pytest.mark.slow
def test_the_command_sends_again_and_routes_what_is_classified_now(command: Command, settings: Settings, sandbox: Handle) -> None:
    ingest_notes(settings, "spring", [*NOTES[:2], "flip [[sandbox:refusal]]"])
    ingest_notes(settings, "autumn", NOTES[3:])
    break_the_model(sandbox)
    rows = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert {row["campaign_id"]: row["quarantined"] for row in rows} == {"autumn": 2, "spring": 3}
    sandbox.clear_faults()

    said = command("replay", "--campaign", "spring", "--code", "not_json", "--json", sandbox_url=sandbox.url).answer()
    assert (said["selected"], said["sent"], said["accepted"], said["still_quarantined"]) == (3, 3, 2, 1)
    (row,) = said["campaigns"]
    assert (row["campaign_id"], row["classified"], row["quarantined"], row["routed"]) == ("spring", 2, 1, 2)
    assert said["billed"]["calls"] == 3 + 2  # and the briefs of the two that have a score now

    calls = sandbox.billed("anthropic")
    said = command("replay", "--campaign", "spring", "--json", sandbox_url=sandbox.url).answer()
    assert (said["selected"], said["sent"], said["run_ids"], said["billed"]["calls"]) == (1, 0, [], 0)
    assert sandbox.billed("anthropic") == calls


@pytest.mark.slow
def test_the_command_sends_quarantined_briefs_again_once_each(command: Command, settings: Settings, sandbox: Handle) -> None:
    ingest_notes(settings, "spring", NOTES[:2])
    command(
        "run", "--all", "--select", '+key:"delivery/enrichment_events" or key:"lookalike/accounts"', "--json", sandbox_url=sandbox.url
    ).answer()
    break_the_model(sandbox)
    follows = 'key:"lookalike/similarities" or key:"classification/summaries"'
    command("run", "--all", "--select", follows, "--json", sandbox_url=sandbox.url).answer()
    sandbox.clear_faults()
    classified, warehouse = sandbox.billed("anthropic"), warehouse_of(settings)
    quarantine = warehouse.read(QuarantinedSummary)

    said = command("replay", "--stage", "summaries", "--code", "not_json", "--json", sandbox_url=sandbox.url).answer()
    assert (said["stage"], said["selected"], said["sent"], said["accepted"], said["still_quarantined"]) == ("summaries", 2, 2, 2, 0)
    assert sandbox.billed("anthropic") == classified + 2
    assert warehouse.read(QuarantinedSummary).is_empty()
    # First answer, its repair, and what was sent again.
    assert warehouse.read(Summary)["attempts"].to_list() == [3, 3]

    warehouse.write(QuarantinedSummary, quarantine, ["spring"])  # as if it had been killed before its tables were made
    again = command("replay", "--stage", "summaries", "--json", sandbox_url=sandbox.url).answer()
    assert (again["selected"], again["sent"], again["accepted"]) == (2, 0, 2)
    assert sandbox.billed("anthropic") == classified + 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--stage", "routing"], 2, "use one of classification, summaries"),
        (["--code", "no_such"], 2, "--code 'no_such': use one of not_json"),
        (["--campaign", "never-seen"], 2, "'never-seen' has no leads in the archive"),
        (["--stage", "summaries", "--campaign", "never-seen"], 2, "'never-seen' has no leads in the archive"),
    ],
)
def test_errors_of_the_command_say_what_to_do(command: Command, arguments: list[str], code: int, says: str) -> None:
    done = command("replay", *arguments)
    assert done.code == code
    assert says in " ".join(done.stderr.replace("│", " ").split())

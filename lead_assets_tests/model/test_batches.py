"""Message Batches: half the price, every answer in its place, and nothing submitted twice even if the process is killed."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from lead_assets.classification.classify import Classified
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Reply, Want
from lead_assets.ledger.purchase import Retry
from lead_assets.model import batches as batches_module
from lead_assets.model.batches import BatchClient
from lead_assets.model.buying import purchase
from lead_assets.model.rulebook import Rulebook
from lead_assets.sandbox import Handle
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import noted
from lead_assets_tests.ledger.killed import Killed, die_here, killed

NOTES = [f"Fix and flip number {number}, 12 flips done" for number in range(7)]
Buy = Callable[[Sequence[Want]], Mapping[str, Answer]]


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent is at the sandbox at once: who takes over an intent need not wait for it."""
    monkeypatch.setattr(batches_module, "_ON_ITS_WAY", 0.05)


@pytest.fixture
def small(settings: Settings) -> Rulebook:
    """Batches of three, looked at often; a connection that stalls fails a test soon."""
    book = load_rulebook(settings)
    calls = book.limits.calls.model_copy(update={"timeout_seconds": 10.0})
    batches = book.limits.batches.model_copy(update={"poll_seconds": 0.02, "max_requests": 3})
    return Rulebook(book.limits.model_copy(update={"batches": batches, "calls": calls}), book.prices, book.profiles)


@pytest.fixture
def by_batch(ledger: Ledger, settings: Settings, small: Rulebook) -> Buy:
    return functools.partial(purchase, ledger=ledger, settings=settings, book=small, mode="batch", retry=Retry(attempts=3, first=0.001))


def submitted_twice(sandbox: Handle) -> list[str]:
    return [subject for operation in sandbox.subjects("anthropic").values() for subject, times in operation.items() if times > 1]


def test_a_batch_gives_the_rows_that_messages_give_at_half_the_price(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle) -> None:
    batched = run(noted(*NOTES), rulebook=small, buy=by_batch)
    meter = sandbox.meter()["anthropic"]
    assert (meter["batches"]["requests"], meter["batches"]["billed"]) == (3, 7)
    assert "messages" not in meter
    assert batched.classifications["loan_type"].to_list() == ["bridge_rtl"] * 7
    assert float(batched.classifications["cost_usd"].sum()) == pytest.approx(meter["batches"]["usd"], abs=7e-6)
    assert [row["outreach_message"][:10] for row in batched.classifications.rows(named=True)] == ["Hi Jordan,"] * 7
    # The journal is one: what a batch bought, an interactive run need not.
    assert run(noted(*NOTES)).classifications.equals(batched.classifications)
    assert "messages" not in sandbox.meter()["anthropic"]


def test_answers_are_told_apart_by_name_and_not_by_order(run: Run, by_batch: Buy, small: Rulebook) -> None:
    notes = ["Fix and flip", "Rental refinance, tenants in place", "hello"]
    assert run(noted(*notes), rulebook=small, buy=by_batch).classifications["loan_type"].to_list() == ["bridge_rtl", "rental", "unknown"]


def test_failing_answers_are_repaired_by_a_batch_too(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle) -> None:
    result = run(noted("Fix and flip [[sandbox:bad_once]]", "flip [[sandbox:placeholder]]", "flip"), rulebook=small, buy=by_batch)
    assert result.classifications["attempts"].to_list() == [2, 1]
    assert result.quarantine["code"].to_list() == ["placeholder"]
    assert "messages" not in sandbox.meter()["anthropic"]


@pytest.mark.parametrize(("kind", "reason"), [("batch_errored", "provider_error"), ("batch_expired", "timeout")])
def test_an_entry_that_failed_is_read_by_rules_and_costs_nothing(
    run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle, kind: str, reason: str
) -> None:
    sandbox.set_fault("anthropic", kind, match="number 1")
    rows = run(noted(*NOTES[:3]), rulebook=small, buy=by_batch).classifications
    assert rows["fallback_reason"].to_list() == [None, reason, None]
    assert (sandbox.billed("anthropic"), rows["cost_usd"].to_list()[1]) == (2, 0)


@pytest.mark.parametrize("kind", ["drop_midway", "truncated_json", "drop_before", "status"])
def test_results_that_break_off_are_fetched_again(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle, kind: str) -> None:
    sandbox.set_fault("anthropic", kind, operation="batches.results", times=1, status=503 if kind == "status" else None)
    rows = run(noted(*NOTES[:3]), rulebook=small, buy=by_batch).classifications
    assert set(rows["model"]) == {"claude-haiku-5-5"}
    assert sandbox.meter()["anthropic"]["batches"]["requests"] == 1


@pytest.mark.parametrize("kind", ["drop_after", "truncated_json"])
def test_a_submission_whose_answer_is_lost_is_found_and_not_made_again(
    run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle, kind: str
) -> None:
    sandbox.set_fault("anthropic", kind, operation="batches", times=1)
    rows = run(noted(*NOTES[:3]), rulebook=small, buy=by_batch).classifications
    assert set(rows["model"]) == {"claude-haiku-5-5"}
    assert sandbox.meter()["anthropic"]["batches"]["requests"] == 1
    assert submitted_twice(sandbox) == []


def test_a_submission_that_is_refused_leaves_the_leads_to_rules(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "status", status=400, operation="batches")
    rows = run(noted(*NOTES[:2]), rulebook=small, buy=by_batch).classifications
    assert set(rows["fallback_reason"]) == {"provider_error"}
    assert len([request for request in sandbox.requests("anthropic") if request["method"] == "POST"]) == 1


def test_a_spend_limit_is_not_tried_again(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle) -> None:
    details = {"type": "rate_limit_error", "message": "no", "details": {"error_code": "enforced_spend_limit_reached"}}
    sandbox.set_fault("anthropic", "status", status=429, operation="batches", body={"type": "error", "error": details})
    rows = run(noted(*NOTES[:2]), rulebook=small, buy=by_batch).classifications
    assert set(rows["fallback_reason"]) == {"quota"}
    assert len([request for request in sandbox.requests("anthropic") if request["method"] == "POST"]) == 1


async def submit_and_die(client: BatchClient, wants: Sequence[Want]) -> str:
    await CREATE(client, wants)
    raise Killed


async def fetch_and_die(client: BatchClient, batch_id: str) -> dict[str, Reply]:
    await FETCH(client, batch_id)
    raise Killed


CREATE, FETCH = BatchClient._create, BatchClient._fetch


@pytest.mark.parametrize(
    ("name", "how", "mode"),
    [
        pytest.param("take_up", die_here, "batch", id="before anything is done about its claims"),
        pytest.param("_create", die_here, "batch", id="before it is submitted"),
        pytest.param("_create", submit_and_die, "batch", id="before its id is journaled"),
        pytest.param("_create", submit_and_die, "interactive", id="before its id is journaled, then in haste"),
        pytest.param("_fetch", die_here, "batch", id="while it is worked on"),
        pytest.param("_fetch", fetch_and_die, "batch", id="before its answers are journaled"),
    ],
)
def test_a_killed_run_is_taken_up_and_nothing_is_submitted_twice(
    run: Run,
    by_batch: Buy,
    small: Rulebook,
    sandbox: Handle,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    how: Any,
    mode: str,
) -> None:
    with killed(ledger, monkeypatch, BatchClient, name, how):
        run(noted(*NOTES), rulebook=small, buy=by_batch)
    arguments: dict[str, Any] = {"buy": by_batch} if mode == "batch" else {"mode": "interactive"}
    assert_taken_up(run(noted(*NOTES), rulebook=small, **arguments), sandbox, ledger)


def assert_taken_up(result: Classified, sandbox: Handle, ledger: Ledger) -> None:
    rows = result.classifications
    assert set(rows["model"]) == {"claude-haiku-5-5"}
    assert rows.height == len(NOTES)
    assert submitted_twice(sandbox) == []
    assert sandbox.billed("anthropic") == len(NOTES)
    assert ledger.billed()["uncertain_calls"] == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from lead_assets.model.batches import BatchClient
from lead_assets.classification.classify import classify
from lead_assets.ledger.ledger import Ledger
from lead_assets.core.settings import Settings
from lead_assets_tests.classification.leads import enriched, noted
from lead_assets_tests.model.test_batches import NOTES

create = BatchClient._create

async def submit_and_die(self, wants):
    await create(self, wants)
    os.kill(os.getpid(), signal.SIGKILL)

BatchClient._create = submit_and_die
settings = Settings(home=Path(sys.argv[1]), sandbox_url=sys.argv[2], _env_file=None)
leads = noted(*NOTES)
classify(leads, enriched(leads), ledger=Ledger(settings.ledger_location), settings=settings, mode="batch")
"""


def test_a_process_that_was_really_killed_is_taken_up(
    run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle, settings: Settings, ledger: Ledger
) -> None:
    ledger.open()
    arguments = [sys.executable, "-c", KILLED, str(settings.home), sandbox.url]
    child = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -9, child.stderr
    assert_taken_up(run(noted(*NOTES), rulebook=small, buy=by_batch), sandbox, ledger)

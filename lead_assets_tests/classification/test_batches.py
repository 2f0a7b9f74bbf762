"""Message Batches: half the price, every answer back in its place, and nothing submitted twice whenever the process is killed."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from lead_assets.classification.buying import purchase
from lead_assets.classification.rulebook import Rulebook, load_rulebook
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Want
from lead_assets.ledger.purchase import Retry
from lead_assets.sandbox import Handle
from lead_assets.settings import Settings
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import noted

NOTES = [f"Fix and flip number {number}, 12 flips done" for number in range(7)]
Buy = Callable[[Sequence[Want]], Mapping[str, Answer]]


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


def test_failing_answers_are_mended_by_a_batch_too(run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle) -> None:
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


KILLED = """
import os, signal, sys
from pathlib import Path
from lead_assets.classification import batches
from lead_assets.classification.classify import classify
from lead_assets.classification.rulebook import Rulebook, load_rulebook
from lead_assets.ledger.ledger import Ledger
from lead_assets.settings import Settings
from lead_assets_tests.classification.leads import enriched, noted
from lead_assets_tests.classification.test_batches import NOTES

home, url, point = sys.argv[1:]
real_create, real_fetch = batches.BatchClient._create, batches.BatchClient._fetch

def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def create(self, wants):
    if point == "before it is submitted":
        die()
    batch_id = await real_create(self, wants)
    if point == "before its id is journaled":
        die()
    return batch_id

async def fetch(self, batch_id):
    if point == "while it is worked on":
        die()
    replies = await real_fetch(self, batch_id)
    die()

batches.BatchClient._create, batches.BatchClient._fetch = create, fetch
settings = Settings(home=Path(home), sandbox_url=url, _env_file=None)
book = load_rulebook(settings)
small = book.limits.batches.model_copy(update={"poll_seconds": 0.02, "max_requests": 3, "concurrency": 1})
leads = noted(*NOTES)
book = Rulebook(book.limits.model_copy(update={"batches": small}), book.prices, book.profiles)
classify(leads, enriched(leads), ledger=Ledger(settings.ledger_location), settings=settings, mode="batch", rulebook=book)
"""


@pytest.mark.parametrize(
    ("point", "mode"),
    [
        ("before it is submitted", "batch"),
        ("before its id is journaled", "batch"),
        ("while it is worked on", "batch"),
        ("before its answers are journaled", "batch"),
        ("before its id is journaled", "interactive"),
    ],
)
def test_a_killed_run_is_taken_up_and_nothing_is_submitted_twice(
    run: Run, by_batch: Buy, small: Rulebook, sandbox: Handle, settings: Settings, ledger: Ledger, point: str, mode: str
) -> None:
    ledger.open()
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.home), sandbox.url, point], capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == -9, child.stderr
    arguments: dict[str, Any] = {"buy": by_batch} if mode == "batch" else {"mode": "interactive"}
    rows = run(noted(*NOTES), rulebook=small, **arguments).classifications
    assert set(rows["model"]) == {"claude-haiku-5-5"}
    assert rows.height == len(NOTES)
    assert submitted_twice(sandbox) == []
    assert sandbox.billed("anthropic") == len(NOTES)
    assert ledger.billed()["uncertain_calls"] == 0

"""Anthropic's Message Batches through the real SDK."""

from __future__ import annotations

import time

import anthropic
import pytest

from lead_assets.sandbox import Handle
from lead_assets_tests.sandbox.asking import claude, lead, said


def _submit(api: anthropic.Anthropic, count: int = 12) -> str:
    requests = [{"custom_id": f"lead-{i}", "params": lead(f"Flip number {i} for one more project.")} for i in range(count)]
    return api.messages.batches.create(requests=requests).id  # type: ignore[arg-type]


def _wait(api: anthropic.Anthropic, batch_id: str) -> anthropic.types.messages.MessageBatch:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        batch = api.messages.batches.retrieve(batch_id)
        if batch.processing_status == "ended":
            return batch
        time.sleep(0.05)
    raise AssertionError("the batch did not end")


def test_a_batch_is_answered_out_of_order_at_half_price(sandbox: Handle) -> None:
    api = claude(sandbox)
    batch_id = _submit(api)
    running = api.messages.batches.retrieve(batch_id)
    assert (running.processing_status, running.results_url, running.request_counts.processing) == ("in_progress", None, 12)
    ended = _wait(api, batch_id)
    assert (ended.request_counts.succeeded, ended.request_counts.processing) == (12, 0)
    assert ended.results_url is not None
    assert ended.results_url.startswith(sandbox.url)
    results = list(api.messages.batches.results(batch_id))
    ids = [each.custom_id for each in results]
    assert sorted(ids) == sorted(f"lead-{i}" for i in range(12))
    assert ids != sorted(ids, key=lambda custom_id: int(custom_id[5:]))
    first = results[0].result
    assert first.type == "succeeded"
    assert said(first.message)["loan_type"] == "bridge_rtl"
    assert first.message.usage.service_tier == "batch"
    usages = [each.result.message.usage for each in results if each.result.type == "succeeded"]
    full = sum(each.input_tokens * 0.10e-6 + each.output_tokens * 0.50e-6 for each in usages)
    meter = sandbox.meter()["anthropic"]["batches"]
    assert (meter["requests"], meter["billed"]) == (1, 12)
    assert meter["usd"] == pytest.approx(full / 2, abs=1e-8)


def test_entries_fail_one_by_one(sandbox: Handle) -> None:
    api = claude(sandbox)
    sandbox.set_fault("anthropic", "batch_errored", match="lead-3", times=1)
    sandbox.set_fault("anthropic", "batch_expired", match="lead-5", times=1)
    requests = [{"custom_id": f"lead-{i}", "params": lead("x")} for i in range(6)]
    requests.append({"custom_id": "bad", "params": {**lead("x"), "temperature": 1}})
    batch = _wait(api, api.messages.batches.create(requests=requests).id)  # type: ignore[arg-type]
    counts = batch.request_counts
    assert (counts.succeeded, counts.errored, counts.expired) == (4, 2, 1)
    results = {each.custom_id: each.result for each in api.messages.batches.results(batch.id)}
    assert results["lead-5"].type == "expired"
    assert results["lead-3"].type == results["bad"].type == "errored"
    assert results["bad"].error.error.type == "invalid_request_error"  # type: ignore[union-attr]
    assert sandbox.billed("anthropic") == 4


def test_results_that_break_off_can_be_fetched_again_and_are_billed_once(sandbox: Handle) -> None:
    api = claude(sandbox)
    batch_id = _submit(api)
    _wait(api, batch_id)
    sandbox.set_fault("anthropic", "drop_midway", operation="batches.results", times=1)
    with pytest.raises(Exception) as caught:
        list(api.messages.batches.results(batch_id))
    assert "closed" in str(caught.value) or "incomplete" in str(caught.value)
    assert len(list(api.messages.batches.results(batch_id))) == 12
    assert sandbox.billed("anthropic", "batches") == 12


def test_batches_are_listed_canceled_and_deleted(sandbox: Handle) -> None:
    api = claude(sandbox)
    done, running = _submit(api, 2), None
    _wait(api, done)
    sandbox.set_fault("anthropic", "batch_delay", latency_ms=400)
    running = _submit(api, 3)
    assert [each.id for each in api.messages.batches.list(limit=1)] == [running, done]
    assert api.messages.batches.cancel(running).processing_status == "canceling"
    assert _wait(api, running).request_counts.canceled == 3
    assert api.messages.batches.delete(done).id == done
    with pytest.raises(anthropic.NotFoundError):
        api.messages.batches.retrieve(done)
    assert sandbox.billed("anthropic") == 2


@pytest.mark.parametrize("ids", [["a", "a"], ["with space"], ["x" * 65]])
def test_custom_ids_must_be_unique_and_plain(sandbox: Handle, ids: list[str]) -> None:
    with pytest.raises(anthropic.BadRequestError, match="custom_id"):
        claude(sandbox).messages.batches.create(requests=[{"custom_id": each, "params": lead("x")} for each in ids])  # type: ignore[arg-type, misc]

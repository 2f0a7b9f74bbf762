"""The wire format: every failure is classified by what may be done next, and every token is priced."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lead_assets.classification.profiles import load_profiles
from lead_assets.classification.rulebook import load_rules
from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Lifetimes, Reply, Want
from lead_assets.model import prompt
from lead_assets.model.client import Attempt, MessagesClient, most_tokens
from lead_assets.model.rulebook import Prices, TokenUsage, load_prices
from lead_assets.sandbox import Handle

LENDING = load_profiles()["lending"]


def want(notes: str) -> Want:
    attempt = Attempt(LENDING, prompt.first_request(LENDING, prompt.render({"notes": notes})), 1024)
    return Want("anthropic", "anthropic.messages", notes, 0, "c", Lifetimes(timedelta(1), timedelta(1)), payload=attempt)


def call(settings: Settings, *notes: str) -> list[Reply]:
    async def run() -> list[Reply]:
        async with MessagesClient(settings, load_rules(settings).calls, load_prices(settings)) as client:
            return [reply for replies in await asyncio.gather(*(client([want(note)]) for note in notes)) for reply in replies]

    return asyncio.run(run())


SPEND = {"type": "error", "error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": "contract_spend_limit_reached"}}}


@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        ({"kind": "status", "status": 400}, "permanent", True),
        ({"kind": "status", "status": 401}, "auth", True),
        ({"kind": "status", "status": 402}, "quota", True),
        ({"kind": "status", "status": 403}, "auth", True),
        ({"kind": "status", "status": 404}, "permanent", True),
        ({"kind": "status", "status": 409}, "transient", True),
        ({"kind": "status", "status": 413}, "permanent", True),
        ({"kind": "status", "status": 429, "headers": {"retry-after": "7"}}, "rate_limited", True),
        ({"kind": "status", "status": 429, "body": SPEND}, "quota", True),
        ({"kind": "status", "status": 500}, "transient", True),
        ({"kind": "status", "status": 529}, "transient", True),
        ({"kind": "html"}, "contract", True),
        ({"kind": "empty"}, "contract", True),
        ({"kind": "malformed_json"}, "contract", True),
        ({"kind": "truncated_json"}, "contract", True),
        ({"kind": "drop_before"}, "transient", True),
        ({"kind": "drop_midway"}, "transient", True),
        ({"kind": "status", "status": 200, "body": {"type": "message"}}, "contract", True),
        ({"kind": "status", "status": 200, "body": [1]}, "contract", True),
    ],
)
def test_failures_are_told_apart(settings: Settings, sandbox: Handle, fault: dict[str, Any], kind: str, sent: bool) -> None:
    sandbox.set_fault("anthropic", **fault)
    with pytest.raises(ProviderError) as caught:
        call(settings, "Jordan wants a flip")
    assert (caught.value.kind, caught.value.sent) == (kind, sent)
    assert caught.value.retry_after == (7.0 if "headers" in fault else None)
    assert "Jordan" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(sandbox.requests("anthropic")) == 1


def test_a_refused_connection_was_not_sent(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"sandbox_url": "http://127.0.0.1:1"})
    with pytest.raises(ProviderError) as caught:
        call(nowhere, "flip")
    assert (caught.value.kind, caught.value.sent) == ("transient", False)


def test_an_answer_that_does_not_come_is_a_timeout(settings: Settings, sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "stall")

    async def run() -> None:
        calls = load_rules(settings).calls.model_copy(update={"timeout_seconds": 0.2})
        async with MessagesClient(settings, calls, load_prices(settings)) as client:
            await client([want("flip")])

    with pytest.raises(ProviderError) as caught:
        asyncio.run(run())
    assert (caught.value.kind, caught.value.reason, caught.value.sent) == ("transient", "timeout", True)


def test_the_request_is_in_the_wire_format(settings: Settings, sandbox: Handle) -> None:
    call(settings, "flip")
    body = json.loads(sandbox.requests("anthropic")[0]["body"])
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    schema = body["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(LENDING.contract.model_fields)
    assert not {"temperature", "top_p", "top_k"} & set(body)


def test_parallel_calls_share_the_cached_prompt(settings: Settings) -> None:
    replies = call(settings, *(f"flip {number}" for number in range(6)))
    written = [reply.body["usage"]["cache_creation_input_tokens"] > 0 for reply in replies]
    assert sum(written) == 1
    assert sum(reply.body["usage"]["cache_read_input_tokens"] > 0 for reply in replies) == 5


def test_the_vendors_meter_and_ours_agree(settings: Settings, sandbox: Handle) -> None:
    replies = call(settings, "flip", "rental", "[[sandbox:max_tokens]]", "[[sandbox:refusal]]")
    ours = Decimal(sum(reply.cost_micros for reply in replies)).scaleb(-6)
    theirs = Decimal(str(sandbox.meter()["anthropic"]["messages"]["usd"]))
    # Each call is rounded up to a whole micro-dollar.
    assert 0 <= ours - theirs <= Decimal("0.000004")


def test_what_is_reserved_is_never_less_than_what_is_paid(settings: Settings) -> None:
    prices = load_prices(settings)
    for notes in ("", "flip " * 1000, "日本語" * 500):
        reply = call(settings, notes)[0]
        attempt: Attempt = want(notes).payload
        assert prices.most_micros("claude-haiku-5-5", most_tokens(attempt), attempt.max_tokens) >= reply.cost_micros


def prices(**models: dict[str, Any]) -> Prices:
    rate = {"input": 1, "output": 5, "cache_write_5m": 1.25, "cache_write_1h": 2, "cache_read": 0.1}
    return Prices.model_validate({"models": {name: {**rate, **change} for name, change in models.items()}})


@pytest.mark.parametrize(
    ("usage", "micros"),
    [
        ({"input_tokens": 100, "output_tokens": 10}, 150),
        ({"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 100}, 10),
        ({"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 100}, 125),
        ({"cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60}}, 170),
        ({"input_tokens": 1, "cache_read_input_tokens": 1}, 2),
        ({"input_tokens": 100, "cache_creation_input_tokens": None, "cache_read_input_tokens": None, "new_counter": 5}, 100),
    ],
)
def test_every_kind_of_token_has_its_price(usage: dict[str, Any], micros: int) -> None:
    assert prices(m={}).cost_micros("m", TokenUsage.model_validate(usage)) == micros


def test_a_batch_costs_half_and_is_rounded_up() -> None:
    assert prices(m={}).cost_micros("m", TokenUsage(input_tokens=101, output_tokens=0), batch=True) == 51


def test_a_long_prompt_has_its_own_price() -> None:
    long = {"input": 10, "output": 50, "cache_write_5m": 12.5, "cache_write_1h": 20, "cache_read": 1}
    table = prices(m={"long_from": 1000, "long": long})
    assert table.cost_micros("m", TokenUsage(input_tokens=1000)) == 1000
    assert table.cost_micros("m", TokenUsage(input_tokens=1001)) == 10010


def test_an_unknown_model_costs_as_much_as_the_dearest_and_a_dated_one_as_its_family() -> None:
    table = prices(cheap={}, dear={"input": 9, "output": 90})
    assert table.cost_micros("brand-new", TokenUsage(input_tokens=10)) == 90
    assert table.cost_micros("cheap-20261001", TokenUsage(input_tokens=10)) == 10

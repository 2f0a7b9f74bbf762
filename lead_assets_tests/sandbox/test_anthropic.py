"""Anthropic's Messages API, through the real SDK: answers by schema, usage, cache, prices, refusals."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from pydantic import BaseModel, Field

from lead_assets.sandbox import Handle
from lead_assets_tests.sandbox.asking import FLIPPER, LENDING, claude, client, lead, said


def test_the_answer_meets_the_schema_and_quotes_the_notes(sandbox: Handle) -> None:
    message = claude(sandbox).messages.create(**lead(FLIPPER))
    answer = said(message)
    assert (answer["loan_type"], answer["investor_experience"], answer["urgency_score"]) == ("bridge_rtl", "experienced", 5)
    assert answer["outreach_message"].startswith("Hi Ana,")
    assert 10 <= len(answer["outreach_message"]) <= 280
    assert answer["evidence"]
    assert all(quote in FLIPPER for quote in answer["evidence"])
    assert message.stop_reason == "end_turn"
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_any_other_schema_is_filled_with_valid_values(sandbox: Handle) -> None:
    class Inner(BaseModel):
        kind: str
        flag: bool

    class Brief(BaseModel):
        summary: str
        score: int = Field(ge=3, le=4)
        inner: Inner
        maybe: float | None
        tags: list[str] = Field(min_length=1)

    parsed = claude(sandbox).messages.parse(
        model="claude-haiku-5-5",
        max_tokens=500,
        messages=lead("Selling a mill.", company="Mill Co", schema=None)["messages"],
        output_format=Brief,
    )
    assert parsed.parsed_output is not None
    assert parsed.parsed_output.summary == "Mill Co. Selling a mill."


def test_a_strict_tool_is_answered_by_its_input(sandbox: Handle) -> None:
    tool = {"name": "emit", "description": "Answer", "strict": True, "input_schema": LENDING}
    message = claude(sandbox).messages.create(**lead(FLIPPER, schema=None), tools=[tool], tool_choice={"type": "tool", "name": "emit"})
    assert message.stop_reason == "tool_use"
    assert message.content[0].type == "tool_use"
    assert message.content[0].input["loan_type"] == "bridge_rtl"


def test_usage_is_priced_as_the_vendor_prices_it(sandbox: Handle) -> None:
    usage = claude(sandbox).messages.create(**lead(FLIPPER)).usage
    assert usage.cache_creation_input_tokens == usage.cache_read_input_tokens == 0
    meter = sandbox.meter()["anthropic"]["messages"]
    assert (meter["requests"], meter["billed"]) == (1, 1)
    assert meter["usd"] == pytest.approx(usage.input_tokens * 0.10e-6 + usage.output_tokens * 0.50e-6, abs=1e-12)


def test_the_first_call_of_a_prefix_writes_the_cache_and_later_ones_read_it(sandbox: Handle) -> None:
    api = claude(sandbox)
    plain = api.messages.create(**lead("One.")).usage
    sandbox.reset()
    system = [{"type": "text", "text": lead("")["system"], "cache_control": {"type": "ephemeral"}}]
    usages = [api.messages.create(**{**lead(notes), "system": system}).usage for notes in ("One.", "Two.")]
    prefix = usages[0].cache_creation_input_tokens
    assert prefix
    assert (usages[0].cache_read_input_tokens, usages[1].cache_read_input_tokens) == (0, prefix)
    assert usages[1].cache_creation_input_tokens == 0
    assert usages[0].input_tokens + prefix == plain.input_tokens
    spent = sum(each.input_tokens * 0.10e-6 + each.output_tokens * 0.50e-6 for each in usages) + prefix * (0.125e-6 + 0.01e-6)
    assert sandbox.meter()["anthropic"]["messages"]["usd"] == pytest.approx(spent, abs=1e-12)


def test_tokens_are_counted_as_they_are_billed(sandbox: Handle) -> None:
    params = lead(FLIPPER)
    counted = claude(sandbox).messages.count_tokens(**{name: params[name] for name in ("model", "messages", "system", "output_config")})
    assert counted.input_tokens == claude(sandbox).messages.create(**params).usage.input_tokens
    assert sandbox.billed("anthropic") == 1


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_parameters_that_are_gone_are_refused(sandbox: Handle, name: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=name):
        claude(sandbox).messages.create(**lead("x"), extra_body={name: 0.5})
    assert sandbox.billed("anthropic") == 0


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {"type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer", "minimum": 1}}},
    ],
)
def test_schemas_that_structured_outputs_cannot_hold_are_refused(sandbox: Handle, schema: dict[str, object]) -> None:
    with pytest.raises(anthropic.BadRequestError, match="not supported"):
        claude(sandbox).messages.create(**lead("x", schema=schema))


def test_both_forms_of_the_key_are_taken(sandbox: Handle) -> None:
    with client(sandbox) as http:
        assert http.post("/anthropic/v1/messages", json=lead("x")).status_code == 200
    own = httpx2.post(f"{sandbox.url}/anthropic/v1/messages", json=lead("x"), headers={"x-api-key": "key"}, trust_env=False)
    assert own.status_code == 200
    missing = httpx2.post(f"{sandbox.url}/anthropic/v1/messages", json=lead("x"), trust_env=False)
    assert (missing.status_code, missing.json()["error"]["type"]) == (401, "authentication_error")
    with pytest.raises(anthropic.AuthenticationError):
        claude(sandbox, key="invalid").messages.create(**lead("x"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (402, "PaymentRequiredError"),
        (413, "ContentTooLargeError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (529, "OverloadedError"),
    ],
)
def test_errors_reach_the_sdk_as_its_own_classes(sandbox: Handle, status: int, error: str) -> None:
    sandbox.set_fault("anthropic", "status", status=status)
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude(sandbox).messages.create(**lead("x"))
    assert type(caught.value).__name__ == error
    assert caught.value.request_id
    assert sandbox.billed("anthropic") == 0


def test_an_overload_that_passes_is_retried_by_the_sdk(sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "status", status=529, times=1, headers={"retry-after-ms": "1"})
    assert said(claude(sandbox, retries=2).messages.create(**lead("x")))
    assert sandbox.meter()["anthropic"]["messages"]["requests"] == 2
    assert sandbox.billed("anthropic") == 1


@pytest.mark.parametrize(
    ("trigger", "field", "wrong"),
    [
        ("bad_enum", "loan_type", lambda value: value not in LENDING["properties"]["loan_type"]["enum"]),
        ("urgency_high", "urgency_score", lambda value: value == "high"),
        ("urgency_9", "urgency_score", lambda value: value == 9),
        ("placeholder", "outreach_message", lambda value: "[Name]" in value),
        ("long_message", "outreach_message", lambda value: len(value) == 5000),
        ("other_name", "outreach_message", lambda value: "Greta" in value),
        ("bad_evidence", "evidence", lambda value: value and value[0] not in FLIPPER),
    ],
)
def test_a_lead_can_ask_for_a_bad_answer(sandbox: Handle, trigger: str, field: str, wrong: object) -> None:
    assert callable(wrong)
    good = said(claude(sandbox).messages.create(**lead(FLIPPER)))
    bad = said(claude(sandbox).messages.create(**lead(f"{FLIPPER} [[sandbox:{trigger}]]")))
    assert wrong(bad[field])
    assert {**bad, field: None} == {**good, field: None}


def test_a_lead_can_ask_for_an_answer_that_is_none(sandbox: Handle) -> None:
    api = claude(sandbox)
    refused, empty, cut, prose, thought = (
        api.messages.create(**lead(f"{FLIPPER} [[sandbox:{trigger}]]"))
        for trigger in ("refusal", "empty", "max_tokens", "prose_json", "thinking_first")
    )
    assert (refused.stop_reason, refused.content, refused.stop_details is not None) == ("refusal", [], True)
    assert (empty.stop_reason, empty.content) == ("end_turn", [])
    assert cut.stop_reason == "max_tokens"
    for message in (cut, prose):
        with pytest.raises(ValueError):
            said(message)
    assert [block.type for block in thought.content] == ["thinking", "text"]
    assert thought.usage.output_tokens_details is not None
    assert said(thought)["loan_type"] == "bridge_rtl"


def test_the_limit_on_tokens_cuts_the_answer(sandbox: Handle) -> None:
    message = claude(sandbox).messages.create(**{**lead(FLIPPER), "max_tokens": 10})
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 10)


def test_a_bad_answer_is_mended_when_its_faults_are_sent_back(sandbox: Handle) -> None:
    params = lead(f"{FLIPPER} [[sandbox:bad_once]]")
    bad = claude(sandbox).messages.create(**params)
    assert said(bad)["loan_type"] == "mezzanine"
    repair = [
        *params["messages"],
        {"role": "assistant", "content": bad.content[0].text},
        {"role": "user", "content": "loan_type: not in the list"},
    ]
    assert said(claude(sandbox).messages.create(**{**params, "messages": repair}))["loan_type"] == "bridge_rtl"
    assert set(sandbox.subjects("anthropic")["messages"].values()) == {1}


def test_equal_prompts_are_one_subject(sandbox: Handle) -> None:
    for notes in ("One.", "One.", "Two."):
        claude(sandbox).messages.create(**lead(notes))
    assert sorted(sandbox.subjects("anthropic")["messages"].values()) == [1, 2]


def test_a_rate_limit_shows_in_the_headers(sandbox: Handle) -> None:
    sandbox.set_fault("anthropic", "rate_limit", rate=2, window=30)
    raw = claude(sandbox).messages.with_raw_response.create(**lead("x"))
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "60"
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "59"

"""pipe0's client: what it reads off an answer, and what it makes of each way to fail."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.sandbox import Handle
from lead_assets.vendors.http import HttpAnswer, retry_after
from lead_assets.vendors.pipe0.client import Pipe0, PipesRun, RunFailed

T = TypeVar("T")

OVERVIEW = [{"pipe_id": "company:overview@2"}]
KEY = SecretStr("sk-very-secret")
DOMAINS = [f"company{number}.example" for number in range(8)]


def ask(base_url: str, work: Callable[[Pipe0], Awaitable[T]], **options: Any) -> T:
    async def scenario() -> T:
        async with Pipe0(base_url, options.pop("key", KEY), **options) as client:
            return await work(client)

    return asyncio.run(scenario())


async def begin(client: Pipe0) -> PipesRun:
    records = [{"id": str(number), "company_website_url": f"https://{domain}"} for number, domain in enumerate(DOMAINS)]
    return await client.run(OVERVIEW, records)


async def to_the_end(client: Pipe0, run_id: str) -> PipesRun:
    while not (run := await client.check(run_id, OVERVIEW[0]["pipe_id"])).response.ended:
        await asyncio.sleep(0.02)
    return run


async def whole(client: Pipe0) -> PipesRun:
    return await to_the_end(client, (await begin(client)).response.id)


def run_overview(base_url: str, **options: Any) -> PipesRun:
    return ask(base_url, begin, **options)


def failure(base_url: str, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        ask(base_url, whole, **options)
    error = raised.value
    assert (error.provider, error.operation) == ("pipe0", "company:overview@2")
    assert error.__cause__ is None
    for private in ("sk-very-secret", "company1.example", "http"):
        assert private not in str(error).lower().replace("(http", "")
    return error


def test_a_run_gives_each_record_its_fields(sandbox: Handle) -> None:
    begun = run_overview(sandbox.url + "/pipe0")
    assert not begun.response.ended
    assert begun.pace.priority == 1
    assert not begun.pace.must_stop
    run = ask(sandbox.url + "/pipe0", lambda client: to_the_end(client, begun.response.id))
    assert (run.response.id, run.response.status) == (begun.response.id, "completed")
    assert sorted(run.response.records) == [str(number) for number in range(len(DOMAINS))]
    headcounts = [record.fields["headcount"] for record in run.response.records.values()]
    assert {field.status for field in headcounts} <= {"completed", "no_result"}
    assert all(isinstance(field.value, str) for field in headcounts if field.status == "completed")
    assert all(field.pipe == "company:overview@2" and not field.is_input for field in headcounts)
    assert len([request for request in sandbox.requests("pipe0") if request["method"] == "POST"]) == 1
    assert sandbox.billed("pipe0") == len(DOMAINS)


def test_what_pipe0_has_no_capacity_for_says_so(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "capacity", rate=1)
    paces = [run_overview(sandbox.url + "/pipe0").pace for _ in range(3)]
    assert paces[-1].should_slow_down
    assert paces[-1].must_stop


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, "permanent", "provider_error"),
        (401, "auth", "auth"),
        (402, "quota", "quota"),
        (403, "auth", "auth"),
        (404, "permanent", "provider_error"),
        (409, "transient", "provider_error"),
        (422, "permanent", "provider_error"),
        (429, "rate_limited", "rate_limited"),
        (451, "suppressed", "suppressed"),
        (500, "transient", "provider_error"),
        (503, "transient", "provider_error"),
        (302, "contract", "bad_answer"),
    ],
)
def test_each_status_says_what_may_be_done_next(sandbox: Handle, status: int, kind: str, reason: str) -> None:
    sandbox.set_fault("pipe0", "status", status=status)
    error = failure(sandbox.url + "/pipe0")
    assert (error.kind, error.reason, error.status, error.sent) == (kind, reason, status, True)


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ({"kind": "status", "status": 401, "body": "Invalid API key."}, "auth", "auth"),
        ({"kind": "status", "status": 400, "body": "Bad Request"}, "contract", "bad_answer"),
        ({"kind": "status", "status": 400, "body": {"errors": [{"code": "CreditBalanceInsufficient"}]}}, "quota", "quota"),
        ({"kind": "status", "status": 200, "body": {"error": "surprise"}}, "contract", "bad_answer"),
        ({"kind": "status", "status": 200, "body": []}, "contract", "bad_answer"),
        (
            {"kind": "status", "status": 200, "body": {"id": "r", "status": "failed", "errors": [{"code": "UnknownResolver"}]}},
            "permanent",
            "provider_error",
        ),
        ({"kind": "status", "status": 200, "body": {"id": "r", "status": "failed"}}, "transient", "provider_error"),
        ({"kind": "task_failed"}, "quota", "quota"),
        ({"kind": "html"}, "contract", "bad_answer"),
        ({"kind": "empty"}, "contract", "bad_answer"),
        ({"kind": "malformed_json"}, "contract", "bad_answer"),
        ({"kind": "truncated_json"}, "contract", "bad_answer"),
        ({"kind": "huge_body"}, "contract", "bad_answer"),
        ({"kind": "drop_before"}, "transient", "provider_error"),
        ({"kind": "drop_after"}, "transient", "provider_error"),
        ({"kind": "drop_midway"}, "transient", "provider_error"),
    ],
)
def test_a_broken_answer_is_told_from_a_refusal(sandbox: Handle, fault: dict[str, Any], kind: str, reason: str) -> None:
    sandbox.set_fault("pipe0", **fault)
    error = failure(sandbox.url + "/pipe0")
    assert (error.kind, error.reason, error.sent) == (kind, reason, True)


def test_a_refused_key_is_an_auth_failure(sandbox: Handle) -> None:
    assert failure(sandbox.url + "/pipe0", key=SecretStr("invalid")).kind == "auth"


def test_the_wait_that_pipe0_asks_for_is_handed_on(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "status", status=429, headers={"retry-after": "7"})
    assert failure(sandbox.url + "/pipe0").retry_after == 7.0


def test_no_answer_in_time_may_have_been_billed(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "stall")
    error = failure(sandbox.url + "/pipe0", deadline=0.2)
    assert (error.kind, error.reason, error.sent) == ("transient", "timeout", True)


def test_nothing_was_sent_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused = failure(f"http://127.0.0.1:{port}/pipe0")
    assert (refused.kind, refused.sent) == ("transient", False)

    def no_such_name(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    unknown = failure("http://pipe0.example")
    assert (unknown.kind, unknown.sent) == ("transient", False)


def test_a_timeout_carries_the_run_and_the_run_can_be_fetched(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "sync_timeout", latency_ms=50, times=1)
    error = failure(sandbox.url + "/pipe0")
    assert (error.kind, error.status) == ("transient", 408)
    assert error.vendor_ref is not None
    reference = error.vendor_ref
    run = ask(sandbox.url + "/pipe0", lambda client: to_the_end(client, reference))
    assert run.response.id == reference
    assert len(run.response.records) == len(DOMAINS)
    assert sandbox.billed("pipe0") == len(DOMAINS)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 404}, "permanent"),
        ({"kind": "status", "status": 429}, "rate_limited"),
        ({"kind": "status", "status": 500}, "transient"),
        ({"kind": "html"}, "contract"),
        ({"kind": "drop_midway"}, "transient"),
    ],
)
def test_whatever_becomes_of_the_question_the_run_goes_on(sandbox: Handle, fault: dict[str, Any], kind: str) -> None:
    reference = run_overview(sandbox.url + "/pipe0").response.id
    sandbox.set_fault("pipe0", operation="check", times=1, **fault)
    with pytest.raises(ProviderError) as raised:
        ask(sandbox.url + "/pipe0", lambda client: client.check(reference))
    assert (raised.value.kind, raised.value.vendor_ref) == (kind, reference)
    assert ask(sandbox.url + "/pipe0", lambda client: to_the_end(client, reference)).response.status == "completed"


def test_of_a_run_that_failed_there_is_nothing_to_fetch(sandbox: Handle) -> None:
    body = {"id": "r", "status": "failed", "records": {}, "errors": [{"code": "Internal"}]}
    sandbox.set_fault("pipe0", "status", status=200, operation="check", body=body)
    error = failure(sandbox.url + "/pipe0")
    assert isinstance(error, RunFailed)
    assert error.vendor_ref is None


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "The run did not end in time.", "run_id": "xgvxuqk2771d8t17n60vphu9"},
        {"detail": {"id": "xgvxuqk2771d8t17n60vphu9"}},
        {"errors": [{"code": "Timeout", "run_id": "xgvxuqk2771d8t17n60vphu9"}]},
        {"detail": "Sync timeout. The run continues; run id: xgvxuqk2771d8t17n60vphu9."},
        {"message": "Timed out, use check with id `xgvxuqk2771d8t17n60vphu9`"},
    ],
)
def test_the_run_id_of_a_timeout_is_found_wherever_it_stands(sandbox: Handle, body: dict[str, Any]) -> None:
    sandbox.set_fault("pipe0", "status", status=408, body=body)
    assert failure(sandbox.url + "/pipe0").vendor_ref == "xgvxuqk2771d8t17n60vphu9"


def test_more_records_than_pipe0_takes_are_refused_before_anything_is_sent(sandbox: Handle) -> None:
    records = [{"id": str(number), "company_website_url": "https://company1.example"} for number in range(101)]
    with pytest.raises(ValueError, match="1 to 100 records"):
        ask(sandbox.url + "/pipe0", lambda client: client.run(OVERVIEW, records))
    assert sandbox.requests("pipe0") == []


def test_nothing_of_a_request_is_logged(sandbox: Handle, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx2").setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        run_overview(sandbox.url + "/pipe0")
    assert not [record for record in caplog.records if record.name.startswith(("httpx2", "httpcore2"))]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("", None), ("soon", None), ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0)],
)
def test_retry_after_is_read_in_both_its_forms(header: str, seconds: float | None) -> None:
    assert retry_after(HttpAnswer(429, {"retry-after": header}, b"")) == seconds

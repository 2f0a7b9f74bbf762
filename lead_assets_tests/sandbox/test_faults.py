"""Faults: what the client sees, what was billed, and which requests they hit."""

from __future__ import annotations

import threading
import time

import httpx2
import pytest

from lead_assets.sandbox import Handle
from lead_assets_tests.sandbox.asking import client, run

_DOMAIN = "fault-test.example"


def test_a_status_comes_in_the_vendors_form_or_in_the_tests_own(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "status", status=503, times=1)
    sandbox.set_fault("pipe0", "status", status=402, body={"mine": 1}, headers={"retry-after": "7"}, times=1)
    sandbox.set_fault("pipe0", "status", status=401, body="go away", times=1)
    with client(sandbox) as http:
        replies = [run(http, _DOMAIN) for _ in range(4)]
    assert [each.status_code for each in replies] == [503, 402, 401, 200]
    assert replies[0].json()["type"] == "service-unavailable"
    assert (replies[1].json(), replies[1].headers["retry-after"]) == ({"mine": 1}, "7")
    assert (replies[2].text, replies[2].headers["content-type"]) == ("go away", "text/plain; charset=utf-8")
    assert sandbox.meter()["pipe0"]["company:overview@2"]["requests"] == 4
    assert sandbox.billed("pipe0") == 1


@pytest.mark.parametrize("kind", ["html", "empty", "huge_body"])
def test_an_answer_that_is_replaced_is_free(sandbox: Handle, kind: str) -> None:
    sandbox.set_fault("pipe0", kind, size=3_000_000)
    with client(sandbox) as http:
        reply = run(http, _DOMAIN)
    assert reply.status_code == 200
    assert {"html": reply.text.startswith("<!DOCTYPE"), "empty": reply.content == b"", "huge_body": len(reply.content) == 3_000_000}[kind]
    assert sandbox.billed("pipe0") == 0


@pytest.mark.parametrize("kind", ["malformed_json", "truncated_json"])
def test_an_answer_that_is_spoiled_was_billed(sandbox: Handle, kind: str) -> None:
    sandbox.set_fault("pipe0", kind)
    with client(sandbox) as http:
        reply = run(http, _DOMAIN)
    with pytest.raises(ValueError):
        reply.json()
    assert sandbox.billed("pipe0") == 1


@pytest.mark.parametrize(("kind", "billed"), [("drop_before", 0), ("drop_after", 1), ("drop_midway", 1)])
def test_a_connection_is_cut(sandbox: Handle, kind: str, billed: int) -> None:
    sandbox.set_fault("pipe0", kind, times=1)
    with client(sandbox) as http:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            run(http, _DOMAIN)
        assert sandbox.billed("pipe0") == billed
        assert run(http, _DOMAIN).status_code == 200


def test_a_refusal_can_be_billed_when_a_test_asks_for_it(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "status", status=500, billed=True, times=1)
    with client(sandbox) as http:
        assert run(http, _DOMAIN).status_code == 500
    assert sandbox.billed("pipe0") == 1


def test_a_stalled_answer_never_comes_and_holds_up_nobody(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "stall", match="stalled")
    with client(sandbox) as http:
        with pytest.raises(httpx2.ReadTimeout):
            http.post("/pipe0/v1/pipes/validate", json={"stalled": 1}, timeout=0.2)
        assert run(http, _DOMAIN).status_code == 200


def test_latency_delays_one_service_and_not_another(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "latency", latency_ms=400)
    done: list[str] = []

    def slow() -> None:
        with client(sandbox) as http:
            run(http, _DOMAIN)
        done.append("slow")

    threads = [threading.Thread(target=slow) for _ in range(3)]
    for thread in threads:
        thread.start()
    with client(sandbox) as http:
        while sandbox.billed("pipe0") < 3:  # billed on arrival, answered later
            time.sleep(0.01)
        assert http.get("/aturiya/users/auth/me").status_code == 200
        done.append("fast")
    for thread in threads:
        thread.join()
    assert done == ["fast", "slow", "slow", "slow"]


def test_a_fault_hits_what_it_names(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "status", status=500, operation="company:funding:leadmagic@1")
    sandbox.set_fault("pipe0", "status", status=422, match="unlucky.example")
    with client(sandbox) as http:
        assert run(http, "lucky.example").status_code == 200
        assert run(http, "unlucky.example").status_code == 422
        assert run(http, "lucky.example", pipes=("company:funding:leadmagic@1",)).status_code == 500
        assert http.get("/aturiya/users/auth/me").status_code == 200


def test_a_fault_can_wait_and_be_spent_and_cleared(sandbox: Handle) -> None:
    sandbox.set_fault("aturiya", "status", status=500, skip=1, times=2)
    with client(sandbox) as http:
        assert [http.get("/aturiya/users/auth/me").status_code for _ in range(4)] == [200, 500, 500, 200]
        sandbox.set_fault("aturiya", "status", status=500)
        sandbox.clear_faults()
        assert http.get("/aturiya/users/auth/me").status_code == 200


def test_chance_is_the_same_every_time(sandbox: Handle) -> None:
    def statuses() -> list[int]:
        sandbox.reset()
        sandbox.set_fault("aturiya", "status", status=500, probability=0.4, seed=7)
        with client(sandbox) as http:
            return [http.get("/aturiya/users/auth/me").status_code for _ in range(30)]

    first = statuses()
    assert first == statuses()
    assert 4 < first.count(500) < 22


def test_a_rate_limit_counts_what_came_too_fast(sandbox: Handle) -> None:
    sandbox.set_fault("pipe0", "rate_limit", rate=5, window=30)
    with client(sandbox) as http:
        replies = [http.post("/pipe0/v1/pipes/validate", json={}) for _ in range(160)]
    refused = [each for each in replies if each.status_code == 429]
    assert len(refused) == 10
    assert refused[0].json()["type"] == "org-rate-limited"
    assert 1 <= int(refused[0].headers["retry-after"]) <= 31
    assert sandbox.meter()["pipe0"]["_rate_limited"] == {"requests": 10, "billed": 0, "usd": 0.0}


def test_a_rate_limit_opens_again(sandbox: Handle) -> None:
    sandbox.set_fault("aturiya", "rate_limit", rate=10, window=0.2)
    with client(sandbox) as http:
        assert [http.get("/aturiya/users/auth/me").status_code for _ in range(3)] == [200, 200, 429]
        time.sleep(0.25)
        assert http.get("/aturiya/users/auth/me").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [{"kind": "gremlins"}, {"kind": "status"}, {"kind": "rate_limit"}, {"kind": "html", "tymes": 1}, {"kind": "html", "service": "nobody"}],
)
def test_a_fault_that_would_do_nothing_is_refused(sandbox: Handle, fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="_faults"):
        sandbox.set_fault(**{"service": "pipe0", **fault})  # type: ignore[arg-type]

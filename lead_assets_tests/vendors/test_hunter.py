"""Hunter's client: what it reads off an answer, and what it makes of each way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.sandbox import Handle
from lead_assets.vendors.hunter.client import Hunter

T = TypeVar("T")
ADDRESS = "ada.moreau@moreau.example"


def ask(sandbox: Handle, work: Callable[[Hunter], Awaitable[T]], **options: Any) -> T:
    async def scenario() -> T:
        async with Hunter(sandbox.url + "/hunter/v2", SecretStr("k-very-secret"), first_wait=0.01, **options) as client:
            return await work(client)

    return asyncio.run(scenario())


def test_a_verification_says_status_and_score(sandbox: Handle) -> None:
    said = ask(sandbox, lambda hunter: hunter.verify(ADDRESS))
    assert said["status"] in {"valid", "invalid", "accept_all", "unknown"}
    assert said["email"] == ADDRESS


def test_work_that_is_not_finished_is_asked_for_again_in_its_turn(sandbox: Handle) -> None:
    turns: list[str] = []

    async def turn(operation: str) -> None:
        turns.append(operation)

    sandbox.set_fault("hunter", "pending", operation="email-verifier", times=3)
    ask(sandbox, lambda hunter: hunter.verify(ADDRESS), turn=turn)
    assert len(turns) == len(sandbox.requests("hunter")) - 1 >= 3
    assert set(turns) == {"email-verifier"}


def test_work_that_never_finishes_is_left_to_be_fetched_later(sandbox: Handle) -> None:
    sandbox.set_fault("hunter", "pending", operation="email-verifier")
    with pytest.raises(ProviderError) as raised:
        ask(sandbox, lambda hunter: hunter.verify(ADDRESS), deadline=0.3)
    assert (raised.value.kind, raised.value.reason, raised.value.vendor_ref) == ("transient", "timeout", "email-verifier")


def test_a_finder_that_finds_nothing_says_none_however_hunter_words_it(sandbox: Handle) -> None:
    for fault in ({"status": 404}, {"status": 200, "body": {"data": {"email": None, "score": None}}}):
        sandbox.set_fault("hunter", "status", **fault)
        assert ask(sandbox, lambda hunter: hunter.find("moreau.example", "Ada", "Moreau")) is None
        sandbox.clear_faults()


def test_a_404_that_is_not_hunters_own_is_no_miss(sandbox: Handle) -> None:
    sandbox.set_fault("hunter", "html", status=404)
    with pytest.raises(ProviderError) as raised:
        ask(sandbox, lambda hunter: hunter.find("moreau.example", "Ada", "Moreau"))
    assert raised.value.kind == "permanent"


def test_a_domain_has_people_and_a_pattern(sandbox: Handle) -> None:
    found = ask(sandbox, lambda hunter: hunter.domain_search("moreau.example", limit=2))
    assert found is not None
    assert "{" in found["pattern"]
    assert 0 < len(found["emails"]) <= 2


def test_the_account_says_what_is_left(sandbox: Handle) -> None:
    account = ask(sandbox, lambda hunter: hunter.account())
    assert account["requests"]["verifications"]["available"] > 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 400}, "permanent"),
        ({"kind": "status", "status": 401}, "auth"),
        # The two that Hunter has the other way round.
        ({"kind": "status", "status": 403}, "rate_limited"),
        ({"kind": "status", "status": 429}, "quota"),
        ({"kind": "status", "status": 404}, "permanent"),
        ({"kind": "status", "status": 422}, "permanent"),
        ({"kind": "status", "status": 451}, "suppressed"),
        ({"kind": "status", "status": 500}, "transient"),
        ({"kind": "status", "status": 302}, "contract"),
        ({"kind": "status", "status": 200, "body": {"errors": []}}, "contract"),
        ({"kind": "html"}, "contract"),
        ({"kind": "truncated_json"}, "contract"),
        ({"kind": "drop_midway"}, "transient"),
    ],
)
def test_each_failure_says_what_may_be_done_next(sandbox: Handle, fault: dict[str, Any], kind: str) -> None:
    sandbox.set_fault("hunter", **fault)
    with pytest.raises(ProviderError) as raised:
        ask(sandbox, lambda hunter: hunter.verify(ADDRESS))
    assert raised.value.kind == kind
    assert raised.value.__cause__ is None
    for private in ("secret", "moreau", "ada"):
        assert private not in str(raised.value)


def test_the_key_is_in_no_url(sandbox: Handle) -> None:
    ask(sandbox, lambda hunter: hunter.verify(ADDRESS))
    assert all("secret" not in str(request) for request in sandbox.requests("hunter"))

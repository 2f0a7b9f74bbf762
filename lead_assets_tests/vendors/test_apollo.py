"""Apollo's client: what it reads off an answer, and what it makes of each way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.sandbox import Handle
from lead_assets.vendors.apollo.client import Apollo, Window

T = TypeVar("T")
DOMAINS = [f"company{number}.example" for number in range(10)]


def ask(sandbox: Handle, work: Callable[[Apollo], Awaitable[T]], key: str = "k-very-secret") -> T:
    async def scenario() -> T:
        async with Apollo(sandbox.url + "/apollo/api/v1", SecretStr(key)) as client:
            return await work(client)

    return asyncio.run(scenario())


def test_each_domain_has_its_own_organization_or_none(sandbox: Handle) -> None:
    found = ask(sandbox, lambda apollo: apollo.organizations(DOMAINS))
    assert len(found) == len(DOMAINS)
    assert all(each is None or each["primary_domain"] == domain for domain, each in zip(DOMAINS, found, strict=True))
    assert sandbox.billed("apollo") == sum(each is not None for each in found) > 0


def test_organizations_without_nulls_are_told_apart_by_their_domain(sandbox: Handle) -> None:
    body = {"status": "success", "organizations": [{"primary_domain": "company1.example", "name": "One"}]}
    sandbox.set_fault("apollo", "status", status=200, body=body)
    assert ask(sandbox, lambda apollo: apollo.organizations(DOMAINS[:2])) == [None, body["organizations"][0]]


def test_people_in_another_number_than_asked_belong_to_nobody(sandbox: Handle) -> None:
    sandbox.set_fault("apollo", "status", status=200, body={"status": "success", "matches": [{"name": "Ada Moreau"}]})
    with pytest.raises(ProviderError) as raised:
        ask(sandbox, lambda apollo: apollo.people([{"email": "a@b.example"}, {"email": "c@b.example"}]))
    assert raised.value.kind == "contract"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 401}, "auth"),
        ({"kind": "status", "status": 403}, "auth"),
        ({"kind": "status", "status": 402}, "quota"),
        ({"kind": "status", "status": 422}, "permanent"),
        ({"kind": "status", "status": 429}, "rate_limited"),
        ({"kind": "status", "status": 451}, "suppressed"),
        ({"kind": "status", "status": 500}, "transient"),
        ({"kind": "status", "status": 200, "body": {"status": "failed", "error_code": "UNKNOWN_ERROR"}}, "permanent"),
        ({"kind": "html"}, "contract"),
        ({"kind": "truncated_json"}, "contract"),
        ({"kind": "drop_midway"}, "transient"),
    ],
)
def test_each_failure_says_what_may_be_done_next(sandbox: Handle, fault: dict[str, Any], kind: str) -> None:
    sandbox.set_fault("apollo", **fault)
    with pytest.raises(ProviderError) as raised:
        ask(sandbox, lambda apollo: apollo.organizations(DOMAINS))
    assert raised.value.kind == kind
    assert "secret" not in str(raised.value)
    assert "company1" not in str(raised.value)


def test_more_than_ten_are_refused_before_anything_is_sent(sandbox: Handle) -> None:
    with pytest.raises(ValueError, match="1 to 10 records"):
        ask(sandbox, lambda apollo: apollo.organizations([*DOMAINS, "one-more.example"]))
    assert sandbox.requests("apollo") == []


def test_postings_and_people_are_lists_and_an_organization_that_is_gone_is_none(sandbox: Handle) -> None:
    found = ask(sandbox, lambda apollo: apollo.organizations(DOMAINS))
    identifier = next(each["id"] for each in found if each is not None)
    postings = ask(sandbox, lambda apollo: apollo.job_postings(identifier, limit=5))
    assert postings is not None
    assert len(postings) <= 5
    assert ask(sandbox, lambda apollo: apollo.job_postings("no/such id", limit=5)) is None
    people = ask(sandbox, lambda apollo: apollo.people_at(DOMAINS[0], limit=3))
    assert 0 < len(people) <= 3
    assert all("email" not in each for each in people)


@pytest.mark.parametrize("day", ["24-hour", "daily"])
def test_each_answer_says_what_its_windows_leave(sandbox: Handle, day: str) -> None:
    headers = {"x-minute-requests-left": "3", "x-minute-usage": "197", "x-hourly-requests-left": "", f"x-{day}-requests-left": "0"}
    seen: list[tuple[str, list[Window]]] = []

    async def watch(operation: str, windows: Sequence[Window]) -> None:
        seen.append((operation, list(windows)))

    async def scenario() -> None:
        async with Apollo(sandbox.url + "/apollo/api/v1", SecretStr("k"), watch=watch) as client:
            await client.people_at(DOMAINS[0], limit=1)

    sandbox.set_fault("apollo", "status", status=200, body={"people": []}, headers=headers)
    asyncio.run(scenario())
    assert seen == [("mixed_people/api_search", [Window(60, 197, 3), Window(86400, None, 0)])]

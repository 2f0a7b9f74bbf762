"""Hunter over HTTP: verify an address, find a person's, list a domain's, and what is left of the plan. Every call is a GET for one subject.

Belongs here: Hunter's wire format and its status codes, which differ from their usual meaning: 403 is "too fast", 429 is "the month's
credits are gone". Does not belong here: how an address is graded (see `lead_assets.signals`), caches, budgets and retries (see
`lead_assets.ledger.buying`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.crew import wait_for_vendor
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, VendorHttp, failure, json_object, problem

Turn = Callable[[str], Awaitable[None]]
"""Waits until one more request to an operation is within Hunter's rate limits: repeats count like any request."""

_KINDS: Kinds = {
    401: ("auth", "auth"),
    402: ("quota", "quota"),
    403: ("rate_limited", "rate_limited"),
    408: ("transient", "timeout"),
    429: ("quota", "quota"),
    451: ("suppressed", "suppressed"),
}

_MAY_MISS = frozenset({"email-finder", "domain-search"})
"""Operations whose 404 means that Hunter knows nothing. This is not documented per operation, so a null is accepted, too."""


class Hunter(VendorClient):
    """Hunter's API; use with `async with`. The key is sent in a header, so that no URL contains it."""

    def __init__(
        self,
        base_url: str,
        key: SecretStr,
        *,
        connections: int = 4,
        deadline: float = 30.0,
        turn: Turn | None = None,
        first_wait: float = 1.0,
    ) -> None:
        self._deadline = deadline
        self._turn = turn
        self._first_wait = first_wait
        super().__init__(VendorHttp("hunter", base_url, {"x-api-key": key.get_secret_value()}, connections=connections, deadline=deadline))

    async def verify(self, email: str) -> dict[str, Any]:
        """What Hunter knows about an address: status (valid, invalid, accept_all, webmail, disposable, unknown), score … Raises ProviderError."""
        return self._data("email-verifier", await self._finished("email-verifier", {"email": email}))

    async def find(self, domain: str, first_name: str, last_name: str) -> dict[str, Any] | None:
        """A person's address at a company: email, score, verification …; None if Hunter finds none (no charge)."""
        params = {"domain": domain, "first_name": first_name, "last_name": last_name}
        answer = await self._finished("email-finder", params)
        data = None if answer.status == 404 else self._data("email-finder", answer)
        return data if data is not None and data.get("email") else None

    async def domain_search(self, domain: str, *, limit: int = 10) -> dict[str, Any] | None:
        """A company's people and address pattern; None if Hunter does not know it. One credit per ten people."""
        params = {"domain": domain, "limit": min(100, max(1, limit)), "type": "personal"}
        answer = await self._finished("domain-search", params)
        return None if answer.status == 404 else self._data("domain-search", answer)

    async def account(self) -> dict[str, Any]:
        """The plan and what is left of it. Free."""
        return self._data("account", await self._finished("account", {}))

    async def _finished(self, operation: str, params: Mapping[str, Any]) -> HttpAnswer:
        """The answer, once it is more than "in progress" (202). A verification that takes too long is left to a later call, which picks it up:
        the same request serves as the reference."""
        clock = asyncio.get_running_loop().time
        end, wait = clock() + self._deadline, self._first_wait
        while True:
            answer = await self._http.request(operation, "GET", f"/{operation}", params=params)
            if answer.status != 202:
                break
            if clock() + wait > end:
                raise ProviderError("hunter", operation, "transient", "timeout", status=202, vendor_ref=operation)
            await wait_for_vendor(wait)
            wait = min(wait * 1.5, 5.0)
            if self._turn is not None:
                await self._turn(operation)
        # A 404 is a miss only if Hunter itself says so: one from a proxy or a wrong URL says nothing about the person.
        if answer.status >= 300 and not (answer.status == 404 and operation in _MAY_MISS and problem(answer).get("errors")):
            raise failure("hunter", operation, answer, _KINDS)
        return answer

    def _data(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        data = json_object("hunter", operation, answer).get("data")
        if not isinstance(data, dict):
            raise ProviderError("hunter", operation, "contract", "bad_answer", status=answer.status)
        return data

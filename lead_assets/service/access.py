"""Who may do what: keys in a header, their scopes and rates, and the audit log.

A key is read from `Authorization: Bearer` or `X-API-Key`, never from a URL, where proxies and browsers would log it. A revoked key is refused within
`_REMEMBERED_SECONDS`. Does not belong here: what keys are (see `lead_assets.ledger.keys`), signatures of webhooks (see `signatures`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import Request
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey, Use
from lead_assets.ledger.ledger import Ledger

_REMEMBERED_SECONDS = 2.0
_TRUSTED_SECONDS = 60.0
"""How long a key counts without a look at the ledger, while its database does not answer."""
_PATIENCE_SECONDS, _MOST_PATIENCE_SECONDS = 0.25, 10.0
_REMEMBERED = 10_000
_LOOKS_LIKE_A_KEY = re.compile(r"\bla_[0-9a-f]{12}_[\w-]{8}")
_log = logging.getLogger(__name__)


@dataclass
class _Bucket:
    """A second's worth of requests, filled continuously."""

    tokens: float
    at: float


@dataclass
class Access:
    """Keys, rates and the audit log of one process."""

    ledger: Ledger
    _known: dict[bytes, tuple[float, ServiceKey | None]] = field(default_factory=dict)
    _asking: dict[bytes, asyncio.Task[ServiceKey | None]] = field(default_factory=dict)
    # Of its own, so that nothing else waits while the ledger's database is away.
    _asker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "keys"))
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _uses: Counter[tuple[str, str, int, str | None]] = field(default_factory=Counter)

    async def key_of(self, request: Request) -> ServiceKey | None:
        """The valid key that a request was sent with, or None. Raises HTTPException 400 for a key in the URL."""
        self.refuse_key_in_url(request)
        text = _sent(request)
        return await self.valid(text) if text else None

    def refuse_key_in_url(self, request: Request) -> None:
        """Raises HTTPException 400 for a key in the URL."""
        query: bytes = request.scope["query_string"]
        if query and _LOOKS_LIKE_A_KEY.search(query.decode("latin-1")):
            raise HTTPException(400, "a key in a URL ends up in logs: revoke it, and send keys in the header Authorization: Bearer")

    async def valid(self, text: str) -> ServiceKey | None:
        """The key with this text, if it exists and has not ended. While the ledger does not answer, a key that was valid a minute ago still is; for any other,
        raises HTTPException 503."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        at, key = self._known.get(digest, (-_TRUSTED_SECONDS, None))
        age = time.monotonic() - at
        if age > _REMEMBERED_SECONDS:
            asking = self._asking.get(digest)
            if asking is None:
                asking = self._asking[digest] = asyncio.create_task(self._ask(digest, text))
            is_trusted = key is not None and age < _TRUSTED_SECONDS
            done, _ = await asyncio.wait([asking], timeout=_PATIENCE_SECONDS if is_trusted else _MOST_PATIENCE_SECONDS)
            if done:
                key = asking.result()
            elif not is_trusted:
                raise HTTPException(503, "the keys cannot be looked up: the ledger's database does not answer", {"Retry-After": "5"})
        return key if key is not None and key.is_valid(datetime.now(UTC)) else None

    async def _ask(self, digest: bytes, text: str) -> ServiceKey | None:
        try:
            key = await asyncio.get_running_loop().run_in_executor(self._asker, self.ledger.keys.known, text)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[digest] = (time.monotonic(), key)
            return key
        finally:
            self._asking.pop(digest, None)

    async def demand(self, request: Request, scope: str, *, counted: bool = True) -> ServiceKey:
        """The request's key. Raises HTTPException: 401 without a valid key, 403 without the scope, 429 if it is too fast. `counted=False`: its rate was
        asked before."""
        key = await self.key_of(request)
        if key is None:
            raise HTTPException(
                401,
                "a valid key is needed: send Authorization: Bearer <key>; `lead-assets keys create` makes one",
                {"WWW-Authenticate": 'Basic realm="lead_assets: the key is the password"' if _is_browser(request) else "Bearer"},
            )
        self.admit(request, key, scope, counted=counted)
        return key

    def admit(self, request: Request, key: ServiceKey, scope: str, *, counted: bool = True) -> None:
        """Let a valid key do what needs this scope, and note it. Raises HTTPException: 403 without the scope, 429 if it is too fast."""
        request.state.key_id = key.key_id
        if not key.may(scope):
            raise HTTPException(403, f"this key lacks the scope '{scope}': create one with --scope {scope}")
        if counted:
            self._pace(key)

    def _pace(self, key: ServiceKey) -> None:
        if key.rate_per_second is None:
            return
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.key_id, _Bucket(float(key.rate_per_second), now))
        bucket.tokens = min(float(key.rate_per_second), bucket.tokens + (now - bucket.at) * key.rate_per_second)
        bucket.at = now
        if bucket.tokens < 1:
            raise HTTPException(429, f"this key allows {key.rate_per_second} requests per second: slow down", {"Retry-After": "1"})
        bucket.tokens -= 1

    def note(self, key_id: str, action: str, status: int, about: str | None) -> None:
        """Add a request to the audit log, which is written once a second."""
        self._uses[key_id, action, status, about] += 1

    async def write_uses(self) -> None:
        """Write the audit log until cancelled; then what is left."""
        try:
            while True:
                await asyncio.sleep(1)
                await asyncio.to_thread(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        uses, self._uses = self._uses, Counter()
        now = datetime.now(UTC)
        try:
            self.ledger.keys.note_uses(
                [Use(key, now, action, status, about, count) for (key, action, status, about), count in uses.items()]
            )
        except Exception as error:
            _log.warning("service: the audit log could not be written (%s); it is tried again", type(error).__name__)
            self._uses.update(uses)


def needs(scope: str) -> Callable[[Request], Awaitable[ServiceKey]]:
    """A FastAPI dependency: the request's key, which has this scope."""

    async def dependency(request: Request) -> ServiceKey:
        access: Access = request.app.state.access
        return await access.demand(request, scope)

    return dependency


def _is_browser(request: Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _sent(request: Request) -> str | None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text:
        return text.strip()
    # What a person types into a browser's dialogue. A browser sends it on its own, also for other sites, so it must not change anything.
    if scheme.lower() == "basic" and request.method in ("GET", "HEAD"):
        with contextlib.suppress(ValueError):
            return base64.b64decode(text, validate=True).decode().rpartition(":")[2]
    return request.headers.get("x-api-key")

"""Who looks at the pages: a key is pasted once, and a cookie stands for it.

Sessions are in the ledger, so they outlast a restart and count in every process of the home; no key is written anywhere. A revoked key ends its sessions
within `_REMEMBERED_SECONDS`.
Does not belong here: keys and scopes (see `lead_assets.service.access`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger
from lead_assets.service.access import Access

SESSION = "lead_assets_session"
FORM = "lead_assets_form"
"""The cookie that the sign-in form's token belongs to: nobody else can make a browser sign in with a key of theirs."""
_SECONDS = 12 * 3600
_MOST = 10_000
_REMEMBERED_SECONDS = 2.0


class SignedOut(Exception):
    """Nobody is signed in, or the key has ended."""


@dataclass
class SignedIn:
    """The sessions of a home, for all its processes. Cookies are random numbers; the ledger keeps a hash of each, and which key it stands for."""

    _ledger: Callable[[], Ledger]
    _known: dict[str, tuple[float, datetime, ServiceKey]] = field(default_factory=dict)
    _secret: bytes | None = None

    def begin(self, key: ServiceKey) -> str:
        """A session for a key: what its cookie says."""
        cookie = secrets.token_urlsafe(32)
        self._ledger().keys.begin_session(cookie, key.key_id, timedelta(seconds=_SECONDS))
        return cookie

    @staticmethod
    def begin_form() -> str:
        """What the cookie of a sign-in form says."""
        return secrets.token_urlsafe(32)

    def end(self, cookie: str) -> None:
        self._known.pop(_hash(cookie), None)
        self._ledger().keys.end_session(cookie)

    async def key_of(self, request: Request) -> ServiceKey:
        """The key of a request's session. Raises SignedOut, and HTTPException 403 or 429 as for any other use of the key."""
        access: Access = request.app.state.access
        access.refuse_key_in_url(request)
        key = await self._standing_for(request.cookies.get(SESSION, ""))
        if key is None:
            raise SignedOut
        access.admit(request, key, "read")
        return key

    async def _standing_for(self, cookie: str) -> ServiceKey | None:
        if not cookie:
            return None
        digest = _hash(cookie)
        fresh, until, key = self._known.get(digest, (0.0, datetime.min.replace(tzinfo=UTC), None))
        if fresh < time.monotonic():
            found = await asyncio.to_thread(self._ledger().keys.of_session, cookie)
            if found is None:
                self._known.pop(digest, None)
                return None
            key, until = found
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[digest] = (time.monotonic() + _REMEMBERED_SECONDS, until, key)
        now = datetime.now(UTC)
        return key if key is not None and now < until and key.is_valid(now) else None

    def token(self, cookie: str) -> str:
        """What a form must send that belongs to this cookie."""
        if self._secret is None:
            self._secret = self._ledger().keys.secret("forms")
        return hmac.new(self._secret, cookie.encode(), hashlib.sha256).hexdigest()

    def check(self, request: Request, form: dict[str, str], name: str) -> None:
        """Raises HTTPException 403 for a form that is not from a page of ours: no token, another's, or sent from another site."""
        cookie = request.cookies.get(name, "")
        from_here = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        if not cookie or not from_here or not hmac.compare_digest(self.token(cookie).encode(), form.get("token", "").encode()):
            raise HTTPException(403, "this form is too old, or not from this page: open the page again and repeat it")


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, path="/explorer", httponly=True, samesite="strict", secure=request.url.scheme == "https")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

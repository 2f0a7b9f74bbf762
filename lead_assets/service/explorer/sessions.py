"""Who looks at the pages: a key is pasted once, and a cookie stands for it.

Sessions are in the memory of the process, so after a restart people sign in again, and no key is written anywhere. A revoked key ends its sessions.
Does not belong here: keys and scopes (see `lead_assets.service.access`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from lead_assets.ledger.keys import ServiceKey
from lead_assets.service.access import Access

SESSION = "lead_assets_session"
FORM = "lead_assets_form"
"""The cookie that the sign-in form's token belongs to: nobody else can make a browser sign in with a key of theirs."""
_SECONDS = 12 * 3600
_MOST = 10_000


class SignedOut(Exception):
    """Nobody is signed in, or the key has ended."""


@dataclass
class SignedIn:
    """The sessions of one process. Cookies hold a random number; only its hash is kept here."""

    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _open: OrderedDict[str, tuple[float, str]] = field(default_factory=OrderedDict)

    def begin(self, text: str) -> str:
        """A session for the key with this text: what its cookie says."""
        cookie = secrets.token_urlsafe(32)
        self._open[_hash(cookie)] = (time.monotonic() + _SECONDS, text)
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        return cookie

    @staticmethod
    def begin_form() -> str:
        """What the cookie of a sign-in form says."""
        return secrets.token_urlsafe(32)

    def end(self, cookie: str) -> None:
        self._open.pop(_hash(cookie), None)

    async def key_of(self, request: Request) -> ServiceKey:
        """The key of a request's session. Raises SignedOut, and HTTPException 403 or 429 as for any other use of the key."""
        access: Access = request.app.state.access
        access.refuse_key_in_url(request)
        until, text = self._open.get(_hash(request.cookies.get(SESSION, "")), (0.0, ""))
        key = await access.valid(text) if time.monotonic() < until else None
        if key is None:
            raise SignedOut
        access.admit(request, key, "read")
        return key

    def token(self, cookie: str) -> str:
        """What a form must send that belongs to this cookie."""
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

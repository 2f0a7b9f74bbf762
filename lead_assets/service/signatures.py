"""Signatures of webhooks: who signs how, and how old a request may be.

The secret of a source is in LEAD_ASSETS_RECEIVE_SECRET_<SOURCE>. A source that has one is believed by its signature and needs no key; without a valid
signature it is refused, also with a key. Several secrets, while one is being changed, are separated by spaces.

Sources: https://www.standardwebhooks.com, https://developers.facebook.com/docs/graph-api/webhooks/getting-started (X-Hub-Signature-256),
https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests (v3), https://www.typeform.com/developers/webhooks/secure-your-webhooks,
https://developer.calendly.com/api-docs/docs/webhook-signatures, https://docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, in both directions."""


class SignatureRefused(Exception):
    """The request is not from whom it says, or is too old; the text says which."""


@dataclass(frozen=True)
class Signed:
    """A request as it was signed. `headers` have lower-case names; `url` is the one that the sender called."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def is_signed(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in _SCHEMES)


def verify(request: Signed, secrets: str, now: float | None = None) -> str | None:
    """The sender's id of the event, if the signature covers one. Raises SignatureRefused."""
    scheme = next((_SCHEMES[name] for name in _SCHEMES if name in request.headers), None)
    if scheme is None:
        raise SignatureRefused("the request has no signature that is known: send one of " + ", ".join(_SCHEMES))
    refusal = SignatureRefused("no secret is set for this source")
    for secret in secrets.split():
        try:
            return scheme(request, secret, time.time() if now is None else now)
        except SignatureRefused as refused:
            refusal = refused
    raise refusal


def _standard(request: Signed, secret: str, now: float) -> str | None:
    event_id, stamp = (request.headers.get(f"webhook-{name}") or "" for name in ("id", "timestamp"))
    if not event_id:
        raise SignatureRefused("the header webhook-id is missing")
    _recent(stamp, now)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise SignatureRefused("the secret of this source is not base64: set it as its sender shows it") from None
    expected = _mac(key, f"{event_id}.{stamp}.".encode() + request.body)
    sent = [text.partition(",") for text in request.headers["webhook-signature"].split()]
    _same(base64.b64encode(expected).decode(), [value for version, _, value in sent if version == "v1"])
    return event_id


def _meta(request: Signed, secret: str, now: float) -> str | None:
    _same("sha256=" + _mac(secret.encode(), request.body).hex(), [request.headers["x-hub-signature-256"]])
    return None


def _hubspot(request: Signed, secret: str, now: float) -> str | None:
    stamp = request.headers.get("x-hubspot-request-timestamp") or ""
    _recent(stamp, now, per_second=1_000)
    signed = f"{request.method}{_hubspot_url(request.url)}".encode() + request.body + stamp.encode()
    _same(base64.b64encode(_mac(secret.encode(), signed)).decode(), [request.headers["x-hubspot-signature-v3"]])
    return None


def _typeform(request: Signed, secret: str, now: float) -> str | None:
    _same("sha256=" + base64.b64encode(_mac(secret.encode(), request.body)).decode(), [request.headers["typeform-signature"]])
    return None


def _calendly(request: Signed, secret: str, now: float) -> str | None:
    parts = [part.strip().partition("=") for part in request.headers["calendly-webhook-signature"].split(",")]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    _recent(stamp, now)
    _same(_mac(secret.encode(), stamp.encode() + b"." + request.body).hex(), [value for name, _, value in parts if name == "v1"])
    return None


def _slack(request: Signed, secret: str, now: float) -> str | None:
    stamp = request.headers.get("x-slack-request-timestamp") or ""
    _recent(stamp, now)
    signed = b"v0:" + stamp.encode() + b":" + request.body
    _same("v0=" + _mac(secret.encode(), signed).hex(), [request.headers["x-slack-signature"]])
    return None


_SCHEMES: Mapping[str, Callable[[Signed, str, float], str | None]] = {
    "webhook-signature": _standard,
    "x-hub-signature-256": _meta,
    "x-hubspot-signature-v3": _hubspot,
    "typeform-signature": _typeform,
    "calendly-webhook-signature": _calendly,
    "x-slack-signature": _slack,
}
_HUBSPOT_DECODES = {f"%{ord(letter):02X}": letter for letter in ":/?@!$'()*,;"}


def _hubspot_url(url: str) -> str:
    """HubSpot signs the URL with these characters decoded, and no others."""
    for coded in _HUBSPOT_DECODES:
        url = url.replace(coded, unquote(coded)).replace(coded.lower(), unquote(coded))
    return url


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _recent(stamp: str, now: float, per_second: int = 1) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        raise SignatureRefused("the signed time is missing or not a number")
    if abs(now - int(stamp) / per_second) > TOLERANCE_SECONDS:
        raise SignatureRefused(f"the signed time is more than {TOLERANCE_SECONDS} s from ours: check both clocks; a replay is refused, too")


def _same(expected: str, sent: list[str]) -> None:
    # All are compared, whichever is the right one, so that the time taken says nothing.
    if not sum(hmac.compare_digest(expected.encode(), each.encode("utf-8", "surrogatepass")) for each in sent):
        raise SignatureRefused("the signature does not match: check the secret, and that nothing on the way changes the body")

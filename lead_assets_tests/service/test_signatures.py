"""Signatures: every scheme accepts what its own sender makes, and refuses a changed body, another secret and an old time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from lead_assets.service.signatures import SignatureRefused, Signed, verify

NOW = 1_700_000_000.0
BODY = b'{"email": "ada@acme.example"}'
URL = "https://leads.acme.example/webhooks/x"
SECRET = "s3cret-of-the-source"
STANDARD = "whsec_" + base64.b64encode(b"twenty-four bytes or so!").decode()


def _mac(signed: bytes) -> bytes:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()


def _standard(at: int, body: bytes) -> dict[str, str]:
    signature = Webhook(STANDARD).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": "v1,AAAA " + signature}


def _meta(at: int, body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + _mac(body).hex()}


def _hubspot(at: int, body: bytes) -> dict[str, str]:
    signed = f"POST{URL}".encode() + body + f"{at}000".encode()
    return {"x-hubspot-signature-v3": base64.b64encode(_mac(signed)).decode(), "x-hubspot-request-timestamp": f"{at}000"}


def _typeform(at: int, body: bytes) -> dict[str, str]:
    return {"typeform-signature": "sha256=" + base64.b64encode(_mac(body)).decode()}


def _calendly(at: int, body: bytes) -> dict[str, str]:
    return {"calendly-webhook-signature": f"t={at},v1={_mac(str(at).encode() + b'.' + body).hex()}"}


def _slack(at: int, body: bytes) -> dict[str, str]:
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": "v0=" + _mac(f"v0:{at}:".encode() + body).hex()}


SENDERS = {_standard: STANDARD} | dict.fromkeys((_meta, _hubspot, _typeform, _calendly, _slack), SECRET)
DATED = (_standard, _hubspot, _calendly, _slack)
Sender = Callable[[int, bytes], dict[str, str]]


def _check(headers: dict[str, str], secrets: str, body: bytes = BODY) -> str | None:
    return verify(Signed("POST", URL, headers, body), secrets, NOW)


@pytest.mark.parametrize("sender", SENDERS)
def test_what_the_sender_signs_is_accepted(sender: Sender) -> None:
    assert _check(sender(int(NOW), BODY), SENDERS[sender]) == ("msg_1" if sender is _standard else None)


@pytest.mark.parametrize("sender", SENDERS)
def test_a_changed_body_and_another_secret_are_refused(sender: Sender) -> None:
    headers = sender(int(NOW), BODY)
    with pytest.raises(SignatureRefused):
        _check(headers, SENDERS[sender], BODY + b" ")
    with pytest.raises(SignatureRefused):
        _check(headers, "whsec_" + base64.b64encode(b"another secret entirely!").decode())


@pytest.mark.parametrize("sender", SENDERS)
def test_the_old_secret_goes_on_working_beside_the_new_one(sender: Sender) -> None:
    _check(sender(int(NOW), BODY), "b2xk " + SENDERS[sender])


@pytest.mark.parametrize("sender", DATED)
@pytest.mark.parametrize("skew", [-301, 301])
def test_a_replay_and_a_wrong_clock_are_refused(sender: Sender, skew: int) -> None:
    with pytest.raises(SignatureRefused, match="300 s"):
        _check(sender(int(NOW) + skew, BODY), SENDERS[sender])


def test_the_vector_of_standard_webhooks() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert verify(Signed("POST", URL, headers, b'{"test": 2432232314}'), secret, 1614265330) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(
    "headers", [{}, {"webhook-signature": "v1,x"}, {"calendly-webhook-signature": "é=,"}, {"x-slack-signature": "v0=\udcff"}]
)
def test_a_broken_signature_is_refused_and_nothing_else(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        _check(headers, SECRET)

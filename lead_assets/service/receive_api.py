"""Webhooks and forms: `POST /webhooks/lead` and `POST /webhooks/{source}`.

Belongs here: what is accepted, who may send it, and the answer. Does not belong here: making it durable (see `receiving`).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple

import orjson
import polars as pl
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings
from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger
from lead_assets.service import signatures
from lead_assets.service.access import Access
from lead_assets.service.answers import Accepted, Routed
from lead_assets.service.enriching import OneLead, read_lead
from lead_assets.service.paying import EnrichRefused, bought, routed
from lead_assets.service.receiving import NOT_LEADS, NotStored, Receiver, SafeBody

MOST_BYTES = 16 << 20
"""Largest body of a webhook. Files above this are for the landing zone."""
_BODY_SECONDS = 30.0
"""How long a sender may take for a body."""
_TYPES = re.compile(
    r"(?:application/(?:(?:[\w.-]+\+)?json|x-ndjson|ndjson|jsonl?|json-?lines|x-www-form-urlencoded|octet-stream|csv|gzip|x-gzip|zip"
    r"|vnd\.ms-excel|vnd\.openxmlformats-officedocument\.spreadsheetml\.sheet)|text/(?:plain|csv|tab-separated-values|json)|multipart/form-data)$"
)
_EVENT_HEADERS = ("webhook-id", "idempotency-key", "x-event-id", "x-hubspot-event-id")
_MOST_EVENT_ID = 256
_MOST_WAIT_SECONDS = 60.0
_PREFER = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\b", re.IGNORECASE)
_REMEMBERED_SECONDS, _MOST_SOURCES = 2.0, 1_000
_in_file: dict[str, tuple[float, str | None]] = {}
_WEBHOOKS = "/webhooks/"
_PLAIN = SimpleNamespace(path="/webhooks/{source}")
_log = logging.getLogger(__name__)
_SOURCE = r"^[a-z0-9][a-z0-9_-]{0,63}$"

router = APIRouter(tags=["receive"])

_EXAMPLES = {
    "one lead": {
        "value": {"event_id": "evt_1", "email": "ada@acme.example", "full_name": "Ada Lovelace", "company": "Acme", "title": "CTO"}
    },
    "several": {"value": [{"email": "ada@acme.example"}, {"email": "grace@acme.example", "notes": "wants a bridge loan"}]},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": ["object", "array"]}, "examples": _EXAMPLES},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Routed,
        "description": "The event was received earlier and nothing was stored; or, if asked to wait, the lead is routed",
    },
    202: {"model": Accepted, "description": "The bytes are durable: lead ids, drop id and where to ask what became of them"},
    401: {"description": "No valid key or signature"},
    413: {"description": "The body is too large"},
    415: {"description": "Not a type that can contain leads"},
    422: {"description": "No lead in it: the fields are named, and the body is kept as a reject"},
    503: {"description": "The body is not safe (the disk is full): send it again"},
}


@router.post("/webhooks/{source}", status_code=202, responses=_ANSWERS, openapi_extra=_BODY, summary="Receive leads of any known shape")
async def receive(
    request: Request,
    source: Annotated[str, Path(pattern=_SOURCE, description="Who sends it, such as lead, typeform, meta")],
    campaign: Annotated[str | None, Query(description="Campaign for all leads in the body", min_length=1, max_length=200)] = None,
    wait: Annotated[
        bool, Query(description="Answer with the route of the one lead in the body; needs the scope write, because it buys")
    ] = False,
) -> Response:
    """One lead or many, as JSON, NDJSON, CSV, XLSX or a form, in every shape that `lead-assets shapes` lists. Answers once the bytes are on the disk;
    with `wait=true` or the header `Prefer: wait=N` once the lead is routed, or 202 if that takes longer."""
    state = request.app.state
    began = time.monotonic()
    secret = secret_of(state.settings, source)
    if secret is None:
        await state.access.demand(request, "webhook")
    campaign = key_of_campaign(campaign)
    demand_leads(request)
    body = await body_of(request, MOST_BYTES)
    event_id = _signed(request, body, secret, source, state.access) if secret is not None else None
    event_id = event_id or event_id_of(request, body)
    waiting = await _waiting(request, wait)
    now = datetime.now(UTC)
    if waiting is not None:
        leads, found = await asyncio.to_thread(read_lead, body, campaign=campaign, now=now, ledger=state.ledger, settings=state.settings)
        if found.payloads == 1 and not leads.is_empty():
            event_id = event_id or _same_person(state.ledger, leads)
        else:
            waiting = None
    receiver: Receiver = state.receiver
    try:
        taken = await receiver.take(body, source=source, event_id=event_id, campaign=campaign)
    except NotStored:
        raise HTTPException(503, "the body could not be stored: send it again", {"Retry-After": "5"}) from None
    state.metrics.received(taken)
    status, said = answered(taken)
    if waiting is not None and not taken.earlier:
        rest = waiting.seconds - (time.monotonic() - began)
        status, said = await _routed(request, waiting.key, leads, found, rest, began) or (status, said)
    return Response(orjson.dumps(said), status, media_type="application/json")


def is_plain(scope: Scope) -> bool:
    """Whether a request is what nearly all senders send: a POST to a source, with nothing to be read from its URL but the source."""
    path: str = scope["path"]
    return (
        scope["method"] == "POST"
        and path.startswith(_WEBHOOKS)
        and not scope["query_string"]
        and re.fullmatch(_SOURCE, path[len(_WEBHOOKS) :]) is not None
    )


async def received_plainly(scope: Scope, receiving: Receive, send: Send) -> None:
    """`receive` for such a request. Finding the route, and reading parameters that are not there, would take longer than all the rest."""
    request = Request(scope, receiving)
    scope["route"] = _PLAIN
    try:
        response = await receive(request, scope["path"][len(_WEBHOOKS) :])
    except HTTPException as refused:
        response = Response(orjson.dumps({"detail": refused.detail}), refused.status_code, refused.headers, "application/json")
    await response(scope, receiving, send)


@router.get("/webhooks/{source}", openapi_extra={"security": []}, summary="Meta's check of a webhook's address")
async def confirm(
    request: Request,
    source: Annotated[str, Path(pattern=_SOURCE)],
    mode: Annotated[str, Query(alias="hub.mode")] = "",
    token: Annotated[str, Query(alias="hub.verify_token")] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=200)] = "",
) -> Response:
    """Answers the challenge if the token is the source's LEAD_ASSETS_RECEIVE_TOKEN_<SOURCE>."""
    expected = _variable(request.app.state.settings, "TOKEN", source)
    if mode != "subscribe" or expected is None or not hmac.compare_digest(expected.encode(), token.encode("utf-8", "surrogatepass")):
        raise HTTPException(403, "the verify token is not the one that is set for this source")
    return Response(challenge, media_type="text/plain")


def answered(taken: SafeBody) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer about a body that is safe."""
    lead_id = taken.lead_ids[0] if taken.lead_ids else None
    said: dict[str, Any] = {
        "lead_id": lead_id,
        "drop_id": taken.drop_id,
        "status_url": f"/admin/leads/{lead_id}" if lead_id else f"/admin/drops/{taken.drop_id}",
    }
    if taken.earlier:
        return 200, {"status": "duplicate_ignored", "message": "this event was received earlier; nothing was stored", **said}
    if not taken.leads and any(fault.code not in NOT_LEADS for fault in taken.faults):
        detail = [
            {
                "type": fault.code,
                "loc": ["body", *([fault.position] if taken.rejected > 1 else []), *([fault.field] if fault.field else [])],
            }
            | {"msg": fault.reason}
            for fault in taken.faults
        ]
        return 422, {"error": "no_lead", "message": "no payload in the body is a lead; it is kept as a reject", "detail": detail, **said}
    said |= {"leads": taken.leads, "rejected": taken.rejected}
    if taken.leads > 1:
        said["lead_ids"] = taken.lead_ids
    if taken.faults:
        said["rejects"] = [fault._asdict() for fault in taken.faults]
    return 202, {"status": "accepted", **said}


class _Waits(NamedTuple):
    key: ServiceKey
    seconds: float


async def _waiting(request: Request, wait: bool) -> _Waits | None:
    """Whose money a synchronous answer takes, and how long it may take; None for the usual answer. `?wait=true` is a demand and may be refused;
    `Prefer` is a wish, which a key without the scope does not get (RFC 7240, section 2)."""
    access: Access = request.app.state.access
    wish = next((found for value in request.headers.getlist("prefer") if (found := _PREFER.search(value))), None)
    seconds = min(float(wish[1]), _MOST_WAIT_SECONDS) if wish else _MOST_WAIT_SECONDS
    if wait:
        return _Waits(await access.demand(request, "write", counted=False), seconds)
    if wish is None:
        return None
    key = await access.key_of(request)
    return _Waits(key, seconds) if key is not None and key.may("write") else None


async def _routed(
    request: Request, key: ServiceKey, leads: pl.DataFrame, found: OneLead, seconds: float, began: float
) -> tuple[int, dict[str, Any]] | None:
    """The lead router's answer; None if it takes too long. The lead is safe in any case, and the graph finds what was bought."""
    try:
        await bought(request, key, leads, found, None, max(seconds, 0.0))
    except EnrichRefused as refusal:
        if refusal.status_code == 504:
            return None
        # The model's answer is in quarantine: the lead has its score by rules, and a person decides.
    except Exception as error:
        _log.exception("service: a lead could not be routed at once; the next run of its campaign does")
        return 500, {
            "status": "error",
            "message": f"the lead is safe but could not be routed at once ({type(error).__name__}): the next run does",
        }
    return 200, routed(found, time.monotonic() - began)


def _same_person(ledger: Ledger, leads: pl.DataFrame) -> str | None:
    """An event id for senders that have none: the keyed hash of the lead's e-mail address."""
    email = leads["email_normalized"][0]
    return f"email:{ledger.suppression_hash(email)}" if email else None


def demand_leads(request: Request) -> None:
    """Raises HTTPException 415 for a type of body that cannot contain leads."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not _TYPES.match(kind):
        raise HTTPException(415, f"'{kind[:80]}' cannot contain leads: send JSON, NDJSON, CSV, XLSX or a form")


async def body_of(request: Request, most: int) -> bytes:
    """The whole body. Raises HTTPException: 413 if it is larger than `most`, 408 if it does not come."""
    declared = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the body is larger than {most} bytes: send it in parts, or put the file into the landing zone")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {_BODY_SECONDS:.0f} s") from None
    return b"".join(parts)


def secret_of(settings: Settings, source: str) -> str | None:
    """The secret that a source signs with, from LEAD_ASSETS_RECEIVE_SECRET_<SOURCE>."""
    return _variable(settings, "SECRET", source)


def _variable(settings: Settings, what: str, source: str) -> str | None:
    name = f"LEAD_ASSETS_RECEIVE_{what}_{source.upper().replace('-', '_')}"
    if (own := os.environ.get(name)) is not None:
        return own or None
    # Reading a file for each request would be a good part of the request.
    until, value = _in_file.get(name, (0.0, None))
    if until < time.monotonic():
        found = settings.secret(name)
        value = found.get_secret_value() if found is not None else None
        if len(_in_file) >= _MOST_SOURCES:
            _in_file.clear()
        _in_file[name] = (time.monotonic() + _REMEMBERED_SECONDS, value)
    return value


def _signed(request: Request, body: bytes, secret: str, source: str, access: Access) -> str | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        event_id = signatures.verify(signatures.Signed(request.method, str(request.url), headers, body), secret)
    except signatures.SignatureRefused as refused:
        raise HTTPException(401, f"the signature was refused: {refused}") from None
    request.state.key_id = f"signed:{source}"
    return event_id


def event_id_of(request: Request, body: bytes) -> str | None:
    """The sender's own id of the event: from a header, else `event_id` of the body."""
    for name in _EVENT_HEADERS:
        if value := request.headers.get(name):
            return value[:_MOST_EVENT_ID]
    if b'"event_id"' not in body:
        return None
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    value = said.get("event_id") if isinstance(said, dict) else None
    return str(value)[:_MOST_EVENT_ID] if isinstance(value, str | int) and value != "" else None


def key_of_campaign(campaign: str | None) -> str | None:
    """The partition key of a campaign. Raises HTTPException 422."""
    if campaign is None:
        return None
    try:
        return campaign_key(campaign)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None

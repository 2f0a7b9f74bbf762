"""Segment's HTTP Tracking API: identify, track, group and batch; and the Public API's regulations. Events are kept until reset, once per `messageId`.

It answers 200 to almost everything, even to what it then discards: a batch of more than 2,500 events, an event without a user, or one above 32 KB.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer, bearer

MAX_EVENTS, MAX_EVENT_BYTES, MAX_BATCH_BYTES = 2_500, 32_000, 500_000
MAX_REGULATED = 5_000
_TYPES = ("identify", "track", "group", "page", "screen")


class SegmentService(Service):
    name = "segment"
    prefix = "/segment"

    def reset(self) -> None:
        self._events: dict[str, dict[str, Any]] = {}
        self._dropped = 0
        self._suppressed: set[str] = set()

    def state(self) -> Any:
        return {"events": list(self._events.values()), "dropped": self._dropped, "suppressed": sorted(self._suppressed)}

    def routes(self) -> list[Route]:
        single = [self.route(f"/v1/{kind}", self._single, kind) for kind in ("identify", "track", "group")]
        return [self.route("/v1/batch", self._batch, "batch"), *single, self.route("/regulations", self._regulate, "regulations")]

    def credential(self, call: ServiceCall) -> str | None:
        """The write key: user name of Basic, or a field of the body; of the Public API, a token."""
        if call.operations == ("regulations",):
            return bearer(call)
        scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(token).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return None
        body = call.json()
        return str(body["writeKey"]) if isinstance(body, dict) and body.get("writeKey") else None

    def unauthorized(self, call: ServiceCall) -> Response:
        return answer({"success": False, "message": "Invalid write key"}, 401)

    def problem(self, status: int, call: ServiceCall) -> Response:
        return answer({"success": False, "message": f"HTTP {status}"}, status)

    def too_fast(self, call: ServiceCall, retry_after: float) -> Response:
        response = super().too_fast(call, retry_after)
        response.headers["x-ratelimit-reset"] = response.headers["retry-after"]
        return response

    def _single(self, call: ServiceCall) -> Response:
        body = call.json()
        if not isinstance(body, dict) or len(call.body) > MAX_EVENT_BYTES:
            return answer({"success": False, "message": "Invalid JSON or event too large"}, 400)
        self._take({**body, "type": call.operations[0]}, call.operations[0])
        return answer({"success": True})

    def _batch(self, call: ServiceCall) -> Response:
        body = call.json()
        if not isinstance(body, dict) or not isinstance(body.get("batch"), list) or len(call.body) > MAX_BATCH_BYTES:
            return answer({"success": False, "message": "Invalid JSON or batch too large"}, 400)
        events = body["batch"]
        if len(events) > MAX_EVENTS:
            self._dropped += len(events)
        else:
            for event in events:
                self._take(event, "batch")
        return answer({"success": True})

    def _regulate(self, call: ServiceCall) -> Response:
        """Deletes at once what the real one deletes within 30 days, and drops what comes later."""
        body: dict[str, Any] = call.json() or {}
        users: list[Any] = body.get("subjectIds") or []
        asked = (body.get("regulationType"), body.get("subjectType"))
        if not 0 < len(users) <= MAX_REGULATED or asked != ("SUPPRESS_WITH_DELETE", "USER_ID"):
            return answer({"errors": [{"type": "validation-error", "message": "the request is not valid"}]}, 422)
        self._suppressed |= set(map(str, users))
        self._events = {number: event for number, event in self._events.items() if event.get("userId") not in self._suppressed}
        return answer({"data": {"regulateId": uuid.uuid4().hex[:27]}})

    def _take(self, event: Any, operation: str) -> None:
        valid = isinstance(event, dict) and event.get("type") in _TYPES and (event.get("userId") or event.get("anonymousId"))
        if not valid or event.get("userId") in self._suppressed or len(orjson.dumps(event)) > MAX_EVENT_BYTES:
            self._dropped += 1
            return
        identifier = str(event.get("messageId") or uuid.uuid4())
        if self.faults.hit(self.name, "dropped_events", operation, identifier, orjson.dumps(event).decode()):
            self._dropped += 1
            return
        self.meter.delivered(self.name, operation, identifier)
        self._events.setdefault(identifier, event)

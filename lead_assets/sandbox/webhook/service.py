"""Somebody's own webhook: keeps what arrives, once per `webhook-id`, with the headers that it was signed with."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class WebhookService(Service):
    name = "webhook"
    prefix = "/webhook"

    def reset(self) -> None:
        self._events: dict[str, dict[str, Any]] = {}

    def state(self) -> Any:
        return {"events": self._events}

    def routes(self) -> list[Route]:
        return [self.route("/", self._take, "lead.routed")]

    def credential(self, call: ServiceCall) -> str | None:
        return call.request.headers.get("webhook-signature")

    def unauthorized(self, call: ServiceCall) -> Response:
        return self.problem(401, call)

    def problem(self, status: int, call: ServiceCall) -> Response:
        return answer(f"HTTP {status}", status, media_type="text/plain")

    def _take(self, call: ServiceCall) -> Response:
        headers = {name: call.request.headers.get(name) or "" for name in _HEADERS}
        self.meter.delivered(self.name, "lead.routed", headers["webhook-id"])
        self._events.setdefault(headers["webhook-id"], {"headers": headers, "body": call.body.decode()})
        return answer(b"", 204)

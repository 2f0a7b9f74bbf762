"""What all vendors have in common: a request is read, metered, checked for its credential, processed, and answered, late or broken if a fault says so.

Belongs here: handling one request. Does not belong here: a vendor's paths, bodies or wording.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lead_assets.sandbox.faults import REFUSALS, SPOILINGS, Faults, InjectedFault
from lead_assets.sandbox.meter import Meter

REFUSED_CREDENTIAL = "invalid"
"""The one credential that every service refuses."""


class BadRequest(Exception):
    """The vendor would answer 4xx; carries the finished answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


@dataclass
class ServiceCall:
    """One request, read to its end."""

    request: Request
    operations: tuple[str, ...]
    body: bytes
    limits: tuple[int, int, float] | None = None
    """For a rate limit: requests allowed per window, requests left, seconds until it ends."""
    _parsed: Any = field(default=None, repr=False)

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def query(self) -> Any:
        return self.request.query_params

    @property
    def origin(self) -> str:
        """Scheme, host and port that the client used."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}"

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def json(self) -> Any:
        """The body as JSON; None if it is not."""
        if self._parsed is None:
            try:
                self._parsed = orjson.loads(self.body)
            except orjson.JSONDecodeError:
                return None
        return self._parsed


Handler = Callable[[ServiceCall], Response | Awaitable[Response]]
Operations = str | Callable[[ServiceCall], tuple[str, ...]]


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None, media_type: str = "application/json") -> Response:
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(content, status, headers, media_type)


class Service(ABC):
    """One vendor."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    """Path below the sandbox's root, e.g. /pipe0."""

    def __init__(self, meter: Meter, faults: Faults, hang_up: Callable[[Request], None]) -> None:
        self.meter = meter
        self.faults = faults
        self._hang_up = hang_up
        self.reset()

    def reset(self) -> None:  # noqa: B027 - most services remember nothing
        """Forget everything."""

    def state(self) -> Any:
        """What arrived and is kept, for tests to inspect."""
        return {}

    @abstractmethod
    def routes(self) -> list[Route]: ...

    @abstractmethod
    def unauthorized(self, call: ServiceCall) -> Response:
        """The vendor's own answer to a missing or refused credential."""

    @abstractmethod
    def problem(self, status: int, call: ServiceCall) -> Response:
        """The vendor's own form of an error with this status."""

    def too_fast(self, call: ServiceCall, retry_after: float) -> Response:
        """The vendor's own answer to too many requests."""
        response = self.problem(429, call)
        response.headers["retry-after"] = str(max(1, round(retry_after + 0.499)))
        return response

    def credential(self, call: ServiceCall) -> str | None:
        return bearer(call)

    def route(self, path: str, handler: Handler, operation: Operations, methods: tuple[str, ...] = ("POST",)) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._walk(request, handler, operation)

        return Route(self.prefix + path, endpoint, methods=list(methods))

    def unknown_path(self) -> Route:
        """The last route of a service: anything else is the vendor's 404."""
        methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
        return self.route("/{rest:path}", lambda call: self.problem(404, call), "unknown_path", methods)

    async def _walk(self, request: Request, handler: Handler, operation: Operations) -> Response:
        call = ServiceCall(request, (), await request.body())
        call.operations = (operation,) if isinstance(operation, str) else operation(call)
        seen = self.meter.received(self.name, call.operations, call.method, request.url.path, call.body, request.url.query)
        response = await self._respond(call, handler)
        seen.status = response.status_code
        return response

    async def _respond(self, call: ServiceCall, handler: Handler) -> Response:
        credential = self.credential(call)
        if not credential or credential == REFUSED_CREDENTIAL:
            return self.unauthorized(call)
        faults = self.faults.concerning(self.name, call.operations, *self._texts(call))
        for fault in faults:
            if fault.kind == "rate_limit":
                admitted, left, closes_in = fault.admit()
                call.limits = (max(1, int((fault.rate or 1) * fault.window)), left, closes_in)
                if not admitted:
                    self.meter.rate_limited(self.name)
                    return self.too_fast(call, closes_in)
        late = sum(fault.latency_ms for fault in faults if fault.kind == "latency" and fault.strikes()) / 1000
        strike = next((fault for fault in faults if fault.kind in REFUSALS | SPOILINGS and fault.strikes()), None)
        # The work is done and billed on arrival: a client that hangs up while waiting has still bought the answer.
        works = strike is None or (strike.kind in SPOILINGS if strike.billed is None else strike.billed)
        response = await self._work(call, handler) if works else None
        if late:
            await asyncio.sleep(late)
        return response if strike is None and response is not None else await self._afflict(call, strike, response)

    async def _work(self, call: ServiceCall, handler: Handler) -> Response:
        try:
            response = handler(call)
            return response if isinstance(response, Response) else await response
        except BadRequest as refused:
            return refused.response

    async def _afflict(self, call: ServiceCall, fault: InjectedFault | None, response: Response | None) -> Response:
        """The answer after applying a fault."""
        assert fault is not None
        body = bytes(response.body) if response is not None else b""
        status = fault.status or 200
        match fault.kind:
            case "status" if fault.body is None:
                response = self.problem(status, call)
            case "status":
                plain = isinstance(fault.body, str)
                response = answer(fault.body, status, media_type="text/plain" if plain else "application/json")
            case "html":
                page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Service unavailable</h1></body></html>"
                response = answer(page, status, media_type="text/html")
            case "empty":
                response = answer(b"", status)
            case "huge_body":
                response = StreamingResponse(_huge(fault.size), status, media_type="application/json")
            case "malformed_json":
                response = answer(body.replace(b":", b"=", 1) or b"{")
            case "truncated_json":
                response = answer(body[: len(body) // 2])
            case "drop_midway":
                response = StreamingResponse(_half(body, call.request, self._hang_up), status, {"content-length": str(len(body))})
            case "drop_before" | "drop_after":
                self._hang_up(call.request)
                await _until_disconnected(call.request)  # uvloop would still send what is written before it has closed the connection
                response = answer(b"", 500)
            case "stall":
                await _until_disconnected(call.request)
                response = answer(b"", 499)
        assert response is not None
        response.headers.update(fault.headers)
        return response

    def _texts(self, call: ServiceCall) -> tuple[str, ...]:
        """The text that a fault's `match` is searched in: URL and body."""
        return (str(call.request.url), call.body.decode("utf-8", "replace"))


def bearer(call: ServiceCall) -> str | None:
    """The token of `Authorization: Bearer`."""
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _huge(size: int) -> AsyncIterator[bytes]:
    head, tail, chunk = b'{"data": "', b'"}', b"x" * 65536
    yield head
    left = size - len(head) - len(tail)
    while left > 0:
        yield chunk[:left]
        left -= len(chunk)
    yield tail


async def _half(body: bytes, request: Request, hang_up: Callable[[Request], None]) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.sleep(0.02)  # let the first half leave before cutting the connection
    hang_up(request)
    await _until_disconnected(request)


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

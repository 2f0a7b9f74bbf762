"""A proxy before the fake Snowflake that does to the wire what bad days do: cut it, hold back half of an upload, or answer as Snowflake would."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Cut(Exception):
    """To be raised by a rule: the connection ends without an answer, the server sees nothing."""


@dataclass
class Request:
    """One request on its way to the server. A rule may change `body` or return an answer of its own."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def content(self) -> dict[str, Any]:
        """The JSON that the connector sent; empty for an upload."""
        if self.method != "POST" or not self.body:
            return {}
        raw = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        result: dict[str, Any] = json.loads(raw)
        return result

    @property
    def sql(self) -> str:
        return str(self.content.get("sqlText", "")) if self.path.startswith("/queries/") else ""


Rule = Callable[[Request], dict[str, Any] | None]


@dataclass
class Proxy:
    url: str
    rule: Rule = lambda request: None
    """Called for each request: None lets it through, a dict is the answer, Cut ends the connection."""
    lose_answer: Callable[[dict[str, Any]], bool] = lambda answer: False
    """Whether a rule's answer means: let the request through, and lose the server's answer to it."""
    seen: list[Request] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        return [request.sql for request in self.seen if request.sql]


def once(condition: Callable[[Request], bool], then: Rule) -> Rule:
    """A rule for the first request of a kind; later ones pass."""
    done = threading.Event()

    def rule(request: Request) -> dict[str, Any] | None:
        if done.is_set() or not condition(request):
            return None
        done.set()
        return then(request)

    return rule


def begins(start: str) -> Callable[[Request], bool]:
    return lambda request: request.sql.startswith(start)


def refusal(code: str, message: str, sqlstate: str = "57014") -> dict[str, Any]:
    """Snowflake's answer to a statement that failed."""
    return {"success": False, "code": code, "message": message, "data": {"errorCode": code, "sqlState": sqlstate, "queryId": "01b2-0"}}


def rows(columns: dict[str, str], values: list[list[str | None]]) -> dict[str, Any]:
    """Snowflake's answer to a query, in its JSON form: column → type (text, fixed), values as text."""
    rowtype = [
        {"name": name, "type": kind, "nullable": True, "length": None, "precision": 38 if kind == "fixed" else None, "scale": 0}
        for name, kind in columns.items()
    ]
    result = {"queryResultFormat": "json", "rowtype": rowtype, "rowset": values, "total": len(values), "returned": len(values)}
    return {"success": True, "data": {"parameters": [], "queryId": "01b2-1", "statementTypeId": 4096, **result}}


@contextlib.contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    server.upstream = urlsplit(upstream).netloc  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.proxy  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, body, {name.lower(): value for name, value in self.headers.items()})
        the_proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        the_proxy.seen.append(request)
        try:
            answer = the_proxy.rule(request)
        except Cut:
            self.close_connection = True
            return
        lost = answer is not None and the_proxy.lose_answer(answer)
        if answer is not None and not lost:
            self._answer(200, "application/json", json.dumps(answer).encode())
            return
        onward = http.client.HTTPConnection(self.server.upstream, timeout=60)  # type: ignore[attr-defined]
        headers = request.headers | {"content-length": str(len(request.body))}
        onward.request(request.method, request.path, request.body, headers)
        reply = onward.getresponse()
        content = reply.read()
        onward.close()
        if lost:
            self.close_connection = True
            return
        self._answer(reply.status, reply.getheader("Content-Type") or "text/plain", content)

    do_PUT = do_GET = do_POST

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

"""Google Cloud Storage on loopback: the emulator, behind a proxy that adds guarantees the emulator lacks, and breaks those it is told to.

The promises: `ifGenerationMatch` on writes, reads, copies and deletes; listings from `startOffset` to `endOffset` in pages. The faults: a status, bytes
changed on the way, an answer lost after the work was done, an object replaced just before it is read, a listing that shows an object late.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

Kind = Literal["upload", "download", "list", "stat", "copy", "delete", "other"]


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a kind whose object's name contains `name`."""

    kind: Kind
    times: int
    status: int | None = None
    corrupt: bool = False
    lose_answer: bool = False
    before: Callable[[], None] | None = None
    name: str = ""


@dataclass
class GoogleStorage:
    """The server of a test session. `requests`: (kind, object's name) in order."""

    url: str
    emulator: tuple[str, int]
    requests: list[tuple[Kind, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    """Names that no listing shows yet."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def bucket(self, name: str) -> str:
        """A fresh bucket; returns its gs:// URL."""
        self.ask("POST", "/storage/v1/b", json.dumps({"name": name}).encode(), {"Content-Type": "application/json"})
        return f"gs://{name}"

    def reset(self) -> None:
        self.requests.clear()
        self.faults.clear()
        self.hidden.clear()

    def fault(self, kind: Kind, times: int = 1, **options: Any) -> None:
        self.faults.append(Fault(kind, times, **options))

    def overwrite(self, bucket: str, name: str, data: bytes) -> None:
        """What any other program may do to a bucket: write without a precondition."""
        self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}", data, {})

    def asked(self, kind: Kind) -> list[str]:
        return [name for found, name in self.requests if found == kind]

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """One request to the emulator itself."""
        with self.lock:  # it has one thread
            connection = http.client.HTTPConnection(*self.emulator, timeout=30)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                connection.close()

    def generation(self, bucket: str, name: str) -> str:
        """The live object's generation, "0" if there is none."""
        status, _, body = self.ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", b"", {})
        return str(json.loads(body)["generation"]) if status == 200 else "0"


@contextmanager
def start() -> Iterator[GoogleStorage]:
    from gcp_storage_emulator.server import create_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    emulator = create_server("127.0.0.1", port, in_memory=True)
    emulator.start()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    proxy.daemon_threads = True
    proxy.storage = GoogleStorage(f"http://127.0.0.1:{proxy.server_address[1]}", ("127.0.0.1", port))  # type: ignore[attr-defined]
    threading.Thread(target=proxy.serve_forever, name="google-storage", daemon=True).start()
    try:
        yield proxy.storage  # type: ignore[attr-defined]
    finally:
        proxy.shutdown()
        proxy.server_close()
        emulator.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two writes of one answer wait for each other's acknowledgement otherwise.
    wbufsize = 1 << 20

    @property
    def storage(self) -> GoogleStorage:
        found: GoogleStorage = self.server.storage  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        kind, bucket, name = _what(self.command, url.path, query, body)
        with self.storage.lock:
            self.storage.requests.append((kind, name))
            fault = next((f for f in self.storage.faults if f.kind == kind and f.times > 0 and f.name in name), None)
            if fault is not None:
                fault.times -= 1
                if fault.before is not None:
                    fault.before()
                if fault.status is not None:
                    self._answer(fault.status, {"Content-Type": "application/json"}, b'{"error": {"message": "made up"}}')
                    return
                if fault.corrupt and kind == "upload":
                    body = _flipped(body, body.rindex(b"\r\n--") - 1)
            wanted = query.get("ifGenerationMatch")
            of_source = query.get("ifSourceGenerationMatch")
            if (kind in ("upload", "download", "delete") and wanted is not None and self.storage.generation(bucket, name) != wanted) or (
                kind == "copy"
                and (
                    (of_source is not None and self.storage.generation(bucket, name) not in ("0", of_source))
                    or (wanted is not None and self.storage.generation(bucket, _copied_to(url.path)) != wanted)
                )
            ):
                self._answer(412, {"Content-Type": "application/json"}, b'{"error": {"message": "conditionNotMet"}}')
                return
            headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection", "accept-encoding")}
            status, answered, data = self.storage.ask(self.command, self.path, body, headers)
        if kind == "list" and status == 200:
            data = _listed(json.loads(data), query, self.storage.hidden)
        if fault is not None and fault.corrupt and kind == "download":
            data = _flipped(data, len(data) // 2)
        if fault is not None and fault.lose_answer:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(status, answered, data)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _what(method: str, path: str, query: dict[str, str], body: bytes) -> tuple[Kind, str, str]:
    from urllib.parse import unquote

    found = re.match(r"(/upload|/download)?/storage/v1/b/([^/]+)/o(?:/(.+))?$", path)
    if found is None:
        return "other", "", ""
    way, bucket, name = found[1], found[2], unquote(found[3] or "")
    if way == "/upload" and method == "POST":
        named = re.search(rb'"name": *("(?:[^"\\]|\\.)*")', body)
        return "upload", bucket, query.get("name") or (json.loads(named[1]) if named else "")
    if method == "DELETE" and name:
        return "delete", bucket, name
    if "/rewriteTo/b/" in path:
        return "copy", bucket, unquote(found[3].partition("/rewriteTo/b/")[0])
    if way == "/download" or query.get("alt") == "media":
        return "download", bucket, name
    return ("stat" if name else "list"), bucket, name or query.get("prefix", "")


def _copied_to(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path.partition("/rewriteTo/b/")[2].partition("/o/")[2])


def _listed(answer: dict[str, Any], query: dict[str, str], hidden: set[str]) -> bytes:
    def shown(name: str) -> bool:
        return name >= query.get("startOffset", "") and (not query.get("endOffset") or name < query["endOffset"])

    items = sorted(
        (item for item in answer.get("items", []) if shown(item["name"]) and item["name"] not in hidden), key=lambda i: i["name"]
    )
    prefixes = [prefix for prefix in answer.get("prefixes", []) if shown(prefix)]
    begin, size = int(query.get("pageToken") or 0), int(query.get("maxResults") or 100)
    page: dict[str, Any] = {"kind": answer["kind"], "items": items[begin : begin + size], "prefixes": [] if begin else prefixes}
    if begin + size < len(items):
        page["nextPageToken"] = str(begin + size)
    return json.dumps(page).encode()


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]

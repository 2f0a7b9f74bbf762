"""HTTP for all vendor clients: one connection pool per event loop, a size limit on answers, failures as `ProviderError`.

Belongs here: transport, and reading JSON from a body that may not be JSON. Does not belong here: the meaning of a vendor's status codes (each client
knows its own), retries, caches and budgets (see `lead_assets.ledger.buying`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from lead_assets.core.errors import Kind, ProviderError

if TYPE_CHECKING:
    import httpx2

MAX_BODY_BYTES = 16 << 20
"""A larger answer is refused while reading it. The largest realistic one (100 records, five pipes) is below 4 MB."""

# pipe0's front end reportedly blocks the default user agents of HTTP libraries.
USER_AGENT = "lead-assets/0.1"


@dataclass(frozen=True)
class HttpAnswer:
    """A complete answer of any status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class VendorHttp:
    """An HTTP client for one vendor; use with `async with` inside one event loop.

    `headers` hold the credential. Errors and logs never repeat headers, the URL's query or a body. `deadline` limits the whole request
    in seconds, so that an answer dripping in byte by byte ends too.
    """

    def __init__(self, provider: str, base_url: str, headers: Mapping[str, str], *, connections: int = 8, deadline: float = 30.0) -> None:
        self.provider = provider
        self._base_url = base_url.rstrip("/")
        self._headers = {"user-agent": USER_AGENT, "accept": "application/json", **headers}
        self._connections = connections
        self._deadline = deadline
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        import httpx2

        # At INFO, httpx2 logs every URL, and Hunter's URLs have an e-mail address in the query.
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)
        from lead_assets.vendors.network import without_detours

        trust_env = not _is_loopback(self._base_url)
        client = httpx2.AsyncClient(
            headers=self._headers,
            verify=certificates(trust_env=trust_env),
            timeout=httpx2.Timeout(self._deadline, connect=10.0),
            # httpx2 slows down with more connections (1,300 requests/s on one, 600 on 64): open only as many as are used at once.
            limits=httpx2.Limits(max_connections=self._connections, max_keepalive_connections=self._connections),
            follow_redirects=False,
            trust_env=trust_env,
        )
        self._client = without_detours(client)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send one request and return its answer, whatever the status. `content`: the body as it is, e.g. because it is signed.

        Raises ProviderError if there is no complete answer."""
        import httpx2

        if self._client is None:
            raise RuntimeError(f"the {self.provider} client was used outside its 'async with' block")
        try:
            async with asyncio.timeout(self._deadline):
                async with self._client.stream(
                    method, self._base_url + path, params=params, json=json, content=content, headers=headers
                ) as response:
                    body = await self._read(operation, response)
                    return HttpAnswer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        # `from None`, because the causes of these errors can contain the URL, and with it the subject.
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise ProviderError(self.provider, operation, "transient", "provider_error", sent=False) from None
        except (httpx2.TimeoutException, TimeoutError):
            raise ProviderError(self.provider, operation, "transient", "timeout") from None
        except httpx2.DecodingError:
            raise ProviderError(self.provider, operation, "contract", "bad_answer") from None
        except httpx2.TransportError:
            raise ProviderError(self.provider, operation, "transient", "provider_error") from None

    async def _read(self, operation: str, response: httpx2.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise ProviderError(self.provider, operation, "contract", "bad_answer", status=response.status_code)
            chunks.append(chunk)
        return b"".join(chunks)


def certificates(*, trust_env: bool) -> ssl.SSLContext:
    """Whose servers are trusted. Shared by all clients, because to read the certificates takes 20 ms of a core's time."""
    return _certificates(trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.cache
def _certificates(trust_env: bool, _file: str | None, _folder: str | None) -> ssl.SSLContext:
    """Whom connections trust. Reading the certificates takes 20 ms, so the clients of a process share them."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=trust_env)


class VendorClient:
    """A vendor's API over `http`, which its methods use; open it with `async with`."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.__aexit__(kind, error, trace)


Kinds = Mapping[int, tuple[Kind, str]]
"""The vendor's meaning of a status: kind and reason of the error."""


def meaning(answer: HttpAnswer, kinds: Kinds) -> tuple[Kind, str]:
    """The meaning of a status from 300 up. Below 500 the vendor decides; if it says nothing, the request can never succeed."""
    if answer.status >= 500:
        return "transient", "provider_error"
    if answer.status < 400:  # a redirect, so this is not the vendor's API answering
        return "contract", "bad_answer"
    return kinds.get(answer.status, ("permanent", "provider_error"))


def failure(provider: str, operation: str, answer: HttpAnswer, kinds: Kinds) -> ProviderError:
    """The error for an answer with such a status."""
    kind, reason = meaning(answer, kinds)
    return ProviderError(provider, operation, kind, reason, status=answer.status, retry_after=retry_after(answer))


def json_object(provider: str, operation: str, answer: HttpAnswer) -> dict[str, Any]:
    """The answer's body as a JSON object. HTML, truncated JSON or a bare list breaks the wire format: ProviderError of kind contract."""
    import orjson

    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ProviderError(provider, operation, "contract", "bad_answer", status=answer.status)
    return value


def json_list(provider: str, operation: str, answer: HttpAnswer) -> list[dict[str, Any]]:
    """The answer's body as a JSON list of objects. Raises ProviderError of kind contract for anything else."""
    import orjson

    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ProviderError(provider, operation, "contract", "bad_answer", status=answer.status)
    return value


def problem(answer: HttpAnswer) -> dict[str, Any]:
    """The body of an error answer if it is a JSON object, otherwise an empty one: vendors also send errors as text/plain and HTML."""
    import orjson

    try:
        value = orjson.loads(answer.body)
        # Apollo sends some errors as a JSON string that contains JSON.
        value = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def retry_after(answer: HttpAnswer, header: str = "retry-after") -> float | None:
    """The seconds in a Retry-After header, or in a vendor's own; may be a number or an HTTP date; None if missing or unreadable."""
    text = answer.headers.get(header, "").strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _is_loopback(url: str) -> bool:
    # A proxy from the environment must not come between the product and its own sandbox.
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

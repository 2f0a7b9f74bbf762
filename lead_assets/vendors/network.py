"""The sockets below httpx2: asyncio's own transports instead of anyio's streams, which ask the kernel more often per request.

anyio stops and starts watching a socket for every answer, and asks for its two addresses whenever the pool looks whether a connection is still good, for each
connection. Here a socket is watched as long as it is open, and a request's head and body leave together: one call to send, one to receive. See
docs/BENCHMARKS.md, "One campaign of 10,000 leads".

Belongs here: bytes in and out, and failures as httpcore2's exceptions. Does not belong here: HTTP.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, cast

import httpcore2
import httpx2

_MOST_UNREAD = 1 << 20
"""Bytes received and not read from which the vendor has to wait."""
_MOST_UNSENT = 1 << 16
"""Bytes of a request that are sent before all of it is written."""


def without_detours(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Let the client, and those of its proxies that speak HTTP, use these sockets. httpx2 has no public way to say so: where an upgrade moves the attributes,
    the client stays as it is (a test notices)."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if type(getattr(pool, "_network_backend", None)).__name__ in ("AutoBackend", "AnyIOBackend"):
            cast(Any, pool)._network_backend = AsyncioBackend()
    return client


class AsyncioBackend(httpcore2.AnyIOBackend):
    """TCP through asyncio; the rest as in httpcore2."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        local = (local_address, 0) if local_address is not None else None
        try:
            async with asyncio.timeout(timeout):
                # A quarter of a second until the next address is tried as well (RFC 8305).
                transport, protocol = await loop.create_connection(_Socket, host, port, local_addr=local, happy_eyeballs_delay=0.25)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return AsyncioStream(transport, protocol)


class AsyncioStream(httpcore2.AsyncNetworkStream):
    """One open connection."""

    def __init__(self, transport: asyncio.Transport, protocol: _Socket) -> None:
        self._transport = transport
        self._protocol = protocol
        self._unsent: list[bytes] = []
        protocol.transport = transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes; b"" if the vendor has closed the connection. Sends first what was written."""
        self._flush()
        try:
            return self._protocol.taken(max_bytes) or await self._later(max_bytes, timeout)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def _later(self, max_bytes: int, timeout: float | None) -> bytes:
        async with asyncio.timeout(timeout):
            await self._protocol.something()
        return self._protocol.taken(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send with the next read, or now if it is much."""
        if self._protocol.ended:
            raise httpcore2.WriteError("the connection is closed")
        self._unsent.append(bytes(buffer))
        if sum(map(len, self._unsent)) < _MOST_UNSENT:
            return
        self._flush()
        try:
            async with asyncio.timeout(timeout):
                await self._protocol.drained()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def _flush(self) -> None:
        if self._unsent and not self._protocol.ended:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    async def aclose(self) -> None:
        self._transport.abort()
        await asyncio.sleep(0)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        self._flush()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secured = await loop.start_tls(self._transport, self._protocol, ssl_context, server_hostname=server_hostname)
            if secured is None:
                raise httpcore2.ConnectError("the connection was closed during the TLS handshake")
        except BaseException as error:
            self._transport.abort()
            if isinstance(error, TimeoutError):
                raise httpcore2.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):  # which an SSLError is, too
                raise httpcore2.ConnectError(str(error)) from error
            raise
        return AsyncioStream(secured, self._protocol)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # Of an idle connection: the vendor has closed it.
            return self._protocol.ended or self._protocol.unread > 0
        names = {"ssl_object": "ssl_object", "client_addr": "sockname", "server_addr": "peername", "socket": "socket"}
        return self._transport.get_extra_info(names[info]) if info in names else None


class _Socket(asyncio.Protocol):
    """What has arrived on a connection."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.ended = False
        self.unread = 0
        self._chunks: list[bytes] = []
        self._error: Exception | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._sendable: asyncio.Future[None] | None = None
        self._held = False

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self.unread += len(data)
        if self.unread > _MOST_UNREAD and self.transport is not None and not self._held:
            self._held = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self._error = True, exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._sendable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._sendable is not None and not self._sendable.done():
            self._sendable.set_result(None)
        self._sendable = None

    def taken(self, most: int) -> bytes:
        """What has arrived, up to so many bytes. Raises OSError if the connection broke before."""
        if not self._chunks:
            if self._error is not None:
                raise self._error if isinstance(self._error, OSError) else ConnectionError(str(self._error))
            return b""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        rest = data[most:]
        self._chunks = [rest] if rest else []
        self.unread = len(rest)
        if self._held and self.unread <= _MOST_UNREAD // 2 and self.transport is not None:
            self._held = False
            if not self.ended:
                self.transport.resume_reading()
        return data[:most] if rest else data

    async def something(self) -> None:
        """Returns once bytes have arrived or the connection has ended."""
        if not self._chunks and not self.ended:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    async def drained(self) -> None:
        if self._sendable is not None:
            await asyncio.shield(self._sendable)
        if self._error is not None:
            raise ConnectionError(str(self._error))

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        self._arrived = None

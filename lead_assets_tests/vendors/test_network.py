"""The sockets below httpx2: what arrives, what ends a connection, and which failure is which."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lead_assets.vendors.network import AsyncioBackend, without_detours

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One request with its body; b"" if the client has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next((int(line.partition(b":")[2]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def run(
    serve: Serve, work: Callable[[httpx2.AsyncClient, str], Awaitable[Any]], tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None
) -> Any:
    """Work with a client against a loopback server; `tls`: the server's context and the client's."""

    async def both() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls[0] if tls else None, limit=1 << 26)
        url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with without_detours(httpx2.AsyncClient(timeout=2.0, verify=tls[1] if tls else True, trust_env=False)) as client:
            result = await work(client, url)
        server.close()
        return result

    return asyncio.run(both())


async def _always_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await _request(reader):
        writer.write(OK)
    writer.close()


def test_the_client_takes_these_sockets() -> None:
    """If it fails after an upgrade of httpx2: see `without_detours`."""
    client = without_detours(httpx2.AsyncClient())
    assert isinstance(client._transport._pool._network_backend, AsyncioBackend)  # type: ignore[attr-defined]


def test_many_requests_share_a_connection() -> None:
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await _always_ok(reader, writer)

    async def work(client: httpx2.AsyncClient, url: str) -> list[bytes]:
        return [(await client.get(url)).content for _ in range(20)]

    assert run(serve, work) == [b"ok"] * 20
    assert len(connections) == 1


def test_a_large_request_and_a_large_answer_arrive_whole() -> None:
    sent = bytes(range(256)) * 40_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = (await _request(reader)).partition(b"\r\n\r\n")[2]
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 100_000):
            writer.write(body[start : start + 100_000])
            await writer.drain()

    async def work(client: httpx2.AsyncClient, url: str) -> bytes:
        return (await client.post(url, content=sent)).content

    assert run(serve, work) == sent


def test_a_closed_idle_connection_is_not_used_again() -> None:
    requests = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await _request(reader))
        writer.write(OK)
        writer.close()

    async def work(client: httpx2.AsyncClient, url: str) -> list[int]:
        found = []
        for _ in range(3):
            found.append((await client.post(url, content=b"x")).status_code)
            await asyncio.sleep(0.05)
        return found

    assert run(serve, work) == [200, 200, 200]
    assert len(requests) == 3


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"])
def test_a_connection_cut_midway_is_a_failure_and_the_request_is_sent_once(answer: bytes) -> None:
    requests = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await _request(reader))
        writer.write(answer)
        writer.close()

    async def work(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.TransportError) as caught:
            await client.get(url)
        assert not isinstance(caught.value, httpx2.ConnectError | httpx2.TimeoutException)

    run(serve, work)
    assert len(requests) == 1


def test_a_reset_connection_is_a_read_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)  # unread bytes make the kernel reset the connection
        writer.transport.abort()

    async def work(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.TransportError) as caught:
            await client.post(url, content=b"x" * 5_000)
        assert not isinstance(caught.value, httpx2.ConnectError | httpx2.TimeoutException)

    run(serve, work)


def test_a_late_answer_is_a_read_timeout() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        await reader.read()

    async def work(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(url, timeout=0.05)

    run(serve, work)


def test_a_refused_connection_was_never_sent() -> None:
    async def work(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1")

    run(_always_ok, work)


def test_tls_is_verified(tmp_path: Path) -> None:
    server, trusting = _contexts(tmp_path)

    async def twice(client: httpx2.AsyncClient, url: str) -> list[bytes]:
        return [(await client.post(url, content=b"x" * 200_000)).content for _ in range(2)]

    async def refused(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)

    assert run(_always_ok, twice, (server, trusting)) == [b"ok", b"ok"]
    run(_always_ok, refused, (server, ssl.create_default_context()))


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())

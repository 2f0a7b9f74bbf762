"""A Snowflake on loopback for tests: fakesnow in a process of its own, which the real connector logs in to with a real key pair."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lead_assets.core.settings import Settings


@dataclass(frozen=True)
class FakeAccount:
    """Where the server is, and a key that logs in (fakesnow lets anyone in; the connector signs its login all the same)."""

    url: str
    key_path: Path

    def settings(self, **changes: Any) -> Settings:
        """Production settings for a database of its own, which fakesnow makes when it is first named."""
        fields: dict[str, Any] = {
            "env": "production",
            "snowflake_account": "demo-account",
            "snowflake_user": "LOADER",
            "snowflake_role": "LEAD_ASSETS_LOADER",
            "snowflake_warehouse": "LEAD_ASSETS_WH",
            "snowflake_database": f"LEADS_{uuid.uuid4().hex[:12]}",
            "snowflake_private_key_path": self.key_path,
            "snowflake_url": self.url,
            "snowflake_network_timeout_seconds": 4,
        }
        return Settings(**(fields | changes))

    def environment(self, url: str) -> dict[str, str]:
        """The same as the environment variables of docs/production.md, for commands; `url` is the server or a proxy before it."""
        fields = self.settings(snowflake_url=url).model_dump(
            include={name for name in Settings.model_fields if name.startswith("snowflake_")}
        )
        return {name.upper(): str(value) for name, value in fields.items() if value is not None}


@contextlib.contextmanager
def fake_account(folder: Path) -> Iterator[FakeAccount]:
    port = _free_port()
    with (
        (folder / "fakesnow.log").open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "fakesnow", "-s", "-p", str(port)], stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            _wait_for(port, server, folder / "fakesnow.log")
            yield FakeAccount(f"http://127.0.0.1:{port}", _key(folder / "rsa_key.p8"))
        finally:
            server.kill()  # It holds nothing that outlives the tests, and would wait for connections that they left open.


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"fakesnow did not start: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("fakesnow did not start within a minute")


def _key(path: Path) -> Path:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    return path

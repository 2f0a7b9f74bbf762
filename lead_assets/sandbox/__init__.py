"""The outside world on loopback: every external service in its real wire format, so that demo, tests and benchmarks use the real clients.

Belongs here: `start`, which runs the sandbox in its own process, and the handle to control it. Importing this module is cheap; the services are in
separate modules that only the child process imports. Does not belong here: anything the product needs to work with the real vendors.

The sandbox's answers are made up, deterministic per subject, and say nothing about the real world.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_LINE = "sandbox listening on "


class Handle:
    """Controls a running sandbox through its own endpoints (`/_meter`, `/_faults`, ...)."""

    def __init__(self, url: str, pid: int | None = None) -> None:
        self.url = url
        self.pid = pid

    def meter(self) -> dict[str, dict[str, dict[str, Any]]]:
        """`{service: {operation: {requests, billed, usd}}}` since the start or the last reset."""
        return self._ask("GET", "/_meter")

    def billed(self, service: str, operation: str | None = None) -> int:
        """Units billed by a service, or by one of its operations."""
        operations = self.meter().get(service, {})
        return sum(entry["billed"] for name, entry in operations.items() if operation in (None, name))

    def subjects(self, service: str) -> dict[str, dict[str, int]]:
        """`{operation: {subject: times billed}}`: a number above 1 means a double purchase."""
        return self._ask("GET", f"/_meter/subjects?service={service}")

    def requests(self, service: str) -> list[dict[str, Any]]:
        """The latest requests, oldest first: `{at, operations, method, path, query, status, body}`; `body` only for the last few hundred."""
        return self._ask("GET", f"/_requests?service={service}")[service]

    def state(self, service: str) -> Any:
        """What a service has received and kept: HubSpot's contacts, Slack's messages, Segment's events, SendGrid's contacts."""
        return self._ask("GET", f"/_state?service={service}")

    def set_fault(self, service: str, kind: str, **fields: Any) -> None:
        """Make a service misbehave; see `faults.Fault` for the fields. Several faults may be active."""
        self._ask("POST", "/_faults", {"service": service, "kind": kind, **fields})

    def clear_faults(self) -> None:
        self._ask("DELETE", "/_faults")

    def reset(self) -> None:
        """Clear meter, faults, request log and everything the services have kept."""
        self._ask("POST", "/_reset")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        from urllib.error import HTTPError
        from urllib.request import ProxyHandler, Request, build_opener

        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data=data, method=method, headers={"content-type": "application/json"})  # noqa: S310 - loopback only
        try:
            # A proxy in the environment must not see loopback traffic.
            with build_opener(ProxyHandler({})).open(request, timeout=30) as reply:
                return json.loads(reply.read())
        except HTTPError as error:
            raise ValueError(f"sandbox {method} {path}: {error.read().decode()}") from None


@contextmanager
def start(port: int = 0, campaigns: Path | str | None = None) -> Iterator[Handle]:
    """Run the sandbox in its own process until the block ends; port 0 picks a free one.

    The child holds the reading end of a pipe from this process and exits when it closes, so it cannot outlive a killed parent.
    """
    command = [sys.executable, "-m", "lead_assets.sandbox", "--port", str(port), "--until-stdin-closes"]
    if campaigns is not None:
        command += ["--campaigns", str(campaigns)]
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            line = child.stdout.readline().decode()
            if not line.startswith(READY_LINE):
                child.wait(5)
                errors.seek(0)
                raise RuntimeError(f"the sandbox did not start on port {port}; is the port taken? {errors.read().decode()[-2000:]}")
            yield Handle(line.removeprefix(READY_LINE).strip(), child.pid)
        finally:
            child.stdin.close()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
            child.stdout.close()

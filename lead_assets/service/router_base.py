"""The service as the lead router's clients expect it, below the base URL `/router`: the same calls, but `/router/health` says healthy where the lending API's
clients expect ok, and a webhook waits until its lead is routed (as `Prefer: wait` does) without being asked.

Does not belong here: the calls themselves.
"""

from __future__ import annotations

from starlette.types import Scope

_BASE = "/router"
_WAIT = (b"prefer", b"wait=60")


def below_router(scope: Scope) -> Scope:
    """The request as the rest of the service knows it; unchanged if it is not below `/router`."""
    path: str = scope["path"]
    if not path.startswith(f"{_BASE}/"):
        return scope
    headers = list(scope["headers"])
    if path.startswith(f"{_BASE}/webhooks/") and all(name != b"prefer" for name, _ in headers):
        headers.append(_WAIT)
    raw: bytes = scope.get("raw_path") or path.encode()
    return {**scope, "path": path[len(_BASE) :], "raw_path": raw[len(_BASE) :], "headers": headers, "below_router": True}


def is_below_router(scope: Scope) -> bool:
    return bool(scope.get("below_router"))

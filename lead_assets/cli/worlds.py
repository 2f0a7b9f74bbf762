"""Which world a home folder belongs to: the sandbox with its made-up answers, or the live one.

A ledger remembers whose answers it holds. So that commands after `demo` still use the sandbox, and a made-up answer is never served as a
fact, a home with a sandbox ledger always gets a sandbox and never a real vendor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger


@contextmanager
def connected(settings: Settings, *, prefer_sandbox: bool = False) -> Iterator[Settings]:
    """Settings with reachable vendors: unchanged, or with a sandbox started on loopback for the duration of the block.

    A sandbox is started if this home's ledger belongs to the sandbox, or is still unbound and the caller prefers a sandbox (the demo).
    Raises WorldMismatch, with the next step, if a live home is opened with a sandbox.
    """
    with opened_ledger(settings) as ledger:
        world = ledger.world()
    if settings.sandbox_url or world == "live" or (world is None and not prefer_sandbox):
        yield settings
        return
    from lead_assets.sandbox import start

    with start() as sandbox:
        yield settings.model_copy(update={"sandbox_url": sandbox.url})


def bound_world(settings: Settings) -> str:
    """The world of this home: its ledger's, or that of the settings if the ledger is still unbound."""
    with opened_ledger(settings) as ledger:
        return ledger.world() or settings.world

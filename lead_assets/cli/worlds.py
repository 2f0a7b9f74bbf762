"""Which world a home folder belongs to: the sandbox's, whose answers are made up, or the live one.

A ledger remembers whose answers it holds. So that a command given after `demo` still finds the sandbox, and no made-up answer is ever served as a
fact, a home whose ledger is the sandbox's always gets a sandbox, and never a vendor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger


@contextmanager
def connected(settings: Settings, *, prefer_sandbox: bool = False) -> Iterator[Settings]:
    """Settings whose vendors can be reached: as they are, or with a sandbox started on loopback for the length of the block.

    A sandbox is started if this home's ledger is the sandbox's, or if it is still unbound and the caller prefers one (the demo).
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
    """Whose answers this home's ledger holds: its own world, else that of the settings."""
    with opened_ledger(settings) as ledger:
        return ledger.world() or settings.world

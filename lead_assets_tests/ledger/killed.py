"""Simulates a process that dies at a chosen place: nothing is cleaned up, and its claims have no living holder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from lead_assets.ledger import Ledger
from lead_assets.ledger.schema import claims


class Killed(BaseException):
    """Raised where `kill -9` is to hit; no code may catch it."""


def die(*_: Any, **__: Any) -> NoReturn:
    raise Killed


async def die_here(*_: Any, **__: Any) -> NoReturn:
    """`die` in place of a coroutine."""
    raise Killed


@contextmanager
def killed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, where: object = None, name: str = "", how: Any = None) -> Iterator[None]:
    """What runs inside must die: by itself, or of `how` in place of `where.name`."""
    with monkeypatch.context() as patch:
        if where is not None:
            patch.setattr(where, name, how)
        patch.setattr(Ledger, "give_up", lambda *_: None)
        with pytest.raises(Killed):
            yield
    ledger._db.write(lambda tx: tx.execute(sa.update(claims).values(lease_until=0)))

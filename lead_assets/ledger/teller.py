"""Group commit: combines simultaneous ledger requests from the workers of one purchase into one transaction.

A transaction costs milliseconds, whatever it contains. A purchase with sixteen single calls in parallel would need two per call. Here a
request that arrives during a transaction waits for the next one, together with all others: a worker's settlement and its next
claim become one transaction. Nobody waits needlessly, and no call leaves before its worker's requests are committed.

Does not belong here: what the transactions do (see `claims`), or the order of claim, call and settlement (see `buyer`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lead_assets.ledger.model import Answer, Claimed, Intent, Settlement, Want

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

T = TypeVar("T")

_MOST = 400
"""Most wants per transaction: other processes have to wait for it."""


@dataclass
class _Errand:
    """One worker's request to settle or to claim. `done` receives the answers or the claims."""

    settlements: Sequence[Settlement] = ()
    wants: Sequence[Want] = ()
    intent: Intent | None = None
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def size(self) -> int:
        return len(self.settlements) + len(self.wants)


class Teller:
    """Claims and settles for the workers of one purchase, as one holder."""

    def __init__(self, ledger: Ledger, holder: str, lease: float) -> None:
        self._ledger = ledger
        self._holder = holder
        self._lease = lease
        self._waiting: list[_Errand] = []
        self._serving: asyncio.Task[None] | None = None

    async def claim(self, wants: Sequence[Want], intent: Intent | None = None) -> Claimed:
        """Claim wants and reserve their prices. Two workers must not ask for the same key at once."""
        claimed: Claimed = await self._send(_Errand(wants=wants, intent=intent))
        return claimed

    def settle(self, settlements: Sequence[Settlement]) -> asyncio.Future[list[Answer]]:
        """Journal the vendor's replies; done when committed. Claims made afterwards are committed with it, or later."""
        return self._send(_Errand(settlements=settlements))

    async def finish(self) -> None:
        """Wait until all requests are committed, even those of cancelled workers: a paid answer is never dropped."""
        while self._serving is not None and not self._serving.done():
            await asyncio.wait([self._serving])

    def _send(self, errand: _Errand) -> asyncio.Future[Any]:
        self._waiting.append(errand)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        return errand.done

    async def _serve(self) -> None:
        while self._waiting:
            errands = self._next()
            settlements = [settlement for errand in errands for settlement in errand.settlements]
            wants = [want for errand in errands for want in errand.wants]
            intents = [(errand.wants, errand.intent) for errand in errands if errand.intent is not None]
            try:
                answers, claimed = await in_thread(self._ledger.exchange, settlements, wants, self._holder, self._lease, intents)
            except BaseException as error:
                _fail([*errands, *self._waiting], error)
                self._waiting.clear()
                if not isinstance(error, Exception):
                    raise
                return
            left = iter(answers)
            for errand in errands:
                mine: Any = [next(left) for _ in errand.settlements] if errand.settlements else _part(claimed, errand.wants)
                if not errand.done.cancelled():
                    errand.done.set_result(mine)

    def _next(self) -> list[_Errand]:
        taken, size = 0, 0
        while taken < len(self._waiting) and (taken == 0 or size + self._waiting[taken].size <= _MOST):
            size += self._waiting[taken].size
            taken += 1
        errands, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return errands


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run a transaction in a thread. If cancelled, still wait for its end: an unknown result is worse than a late one."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _part(claimed: Claimed, wants: Sequence[Want]) -> Claimed:
    """The results for some of the wants that were claimed together."""
    keys = {want.key for want in wants}
    return Claimed(
        granted=[grant for grant in claimed.granted if grant.want.key in keys],
        busy=[want for want in claimed.busy if want.key in keys],
        answered={key: answer for key, answer in claimed.answered.items() if key in keys},
        refused={key: reason for key, reason in claimed.refused.items() if key in keys},
        uncertain=claimed.uncertain & keys,
        blocked=claimed.blocked,
    )


def _fail(errands: Sequence[_Errand], error: BaseException) -> None:
    for errand in errands:
        if not errand.done.done():
            errand.done.set_exception(error)

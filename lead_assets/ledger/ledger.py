"""`Ledger`: the one door to the journal of what costs money or cannot be redone.

Belongs here: the public methods, each one transaction. Does not belong here: what the transactions do (see the sibling modules, which are
loaded on first use, because every run imports the code location and few of its processes open the ledger).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from lead_assets.ledger.model import UNSENT, Answer, Claimed, History, Rate, Settlement, Want

if TYPE_CHECKING:
    import polars as pl

    from lead_assets.ledger.assignments_model import Assignment, Proposal
    from lead_assets.ledger.claims import Failure, Intents
    from lead_assets.ledger.controls import Circuit
    from lead_assets.ledger.costs import Billed, By
    from lead_assets.ledger.database import Clock, Database, Tx
    from lead_assets.ledger.misses import Cursor, Miss
    from lead_assets.ledger.money import Budget, Period, Scope

World = Literal["sandbox", "live"]
Buying = Literal["always", "never", "rehearsed"]
"""What a purchase may do: buy what is missing; serve answers of any age and buy nothing; note what it would buy."""


class WorldError(RuntimeError):
    """A ledger of made-up answers was opened for real buying, or the other way round."""


class Ledger:
    """The ledger at a SQLAlchemy URL (sqlite:///file or postgresql://…). Opens on first use; safe for many threads and processes.

    `clock` is for tests: a function that returns the time, timezone-aware.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = url
        self.buying: Buying = "always"
        self.wished: list[Want] = []
        """What a rehearsal would have bought."""
        self._clock = clock

    @functools.cached_property
    def _db(self) -> Database:
        from lead_assets.ledger.database import Database

        return Database(self.url, self._clock)

    def open(self) -> Ledger:
        """Connect and migrate now, for who wants to see a wrong URL early. Every other method does it by itself."""
        self._db.read(lambda tx: None)
        return self

    def close(self) -> None:
        self._db.close()

    def now(self) -> datetime:
        """The ledger's time, UTC: equal for all who share it."""
        return self._db.now()

    def recall_only(self) -> Ledger:
        """This ledger for a run that must cost nothing: purchases serve what it holds, of any age, and the rest is unknown (not_bought)."""
        return self._as("never")

    def rehearsal(self) -> Ledger:
        """This ledger for an estimate: purchases serve what a real one would serve, and note in `wished` what it would buy. Nothing is written."""
        return self._as("rehearsed")

    def wish(self, want: Want) -> None:
        """Note a want that was not bought."""
        self.wished.append(want)

    def _as(self, buying: Buying) -> Ledger:
        view = Ledger(self.url, self._clock)
        view.__dict__["_db"] = self._db  # one pool of connections
        view.buying = buying
        return view

    # Answers

    def histories(self, keys: Iterable[str]) -> dict[str, History]:
        """The newest known and the newest unknown answer of each key that has any."""
        from lead_assets.ledger import journal

        return self._db.read(lambda tx: journal.histories(tx, list(keys)))

    def answers(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The best answer of each key that has one, however old: what was found or not found before what is unknown."""
        return {key: history.best for key, history in self.histories(keys).items() if history.best is not None}

    # Claims

    def claim(self, wants: Sequence[Want], holder: str, lease: float = 60.0) -> Claimed:
        """Claim wants for `holder` (see `holders.new_holder`) for `lease` seconds and reserve their prices."""
        return self.exchange([], wants, holder, lease)[1]

    def renew(self, holder: str, lease: float = 60.0) -> None:
        """Begin all leases of a living holder anew."""
        from lead_assets.ledger import claims

        self._db.write(lambda tx: claims.renew(tx, holder, lease))

    def sending(self, keys: Iterable[str]) -> bool:
        """Say that the request for claims made as `UNSENT` leaves now. False if one of them is no longer the caller's: then it must not leave."""
        from lead_assets.ledger import claims

        keys = list(keys)
        return self._db.write(lambda tx: claims.sending(tx, keys))

    def not_sent(self, keys: Iterable[str]) -> None:
        """Take `sending` back: the vendor did not take the request."""
        self.attach_ref(keys, UNSENT)

    def attach_ref(self, keys: Iterable[str], vendor_ref: str) -> None:
        """Journal the vendor's id of work under way as soon as it exists: after a crash it is fetched by that."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.attach_ref(tx, keys, vendor_ref))

    def settle(self, settlements: Sequence[Settlement], holder: str) -> list[Answer]:
        """Journal replies, settle their prices and drop the claims, all in one transaction. Returns the answers as any reader will see them."""
        return self.exchange(settlements, [], holder)[0]

    def exchange(
        self, settlements: Sequence[Settlement], wants: Sequence[Want], holder: str, lease: float = 60.0, intents: Intents = ()
    ) -> tuple[list[Answer], Claimed]:
        """Settle, then claim, in one transaction: see `settle` and `claim`. `intents` are journaled with the claims."""
        from lead_assets.ledger import claims, journal

        if self.buying != "always":
            raise RuntimeError("this run buys nothing: a purchase goes through lead_assets.ledger.buying, which knows that")

        bodies = [journal.pack(settlement.reply.body) for settlement in settlements]

        def work(tx: Tx) -> Claimed:
            claims.settle(tx, settlements, bodies, holder)
            return claims.claim(tx, wants, holder, lease, intents)

        claimed = self._db.write(work)
        return [_bought(settlement, journal.unpack(body)) for settlement, body in zip(settlements, bodies, strict=True)], claimed

    def again(self, failures: Sequence[Failure], holder: str) -> set[str]:
        """Book failed attempts and reserve for the next. Returns the keys that may be tried again; the others' claims are given back."""
        from lead_assets.ledger import claims

        return self._db.write(lambda tx: claims.again(tx, failures, holder))

    def release(self, keys: Iterable[str], holder: str) -> None:
        """Give back claims whose call was never sent."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.release(tx, keys, holder))

    def park(self, keys: Iterable[str], holder: str) -> None:
        """End the leases of claims with a vendor_ref, whose work goes on at the vendor: the next purchase fetches it."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.park(tx, keys, holder))

    def give_up(self, holder: str, sent: Iterable[str]) -> None:
        """End all claims of a holder who stops early: those whose call was sent are uncertain, the others are given back."""
        from lead_assets.ledger import claims

        sent = list(sent)
        self._db.write(lambda tx: claims.give_up(tx, holder, sent))

    def abandon(self, keys: Iterable[str], holder: str) -> None:
        """Give up claims whose call may have been billed: counted as uncertain."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.abandon(tx, keys, holder))

    # Money

    def set_budget(self, scope: Scope, limit_micros: int | None, *, name: str = "", period: Period = "day") -> None:
        """Limit what may be spent in all ("total"), for one campaign or at one provider, in a day (UTC) or ever. None lifts the limit."""
        from lead_assets.ledger import money

        self._db.write(lambda tx: money.set_budget(tx, scope, name, period, limit_micros))

    def budgets(self) -> list[Budget]:
        """All limits, and what stands against them now."""
        from lead_assets.ledger import money

        return self._db.read(money.list_budgets)

    def costs(self, by: Sequence[By] = ("provider", "operation"), campaigns: Collection[str] | None = None) -> pl.DataFrame:
        """A row for each value of `by`: those columns, answers, calls, usd, uncertain_calls, uncertain_usd, input_tokens, output_tokens."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.costs(tx, by, campaigns))

    def billed(self, since: int | None = None, campaigns: Collection[str] | None = None) -> Billed:
        """{calls, usd, uncertain_calls}: in all, or after the call id that `last_call` gave, or for some campaigns."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.billed(tx, since, campaigns))

    def last_call(self) -> int:
        """The id of the newest call in the journal; 0 if there is none."""
        from lead_assets.ledger import costs

        return self._db.read(costs.last_call)

    def called_since(self, call: int) -> set[str]:
        """The keys of all calls after an id that `last_call` gave."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.called_since(tx, call))

    # Pace and stops

    def reserve_slots(self, bucket: str, rates: Sequence[Rate], count: int = 1, most: float = math.inf) -> datetime | None:
        """Take slots in all of a bucket's windows, shared with everybody who uses the bucket. Returns the ledger's time at which they are due;
        None, and no slot taken, if that is in more than `most` seconds."""
        from lead_assets.ledger import pacing

        return self._db.write(lambda tx: pacing.reserve_slots(tx, bucket, rates, count, most))

    def penalise(self, bucket: str, until: datetime) -> None:
        """Nobody uses the bucket before `until`: the vendor said "too fast"."""
        from lead_assets.ledger import pacing

        self._db.write(lambda tx: pacing.penalise(tx, bucket, until))

    def blocked_for(self, bucket: str) -> float:
        """Seconds for which the bucket must not be used; 0 if it may."""
        from lead_assets.ledger import pacing

        return self._db.read(lambda tx: pacing.blocked_for(tx, bucket))

    def note_failure(self, provider: str, *, counts: bool = True) -> bool:
        """Count a call that failed by the provider's fault, unless it was counted before. Returns True if its circuit is open now."""
        from lead_assets.ledger import controls

        return self._db.write(lambda tx: controls.note_failure(tx, provider, counts=counts))

    def pause(self, provider: str | None = None) -> None:
        """Allow no new call, to one provider or to all."""
        from lead_assets.ledger import controls

        self._db.write(lambda tx: controls.pause(tx, provider))

    def resume(self, provider: str | None = None) -> None:
        """Lift a pause and close the circuit; without a provider, all of them."""
        from lead_assets.ledger import controls

        self._db.write(lambda tx: controls.resume(tx, provider))

    def note_misses(
        self, table: str, campaigns: Collection[str], lacking: Collection[tuple[str, str]], run_id: str, *, asked_again: bool = False
    ) -> None:
        """A run has made `table` for `campaigns`; `lacking` are (campaign, provider) whose answers it missed for a passing reason."""
        from lead_assets.ledger import misses

        self._db.write(lambda tx: misses.note(tx, table, campaigns, lacking, run_id, asked_again=asked_again))

    def due_again(self, under_way: Collection[str], asked: Cursor) -> tuple[list[Miss], Cursor]:
        """The misses that are to be asked for again now, and the cursor after them: see `misses.due`."""
        from lead_assets.ledger import controls, misses

        def work(tx: Tx) -> tuple[list[Miss], Cursor]:
            circuits = {circuit.provider: circuit.open_until for circuit in controls.open_circuits(tx)}
            return misses.due(misses.waiting(tx), circuits, controls.paused_providers(tx), under_way, asked, tx.now)

        return self._db.read(work)

    def circuits(self) -> list[Circuit]:
        """The providers whose circuit is not closed, and until when they are left alone: where that is over, the next call tries."""
        from lead_assets.ledger import controls

        return self._db.read(controls.open_circuits)

    def paused(self) -> set[str]:
        """Providers that are paused; the empty name stands for all."""
        from lead_assets.ledger import controls

        return self._db.read(controls.paused_providers)

    def bind_world(self, world: World) -> None:
        """Call before buying. A ledger belongs for ever to the world it first bought in. Raises WorldError for the other."""
        from lead_assets.ledger import controls

        bound = self.world() or world if self.buying != "always" else self._db.write(lambda tx: controls.bind_world(tx, world))
        if bound != world:
            raise WorldError(
                f"ledger: it holds answers of the {bound} world and cannot be used to buy in the {world} world, where they would pass as "
                f"facts. Point LEAD_ASSETS_HOME (or LEAD_ASSETS_LEDGER_URL) at another place, or "
                f"{'set' if bound == 'sandbox' else 'unset'} LEAD_ASSETS_SANDBOX_URL"
            )

    def world(self) -> World | None:
        """The world this ledger bought in; None as long as it has bought nothing."""
        from lead_assets.ledger import controls

        return self._db.read(controls.world)

    # Registers

    def assign(self, proposals: Sequence[Proposal]) -> dict[str, Assignment]:
        """Give each account to its first proposal unless it has an owner. Returns who owns the accounts now, by account key."""
        from lead_assets.ledger import registers

        return self._db.write(lambda tx: registers.assign(tx, proposals))

    def assigned(self, account_keys: Iterable[str]) -> dict[str, Assignment]:
        """The owners of those accounts that have one."""
        from lead_assets.ledger import registers

        keys = list(account_keys)
        return self._db.read(lambda tx: registers.assigned(tx, keys))

    def suppress(self, kind: str, value_hash: str, reason: str) -> None:
        """Never process whom this value names. The first reason stays."""
        self.suppress_all([(kind, value_hash, reason)])

    def suppress_all(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """(kind, value_hash, reason) each."""
        from lead_assets.ledger import registers

        self._db.write(lambda tx: registers.suppress(tx, rows))

    def suppressions(self) -> pl.DataFrame:
        """All of them: kind, value_hash, reason, suppressed_at."""
        from lead_assets.ledger import registers

        return self._db.read(registers.suppressed)


def _bought(settlement: Settlement, body: object) -> Answer:
    want, reply = settlement.want, settlement.reply
    return Answer(
        key=want.key,
        state=reply.state,
        reason=reply.reason,
        body=body,
        provider=want.provider,
        operation=want.operation,
        subject=want.subject,
        cost_micros=reply.cost_micros,
        answered_at=settlement.answered_at,
        campaign_id=want.campaign_id,
        vendor_ref=reply.vendor_ref,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        latency_ms=settlement.latency_ms,
        bought=True,
    )

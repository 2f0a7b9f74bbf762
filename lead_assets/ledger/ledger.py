"""`Ledger`: the only way to the journal of everything that costs money or cannot be redone.

Belongs here: the public methods, one transaction each. Does not belong here: what the transactions do (see the sibling modules, which are
imported on first use, because every run imports the code location but few of its processes open the ledger).
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from lead_assets.ledger.model import UNSENT, Answer, Claimed, History, Rate, Settlement, Want

if TYPE_CHECKING:
    import polars as pl

    from lead_assets.ledger.allowance import Allowance
    from lead_assets.ledger.assignments_model import Assignment, Change, Choose, Chosen, LeadToRoute, Move, Moved, RoutingState
    from lead_assets.ledger.claims import Failure, Intents
    from lead_assets.ledger.controls import Circuit
    from lead_assets.ledger.costs import Billed, By
    from lead_assets.ledger.database import Clock, Database, Tx
    from lead_assets.ledger.erasing import CallInFull, Erasure
    from lead_assets.ledger.identities import Identities
    from lead_assets.ledger.incidents import OpenIncident
    from lead_assets.ledger.keys import ServiceKeys
    from lead_assets.ledger.misses import Cursor, Miss
    from lead_assets.ledger.money import Budget, Period, Scope
    from lead_assets.ledger.outbox import Outbox
    from lead_assets.ledger.outbox_model import Sent
    from lead_assets.ledger.pins import Pins
    from lead_assets.ledger.received import ReceivedEvent
    from lead_assets.ledger.versions import Versions
    from lead_assets.ledger.views import SavedViews

World = Literal["sandbox", "live"]
Buying = Literal["always", "never", "rehearsed"]
"""What a purchase may do: buy what is missing, serve answers of any age without buying, or record what it would buy."""


class WorldError(RuntimeError):
    """A ledger with made-up answers was opened for real purchases, or the reverse."""


class Ledger:
    """The ledger at a SQLAlchemy URL (sqlite:///file or postgresql://…). Opens on first use; safe for many threads and processes.

    `clock` is for tests: a function that returns a timezone-aware time. `key`: reads or makes the key of the suppressions, on first use of them.
    """

    def __init__(self, url: str, clock: Clock | None = None, key: Callable[[], bytes | None] | None = None) -> None:
        self.url = url
        self._key_source = key
        self.buying: Buying = "always"
        self.wished: list[Want] = []
        """The wants that a rehearsal would have bought."""
        self.allowance: Allowance | None = None
        """What purchases through this view may cost together; None without a limit of its own."""
        self._clock = clock

    @functools.cached_property
    def _db(self) -> Database:
        from lead_assets.ledger.database import Database

        return Database(self.url, self._clock)

    def open(self) -> Ledger:
        """Connect and migrate now, to notice a wrong URL early. All other methods do this on their own."""
        self._db.read(lambda tx: None)
        return self

    def close(self) -> None:
        self._db.close()

    def now(self) -> datetime:
        """The ledger's time in UTC, the same for everyone who shares it."""
        return self._db.now()

    def recall_only(self) -> Ledger:
        """This ledger for a run that must cost nothing: purchases serve stored answers of any age; the rest is unknown (not_bought)."""
        return self._as("never")

    def rehearsal(self) -> Ledger:
        """This ledger for an estimate: purchases serve what a real run would, and record in `wished` what it would buy. Nothing is written."""
        return self._as("rehearsed")

    def within(self, allowance: Allowance) -> Ledger:
        """This ledger for a request that may spend only so much: what is beyond is refused as over_budget."""
        view = self._as(self.buying)
        view.allowance = allowance
        return view

    def wish(self, want: Want) -> None:
        """Record a want that was not bought."""
        self.wished.append(want)

    def _as(self, buying: Buying) -> Ledger:
        view = Ledger(self.url, self._clock, self._key_source)
        view.__dict__["_db"] = self._db  # share one connection pool
        view.buying, view.allowance = buying, self.allowance
        return view

    # Answers

    def histories(self, keys: Iterable[str]) -> dict[str, History]:
        """The newest known and the newest unknown answer per key, where they exist."""
        from lead_assets.ledger import journal

        return self._db.read(lambda tx: journal.histories(tx, list(keys)))

    def versions(self, keys: Collection[str], leads: Collection[tuple[str, str]]) -> Versions:
        """What answers and routes are made from (see `versions.Versions`), for comparing with an earlier look. `leads`: (campaign_id, lead_id) each."""
        from lead_assets.ledger import versions

        return self._db.read(lambda tx: versions.versions(tx, keys, leads))

    def answers(self, keys: Iterable[str]) -> dict[str, Answer]:
        """The best answer per key, however old, where there is one: found or not_found is preferred to unknown."""
        return {key: history.best for key, history in self.histories(keys).items() if history.best is not None}

    # Claims

    def claim(self, wants: Sequence[Want], holder: str, lease: float = 60.0) -> Claimed:
        """Claim wants for `holder` (see `holders.new_holder`) for `lease` seconds and reserve their prices."""
        return self.exchange([], wants, holder, lease)[1]

    def left_behind(self) -> list[tuple[str, int]]:
        """Campaigns with work at a vendor (a batch, a run) that nobody waits for any more: see `claims.left_behind`."""
        from lead_assets.ledger import claims

        return self._db.read(claims.left_behind)

    def renew(self, holder: str, lease: float = 60.0) -> None:
        """Renew all leases of a living holder."""
        from lead_assets.ledger import claims

        self._db.write(lambda tx: claims.renew(tx, holder, lease))

    def sending(self, keys: Iterable[str]) -> bool:
        """Record that the request for claims made as `UNSENT` leaves now. False if the caller no longer holds all of them: then it must not leave."""
        from lead_assets.ledger import claims

        keys = list(keys)
        return self._db.write(lambda tx: claims.sending(tx, keys))

    def not_sent(self, keys: Iterable[str]) -> None:
        """Undo `sending`: the vendor did not accept the request."""
        self.attach_ref(keys, UNSENT)

    def attach_ref(self, keys: Iterable[str], vendor_ref: str) -> None:
        """Journal the vendor's id of work in progress as soon as it is known, so that it can be fetched after a crash."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.attach_ref(tx, keys, vendor_ref))

    def settle(self, settlements: Sequence[Settlement], holder: str) -> list[Answer]:
        """Journal replies, settle their prices and drop the claims in one transaction. Returns the answers as every reader will see them."""
        return self.exchange(settlements, [], holder)[0]

    def exchange(
        self, settlements: Sequence[Settlement], wants: Sequence[Want], holder: str, lease: float = 60.0, intents: Intents = ()
    ) -> tuple[list[Answer], Claimed]:
        """Settle, then claim, in one transaction: see `settle` and `claim`. `intents` are journaled with the claims."""
        from lead_assets.ledger import claims, journal

        if self.buying != "always":
            raise RuntimeError("this run buys nothing: use lead_assets.ledger.buying, which handles that")

        bodies = [journal.pack(settlement.reply.body) for settlement in settlements]
        key = self._key if wants else None

        def work(tx: Tx) -> Claimed:
            claims.settle(tx, settlements, bodies, holder)
            return claims.claim(tx, wants, holder, lease, intents, key, self.allowance)

        claimed = self._db.write(work)
        return [_bought(settlement, journal.unpack(body)) for settlement, body in zip(settlements, bodies, strict=True)], claimed

    def again(self, failures: Sequence[Failure], holder: str) -> set[str]:
        """Record failed attempts and reserve for the next. Returns the keys that may be retried; other claims are given back."""
        from lead_assets.ledger import claims

        return self._db.write(lambda tx: claims.again(tx, failures, holder))

    def release(self, keys: Iterable[str], holder: str) -> None:
        """Give back claims whose call was never sent."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.release(tx, keys, holder))

    def park(self, keys: Iterable[str], holder: str) -> None:
        """End the leases of claims with a vendor_ref. Their work continues at the vendor, and the next purchase fetches it."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.park(tx, keys, holder))

    def give_up(self, holder: str, sent: Iterable[str]) -> None:
        """End all claims of a holder that stops early: sent calls become uncertain, the others are given back."""
        from lead_assets.ledger import claims

        sent = list(sent)
        self._db.write(lambda tx: claims.give_up(tx, holder, sent))

    def abandon(self, keys: Iterable[str], holder: str) -> None:
        """Give up claims whose call may have been billed, and count them as uncertain."""
        from lead_assets.ledger import claims

        keys = list(keys)
        self._db.write(lambda tx: claims.abandon(tx, keys, holder))

    # Money

    def set_budget(self, scope: Scope, limit_micros: int | None, *, name: str = "", period: Period = "day") -> None:
        """Limit spending in total, for one campaign or at one provider, per UTC day or for all time. None lifts the limit."""
        from lead_assets.ledger import money

        self._db.write(lambda tx: money.set_budget(tx, scope, name, period, limit_micros))

    def budgets(self) -> list[Budget]:
        """All limits, and what currently counts against them."""
        from lead_assets.ledger import money

        return self._db.read(money.list_budgets)

    def costs(self, by: Sequence[By] = ("provider", "operation"), campaigns: Collection[str] | None = None) -> pl.DataFrame:
        """One row per value of `by`: those columns, answers, calls, usd, uncertain_calls, uncertain_usd, input_tokens, output_tokens."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.costs(tx, by, campaigns))

    def billed(self, since: int | None = None, campaigns: Collection[str] | None = None) -> Billed:
        """{calls, usd, uncertain_calls}: in total, since a call id from `last_call`, or for some campaigns."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.billed(tx, since, campaigns))

    def journaled(self) -> pl.DataFrame:
        """One row per call, by id, without whom it was about and what was answered: see `costs.journaled`."""
        from lead_assets.ledger import costs

        return self._db.read(costs.journaled)

    def attempts_about(self, subjects: Iterable[str]) -> pl.DataFrame:
        """The calls about some subjects, in the order in which they were settled: see `costs.attempts_about`."""
        from lead_assets.ledger import costs

        wanted = sorted(set(subjects))
        return self._db.read(lambda tx: costs.attempts_about(tx, wanted))

    def last_call(self) -> int:
        """The id of the newest call in the journal; 0 if there is none."""
        from lead_assets.ledger import costs

        return self._db.read(costs.last_call)

    def called_since(self, call: int) -> set[str]:
        """The keys of all calls after a call id from `last_call`."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.called_since(tx, call))

    def last_calls(self, call: int) -> dict[str, int]:
        """Key → id of its newest call, of the keys that were called after `call`."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.last_calls(tx, call))

    def called_for_others(self, call: int, campaigns: Collection[str]) -> dict[str, int]:
        """Key → id of its first call after `call`, of the calls that none of `campaigns` has paid for."""
        from lead_assets.ledger import costs

        return self._db.read(lambda tx: costs.called_for_others(tx, call, campaigns))

    # Pace and stops

    def reserve_slots(self, bucket: str, rates: Sequence[Rate], count: int = 1, most: float = math.inf) -> datetime | None:
        """Take slots in all windows of a bucket, which all its users share. Returns the ledger time at which they are due;
        None, without taking a slot, if that is more than `most` seconds away."""
        from lead_assets.ledger import pacing

        return self._db.write(lambda tx: pacing.reserve_slots(tx, bucket, rates, count, most))

    def penalise(self, bucket: str, until: datetime) -> None:
        """Block the bucket for everyone until `until`, because the vendor said "too fast"."""
        from lead_assets.ledger import pacing

        self._db.write(lambda tx: pacing.penalise(tx, bucket, until))

    def blocked_for(self, bucket: str) -> float:
        """Seconds until the bucket may be used; 0 if it may be used now."""
        from lead_assets.ledger import pacing

        return self._db.read(lambda tx: pacing.blocked_for(tx, bucket))

    def note_failure(self, provider: str, *, counts: bool = True) -> bool:
        """Count a failure caused by the provider, unless already counted. Returns True if its circuit is now open."""
        from lead_assets.ledger import controls

        return self._db.write(lambda tx: controls.note_failure(tx, provider, counts=counts))

    def note_success(self, provider: str) -> None:
        """The provider answered: its failures are over, and its circuit is closed."""
        from lead_assets.ledger import controls

        self._db.write(lambda tx: controls.close_circuits(tx, {provider}))

    def pause(self, provider: str | None = None) -> None:
        """Block new calls to one provider or to all."""
        from lead_assets.ledger import controls

        self._db.write(lambda tx: controls.pause(tx, provider))

    def resume(self, provider: str | None = None) -> None:
        """Lift a pause and close the circuit of one provider, or of all."""
        from lead_assets.ledger import controls

        self._db.write(lambda tx: controls.resume(tx, provider))

    def note_misses(
        self, table: str, campaigns: Collection[str], lacking: Collection[tuple[str, str]], run_id: str, *, asked_again: bool = False
    ) -> None:
        """Record that a run made `table` for `campaigns`; `lacking` lists (campaign, provider) with answers missed for a temporary reason."""
        from lead_assets.ledger import misses

        self._db.write(lambda tx: misses.note(tx, table, campaigns, lacking, run_id, asked_again=asked_again))

    def due_again(self, under_way: Collection[str], asked: Cursor) -> tuple[list[Miss], Cursor]:
        """The misses to ask for again now, and the cursor after them: see `misses.due`."""
        from lead_assets.ledger import controls, misses

        def work(tx: Tx) -> tuple[list[Miss], Cursor]:
            circuits = {circuit.provider: circuit.open_until for circuit in controls.open_circuits(tx)}
            return misses.due(misses.waiting(tx), circuits, controls.paused_providers(tx), under_way, asked, tx.now)

        return self._db.read(work)

    def missing_answers(self) -> dict[str, int]:
        """Provider → the number of campaigns that will be asked for again because answers were missed while it was down."""
        from lead_assets.ledger import misses

        waiting = self._db.read(misses.waiting)
        return dict(Counter(miss.provider for miss in waiting))

    def circuits(self) -> list[Circuit]:
        """The providers whose circuit is not closed, and until when it is open; after that, the next call probes."""
        from lead_assets.ledger import controls

        return self._db.read(controls.open_circuits)

    def paused(self) -> set[str]:
        """The paused providers; the empty name means all."""
        from lead_assets.ledger import controls

        return self._db.read(controls.paused_providers)

    def bind_world(self, world: World) -> None:
        """Call before buying. A ledger belongs permanently to the world it first bought in. Raises WorldError for the other one."""
        from lead_assets.ledger import controls

        bound: str | None = self.world()  # first, because it is bound once and asked before each purchase
        if bound is None:
            bound = world if self.buying != "always" else self._db.write(lambda tx: controls.bind_world(tx, world))
        if bound != world:
            raise WorldError(
                f"ledger: it holds answers from the {bound} world and cannot be used to buy in the {world} world, where they would pass for "
                f"facts. Point LEAD_ASSETS_HOME (or LEAD_ASSETS_LEDGER_URL) at another place, or "
                f"{'set' if bound == 'sandbox' else 'unset'} LEAD_ASSETS_SANDBOX_URL"
            )

    def world(self) -> World | None:
        """The world this ledger bought in; None if it has bought nothing yet."""
        from lead_assets.ledger import controls

        return self._db.read(controls.world)

    # Sends

    @functools.cached_property
    def outbox(self) -> Outbox:
        """What is to be sent, and what became of it."""
        from lead_assets.ledger.outbox import Outbox

        return Outbox(self._db)

    # Incidents

    def claim_incidents(self, found: Sequence[tuple[str, str, str, str]]) -> set[tuple[str, str]]:
        """Of (key, channel, kind, said), the (key, channel) that the caller must tell now: see `incidents.claim`."""
        from lead_assets.ledger import incidents

        return self._db.write(lambda tx: incidents.claim(tx, found))

    def incidents_told(self, told: Collection[tuple[str, str]], not_told: Collection[tuple[str, str]] = ()) -> None:
        """Record which claimed (key, channel) were told, and which could not be."""
        from lead_assets.ledger import incidents

        def work(tx: Tx) -> None:
            incidents.told(tx, told)
            incidents.give_back(tx, not_told)

        self._db.write(work)

    def close_incidents(self, keys: Collection[str]) -> None:
        """The incidents are over."""
        from lead_assets.ledger import incidents

        self._db.write(lambda tx: incidents.close(tx, keys))

    def open_incidents(self) -> list[OpenIncident]:
        """All open incidents, oldest first."""
        from lead_assets.ledger import incidents

        return self._db.read(incidents.open_incidents)

    # Artifacts

    @functools.cached_property
    def pins(self) -> Pins:
        """Which artifact is in use, and with which one each campaign was scored."""
        from lead_assets.ledger.pins import Pins

        return Pins(self._db)

    # Who is who

    @functools.cached_property
    def identities(self) -> Identities:
        """The person of each lead, the account of each company, and what people decided about them."""
        from lead_assets.ledger.identities import Identities

        return Identities(self._db)

    # The service

    @functools.cached_property
    def keys(self) -> ServiceKeys:
        """Who may call the service."""
        from lead_assets.ledger.keys import ServiceKeys

        return ServiceKeys(self._db)

    @functools.cached_property
    def views(self) -> SavedViews:
        """What people saved in the explorer."""
        from lead_assets.ledger.views import SavedViews

        return SavedViews(self._db)

    def received(self, events: Collection[tuple[str, str]]) -> dict[tuple[str, str], ReceivedEvent]:
        """Those of the (source, event id) that were received earlier."""
        from lead_assets.ledger import received

        return self._db.read(lambda tx: received.known(tx, events))

    def note_received(self, events: Sequence[ReceivedEvent]) -> None:
        """Record events as received. Those that are known stay as they were."""
        from lead_assets.ledger import received

        self._db.write(lambda tx: received.note(tx, events))

    # Registers

    def route(self, leads: Sequence[LeadToRoute], choose: Choose, table: tuple[str, str]) -> None:
        """Give an owner to each lead that has none: see `routes.route`. Leads are in the order in which they are to be given away."""
        from lead_assets.ledger import routes

        for start in range(0, len(leads), _LEADS_AT_ONCE):
            part = leads[start : start + _LEADS_AT_ONCE]
            self._db.write(functools.partial(routes.route, leads=part, choose=_moved_by(choose, start), table=table))

    def routed(self, campaigns: Sequence[str]) -> pl.DataFrame:
        """All routed leads of the campaigns: campaign_id, lead_id, account_key, owner, way, due_at, routed_at, closed_at."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.routed(tx, campaigns))

    def routed_of(self, owner: str) -> pl.DataFrame:
        """All routed leads of an owner, with the columns of `routed`."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.routed_of(tx, owner))

    def routed_ever(self) -> pl.DataFrame:
        """All routed leads, with the columns of `routed`."""
        from lead_assets.ledger import routes

        return self._db.read(routes.routed_ever)

    def ways(self, keys: Collection[str]) -> dict[str, str]:
        """How leads were routed, as JSON, by the keys in `routed`."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.said_ways(tx, keys))

    def routing_table(self, digest: str) -> str | None:
        """The content of a routing table that leads were routed by."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.table_content(tx, digest))

    def owner_changes_of(self, campaigns: Sequence[str]) -> dict[str, int]:
        """Per campaign, the id of the last change of one of its leads' owners; 0 if there was none."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.changes_of(tx, campaigns))

    def owner_history(self, account_key: str) -> list[Change]:
        """Every change of an account's owner and of its leads', oldest first."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.history(tx, account_key))

    def reroute(
        self, leads: Sequence[LeadToRoute], choose: Choose, table: tuple[str, str], move: Move, *, dry_run: bool = False
    ) -> list[Moved]:
        """Choose again for these open leads and their accounts, and keep who moved them and why: see `routes.reroute`."""
        from lead_assets.ledger import routes

        work = self._db.read if dry_run else self._db.write
        return work(lambda tx: routes.reroute(tx, leads, choose, table, move, dry_run=dry_run))

    def transfer(self, account_key: str, owner: str, move: Move, way: tuple[str, str]) -> list[Moved]:
        """Give an account and its open leads to an owner. `way`: key and JSON of how."""
        from lead_assets.ledger import routes

        return self._db.write(lambda tx: routes.transfer(tx, account_key, owner, move, way))

    def hand_over(self, owner: str, to: str, move: Move, way: tuple[str, str]) -> list[Moved]:
        """Give all accounts and open leads of an owner to another."""
        from lead_assets.ledger import routes

        return self._db.write(lambda tx: routes.hand_over(tx, owner, to, move, way))

    def release_account(self, account_key: str, move: Move) -> str | None:
        """Take an account from its owner, so that its next lead decides anew. Returns the owner it had."""
        from lead_assets.ledger import routes

        return self._db.write(lambda tx: routes.release(tx, account_key, move))

    def accounts_of(self, owner: str) -> list[str]:
        """The accounts of an owner, sorted."""
        from lead_assets.ledger import routes

        return self._db.read(lambda tx: routes.accounts_of(tx, owner))

    def assigned(self, account_keys: Iterable[str]) -> dict[str, Assignment]:
        """The owners of the given accounts, where there is one."""
        from lead_assets.ledger import routes

        keys = list(account_keys)
        return self._db.read(lambda tx: routes.assigned(tx, keys))

    def note_crm(self, rows: Iterable[tuple[str, str | None, bool | None]], *, fill: bool = False) -> None:
        """Record what the CRM says: (account_key, owner there, whether it is a customer) each. None leaves what is known, and with `fill` so does anything."""
        from lead_assets.ledger import routes

        listed = list(rows)
        self._db.write(lambda tx: routes.note_crm(tx, listed, fill=fill))

    def close_leads(self, ended: Iterable[tuple[str, str]], open_again: Iterable[tuple[str, str]] = ()) -> None:
        """Record that leads, (campaign_id, lead_id) each, need nothing more from their owner, and count as open no longer; and which are open again."""
        from lead_assets.ledger import routes

        closing, opening = list(ended), list(open_again)
        if closing or opening:
            self._db.write(lambda tx: routes.close(tx, closing, opening))

    def suppress(self, kind: str, value_hash: str, reason: str) -> None:
        """Never again process the person whom this value identifies (`core.suppressing.value_hash`). An earlier reason is kept."""
        self.suppress_all([(kind, value_hash, reason)])

    def suppress_all(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Suppress many: (kind, value_hash, reason) each."""
        from lead_assets.core.suppressing import keyed
        from lead_assets.ledger import registers

        stored = [(kind, keyed(self._key, hashed), reason) for kind, hashed, reason in rows]
        self._db.write(lambda tx: registers.suppress(tx, stored))

    def lift(self, values: Iterable[tuple[str, str]]) -> int:
        """Suppress these (kind, value) no longer. What waits in the outbox because somebody is suppressed is looked at again. Returns how many were."""
        from lead_assets.ledger import outbox_steps, registers

        stored = [(kind, self.suppression_hash(value)) for kind, value in values]

        def work(tx: Tx) -> int:
            lifted = registers.lift(tx, stored)
            if lifted:
                outbox_steps.wake(tx, "suppressed", "lifted")
            return lifted

        return self._db.write(work)

    def suppressions(self) -> pl.DataFrame:
        """All suppressions: kind, value_hash (as `suppression_hash` makes it), reason, suppressed_at."""
        from lead_assets.ledger import registers

        _ = self._key
        return self._db.read(registers.suppressed)

    def suppression_hash(self, value: str) -> str:
        """What is stored for a normalised value. Raises SuppressionKeyError if the suppressions are stored under a key that is not at hand."""
        from lead_assets.core.suppressing import keyed, value_hash

        return keyed(self._key, value_hash(value))

    def suppressed_among(self, values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The reasons of those of the (kind, value) that are suppressed. Ask before anything is sent, with `core.suppressing.contact_values`."""
        from lead_assets.ledger import registers

        stored = {(kind, self.suppression_hash(value)): (kind, value) for kind, value in values}
        found = self._db.read(lambda tx: registers.suppressed_among(tx, {hashed for _, hashed in stored}))
        return {stored[pair]: reason for pair, reason in found.items() if pair in stored}

    # One person's data

    def calls_in_full(self, count: int = 5_000) -> Iterator[list[CallInFull]]:
        """All calls in order, some thousands at a time, with their answers' text."""
        from lead_assets.ledger import erasing

        after = 0
        while found := self._db.read(lambda tx, after=after: erasing.in_full(tx, after, count)):  # type: ignore[misc]
            yield found
            after = found[-1].id

    def erase(self, erasure: Erasure) -> dict[str, int]:
        """Take one person out. Returns the number of rows by table; costs stay as they are."""
        from lead_assets.ledger import erasing

        return self._db.write(lambda tx: erasing.erase(tx, erasure))

    def sent_about(self, persons: Collection[str], leads: Collection[tuple[str, str]]) -> list[Sent]:
        """What has left about somebody (see `person_hash`) and about leads, (campaign, lead id) each; oldest first."""
        from lead_assets.ledger import erasing

        return self._db.read(lambda tx: erasing.sent_about(tx, persons, leads))

    def ids_at_destinations(self, persons: Collection[str]) -> list[tuple[str, str, str | None]]:
        """(destination, person, its own id of them) where a destination is known to have somebody."""
        from lead_assets.ledger import erasing

        return self._db.read(lambda tx: erasing.ids_at_destinations(tx, persons))

    @functools.cached_property
    def _key(self) -> bytes | None:
        """The key of the suppressions, which are stored under it from now on."""
        from lead_assets.ledger import registers

        key = self._key_source() if self._key_source else None
        if not self._db.read(lambda tx: registers.knows_key(tx, key)) and key is not None:
            self._db.write(lambda tx: registers.take_key(tx, key))
        return key


_LEADS_AT_ONCE = 50_000
"""Leads routed in one transaction, which takes two or three seconds: other writers wait that long. Smaller ones write the same pages more often."""


def _moved_by(choose: Choose, start: int) -> Choose:
    """`choose`, for positions that count from `start`."""

    def chosen(standing: RoutingState, indices: Sequence[int]) -> Chosen:
        found = choose(standing, [start + index for index in indices])
        found.choices = [choice._replace(at=choice.at - start) for choice in found.choices]
        return found

    return chosen


def _bought(settlement: Settlement, body: object) -> Answer:
    want, reply = settlement.want, settlement.reply
    return Answer(
        key=want.key,
        state=reply.state,
        reason=reply.reason,
        body=body,
        cost_micros=reply.cost_micros,
        answered_at=settlement.answered_at,
        campaign_id=want.campaign_id,
        vendor_ref=reply.vendor_ref,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        latency_ms=settlement.latency_ms,
        bought=True,
    )

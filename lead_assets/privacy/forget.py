"""Forgets one person: takes them out of everything that the home holds, keeps only what keeps them out, proves that nothing is left, and writes a receipt.

In this order, so that a crash at any point leaves a home that another `forget` finishes: suppressed first; then what they are called is remembered beside the
receipt; then each store; then everything is searched; last, what was remembered goes, too.
Does not belong here: who they are (see `person`), what a store holds (see `search`), how it is taken out of a store (see `taking_out`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import value_hash
from lead_assets.delivery.rules import load_delivery_rules
from lead_assets.intake.adapters import adapters_of
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy.asking import ask_destinations
from lead_assets.privacy.lists import FORGOTTEN_REASON, Identifier
from lead_assets.privacy.needles import Needle
from lead_assets.privacy.person import COLUMNS, DataSubject, find, start
from lead_assets.privacy.search import Holding, search
from lead_assets.privacy.taking_out import drops_of, take_out
from lead_assets.privacy.unfinished import is_memory, let_go, remember, remember_again
from lead_assets.privacy.work import Work
from lead_assets.stores.archive import Archive
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.base import Warehouse

_ROUNDS = 3

Busy = Callable[[], Sequence[str]]
"""The ids of runs in progress: what they hold in memory, they would write after it was removed."""


class NotForgotten(RuntimeError):
    """Something is left, or cannot be changed. The text names the places and the next step, never the person."""


def forget(settings: Settings, ledger: Ledger, asked: Identifier, *, dry_run: bool = False, busy: Busy = tuple) -> dict[str, Any]:
    """Forget the person with this address or number. Returns the receipt, which names nobody; with `dry_run`, what would be done.

    Raises NotForgotten if a run is in progress, or if something is left after all rounds; ValueError for a domain; RulesError if rules/delivery.yaml, which
    says where destinations are, was never good.
    """
    began = time.monotonic()
    if not dry_run and (running := list(busy())):
        raise NotForgotten(
            f"run {running[0]} is in progress and would write back what it has read: wait until it has ended or stop it, and repeat"
        )
    rules = load_delivery_rules(settings)
    archive, warehouse = archive_of(settings), warehouse_of(settings)
    warehouse.prepare()
    erasure = ledger.suppression_hash(asked.value)[:16]
    person = start(asked, hashes=ledger.suppression_hash(asked.value) != value_hash(asked.value))
    remember_again(archive, erasure, person)
    held = who(settings, archive, warehouse, person)
    work = Work(settings, ledger, archive, warehouse, person, erasure, person.finder())
    receipt = _told(work, held, dry_run=dry_run)
    if dry_run:
        receipt["destinations"] = ask_destinations(settings, ledger, person, rules, dry_run=True)
        return receipt | {"seconds": round(time.monotonic() - began, 1)}
    ledger.suppress_all([(kind, value_hash(value), FORGOTTEN_REASON) for kind, value in person.tombstone()])
    remember(archive, erasure, person)
    receipt["destinations"] = ask_destinations(settings, ledger, person, rules)
    for number in range(_ROUNDS):
        take_out(work, held)
        held = [holding for holding in search(settings, work.needles) if not is_memory(holding, erasure)]
        if not held:
            break
        if number == _ROUNDS - 1:
            places = ", ".join(work.needles.mask_text(holding.where)[0] for holding in held[:5])
            raise NotForgotten(
                f"after {_ROUNDS} rounds something is left in {len(held)} places, e.g. {places}: end what writes there, and repeat the command"
            )
    let_go(archive, erasure)
    return _receipt(work, receipt, began)


def who(settings: Settings, archive: Archive, warehouse: Warehouse, person: DataSubject) -> list[Holding]:
    """Complete the person from warehouse and archive. Returns where they are held."""
    find(person, warehouse)
    held: list[Holding] = []
    known: tuple[tuple[Needle, ...], frozenset[str]] | None = None
    while known != (known := (person.needles(), person.beside)):
        held = search(settings, person.finder())
        find(person, warehouse, _rows_of_drops(settings, archive, drops_of(held, archive)))
    return held


def _rows_of_drops(settings: Settings, archive: Archive, drops: Sequence[str]) -> pl.DataFrame:
    """The rows of drops, which the warehouse may not have: columns of person.COLUMNS. Others' too, because what is a part of theirs is not the person's."""
    from lead_assets.intake.drops import read_drops

    found = [RawLead.empty().select(COLUMNS)]
    for sha256 in drops:
        for receipt in archive.receipts_of(sha256):
            read = read_drops([(archive.get(sha256), receipt.column_map)], limits=settings.limits, adapters=adapters_of(settings))
            found.append(read.place([(0, receipt)])[0].select(COLUMNS))
    return pl.concat(found)


def _told(work: Work, held: Sequence[Holding], *, dry_run: bool) -> dict[str, Any]:
    """What is known before anything is changed. Names nobody."""
    person = work.person
    kinds: dict[str, int] = {}
    for needle in work.needles.needles:
        kinds[needle.kind] = kinds.get(needle.kind, 0) + 1
    return {
        "erasure": work.erasure,
        "asked_by": person.asked.kind,
        "country_known": person.asked.kind != "phone" or person.asked.value.startswith("+"),
        "dry_run": dry_run,
        "leads": len(person.leads),
        "payloads": person.rows.height,
        "campaigns": person.campaigns,
        "looked_for": kinds,
        "held": [
            {"where": work.needles.mask_text(holding.where)[0], **({"found": holding.found} if holding.found else {})} for holding in held
        ],
        "left_to_others": person.shared,
    }


def _receipt(work: Work, receipt: dict[str, Any], began: float) -> dict[str, Any]:
    done = receipt | {
        "suppressed": len(work.person.tombstone()),
        "removed": {store: {"places": each.places, "bytes": each.size} for store, each in sorted(work.removed.items())},
        "proof": {"forms_looked_for": len(work.needles.forms), "places_left": 0},
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }
    name = f"erasures/{work.erasure}/receipt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    work.archive.objects.put(name, orjson.dumps(done, option=orjson.OPT_INDENT_2))
    return done | {"receipt": name}

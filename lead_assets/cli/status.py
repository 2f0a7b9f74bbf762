"""What is missing or out of date per campaign and table, and why. Changes nothing and calls nobody.

Does not belong here: deciding whether a partition is unchanged (see `lead_assets.kit.tables` and `lead_assets.kit.notes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal, cast

from lead_assets.cli.worlds import bound_world, opened_ledger
from lead_assets.contracts import TABLES, WHOLE_HOME, Table
from lead_assets.core.settings import Settings
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.notes import Note, differs
from lead_assets.kit.step import Step
from lead_assets.kit.tables import BASES, Basis, Now, answers_hold
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.opened import archive_of, campaigns_of, warehouse_of

State = Literal["current", "out_of_date", "missing"]
_PARTS = {
    "code": "its code or rules changed",
    "outside": "a source outside the tables changed",
    "limit": "it was made by a run with a limit",
    "buy": "it was made by a run that buys nothing",
    "world": "it was made with other vendors: the sandbox's, or real ones",
}


@dataclass(frozen=True)
class Standing:
    """The state of a partition. `why` is for people, and empty if it is current."""

    state: State
    why: tuple[str, ...] = ()


_CURRENT = Standing("current")


def status(settings: Settings, campaigns: Sequence[str] | None = None) -> dict[str, Any]:
    """The answer of `lead-assets status`: {"current", "out_of_date", "missing": counts, "faults_in_rules", "campaigns": [{campaign_id, tables: [{table,
    state, why}]}]}; tables that are current are left out. Home-wide tables are listed under the campaign "all". The faults are those of
    the rules as they are saved, whether or not a last good copy is in force instead."""
    from lead_assets.definitions import build_defs
    from lead_assets.rules.check import examine_rules

    if bound_world(settings) == "sandbox" and settings.sandbox_url is None:
        settings = settings.model_copy(update={"sandbox_url": "http://127.0.0.1"})  # the ledger holds sandbox answers; nothing is called
    build_defs(settings)  # declares every table with these settings' rules
    wanted = campaigns_of(settings, campaigns)
    found: dict[str, dict[str, Standing]] = {key: {} for key in [*wanted, WHOLE_HOME]}
    with opened_ledger(settings) as ledger:
        now = Now(ledger)
        for name in _upstream_first():
            contract = TABLES[name]
            if BASES[name].always or contract.grain == "day":
                continue
            step = _step(settings, ledger, BASES[name])
            keys = [WHOLE_HOME] if contract.grain == "home" else wanted
            made_from = BASES[name].of(step, keys)
            texts = step.warehouse.notes(contract, keys)
            for key in keys:
                note = Note.read(texts[key]) if key in texts else None
                above = _above(BASES[name], key, found)
                found[key][name] = _standing(step, now, note, made_from[key], above)
    counts = [each.state for tables in found.values() for each in tables.values()]
    return {
        **{state: counts.count(state) for state in ("current", "out_of_date", "missing")},
        "faults_in_rules": [fault for each in examine_rules(settings) for fault in each.faults],
        "campaigns": [{"campaign_id": key, "tables": rows} for key, tables in found.items() if (rows := _rows(tables))],
    }


def _upstream_first() -> list[str]:
    """All declared tables, each after those that it reads."""
    reads = {name: {contract.table for contract in [*basis.same, *basis.whole]} for name, basis in BASES.items() if name in TABLES}
    return [name for name in TopologicalSorter(reads).static_order() if name in reads]


def _step(settings: Settings, ledger: Ledger, basis: Basis) -> Step:
    """A step of an untagged run, which is never executed."""
    io = WarehouseIOManager(warehouse_of(settings))
    return Step(cast(Any, None), {}, [], basis.contracts, settings, ledger, archive_of(settings), io)


def _standing(
    step: Step,
    now: Now,
    note: Note | None,
    made_from: dict[str, str | None],
    above: Sequence[str],
) -> Standing:
    if note is None:
        return Standing("missing", ("it has not been made yet",))
    why = [_PARTS.get(name, f"{name} changed") for name in differs(note, made_from) if name not in above]
    why += [f"{name} is not current" for name in above]
    if not answers_hold(step, now, note):
        why.append("its answers have expired, or newer ones were bought")
    if not why and not note.sealed:
        why.append("one of its checks did not pass")
    return Standing("out_of_date", tuple(why)) if why else Standing("current")


def _above(basis: Basis, key: str, found: Mapping[str, Mapping[str, Standing]]) -> list[str]:
    """Tables that it reads that are not current."""

    def stands(contract: type[Table], each: str) -> State:
        return found.get(each, {}).get(contract.table, _CURRENT).state

    same = [contract.table for contract in basis.same if stands(contract, WHOLE_HOME if contract.grain == "home" else key) != "current"]
    # A campaign that was never run does not affect the others.
    return same + [contract.table for contract in basis.whole if any(stands(contract, each) == "out_of_date" for each in found)]


def _rows(tables: Mapping[str, Standing]) -> list[dict[str, Any]]:
    return [{"table": name, "state": each.state, "why": list(each.why)} for name, each in tables.items() if each.state != "current"]

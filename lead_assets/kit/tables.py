"""Turns tables into assets: what they read, which function makes their rows, what is checked, and when they need not be made again.

    @tables(Score, reads={"leads": Lead}, checks=[...], logic=["lead_assets.scoring"], rules=["scoring.yaml"])
    def scores(step: Step, leads: pl.DataFrame) -> Made: ...

The function gets the input rows of the partitions that have to be made, and returns their rows. A partition whose code version, inputs and answers are those of
its last materialization is neither computed nor written: it costs one lookup and Dagster's own events.

Belongs here: running a step. Does not belong here: what a table is (`declare`), what a note says (`notes`), what is checked (`checks`).
https://docs.dagster.io/guides/build/assets/asset-versioning-and-caching
"""

import functools
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import polars as pl
from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    AutomationCondition,
    MaterializeResult,
    PartitionMapping,
    ResourceParam,
    multi_asset,
)

from lead_assets.contracts import TABLES, WHOLE_HOME, Table
from lead_assets.core.settings import Settings
from lead_assets.kit import notes, partition_metadata, versions
from lead_assets.kit.checks import AS_DECLARED, Check, Targets, as_declared, evaluations
from lead_assets.kit.declare import BUY_TAG, LIMIT_TAG, assets_of, column_lineage, key_of
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.notes import CONTENT, Note, Served
from lead_assets.kit.shown import look
from lead_assets.kit.step import Made, Step
from lead_assets.kit.versions import Logic
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.caller import on_behalf_of

CALLS_SAVED, CALLS_BOUGHT, COST_USD = "calls_saved", "calls_bought", "cost_usd"
"""Figures about a run's work. A partition that was kept shows them as work saved."""
_OF_A_RUN = (
    CALLS_BOUGHT,
    COST_USD,
    "uncertain_calls",
    "latency_p50_ms",
    "latency_p95_ms",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
)


Drawn = Callable[[pl.DataFrame, Step], str | None]
"""The rows of one partition → Markdown with a picture (see `kit.pictures`), or None if there is nothing to see."""
Outside = Callable[[Step, str], Any]
"""What a partition's rows depend on besides inputs, code and rules: any JSON-serialisable value."""


@dataclass(frozen=True, eq=False)
class Basis:
    """What the rows of a step's tables depend on."""

    contracts: Sequence[type[Table]]
    same: Sequence[type[Table]]
    """Tables read by the same partitions."""
    whole: Sequence[type[Table]]
    """Tables read as a whole, over all partitions."""
    logic: Logic
    outside: Outside | None
    always: bool = False
    """Made again on every request."""
    buys: bool = False
    """Whether it matters to the rows that a run may buy."""
    limited: type[Table] | None = None
    """One of `same`: in a run with a limit, its first rows per campaign are read."""

    def code(self, step: Step) -> str:
        """Code and rules, without inputs: `Note.made_from["code"]`."""
        made = [contract for contract in step.contracts if contract in self.contracts]
        return hashed([self.logic.digest(step.settings), *(contract.fingerprint() for contract in made)])

    def of(self, step: Step, partitions: Sequence[str]) -> dict[str, dict[str, str | None]]:
        """Partition → the parts of `Note.made_from`."""
        common: dict[str, str | None] = {
            "code": self.code(step),
            "world": step.settings.world,
            **({"buy": step.tags.get(BUY_TAG, "always")} if self.buys else {}),
            **{contract.table: _content_of_all(step.warehouse, contract) for contract in self.whole},
        }
        inputs = {contract: _notes(step.warehouse, contract, _own(contract, partitions)) for contract in self.same}
        found: dict[str, dict[str, str | None]] = {}
        for key in partitions:
            read = {contract: notes_.get(WHOLE_HOME if contract.grain == "home" else key) for contract, notes_ in inputs.items()}
            own = {contract.table: None if note is None else note.content for contract, note in read.items()}
            if self.limited is not None:
                own["limit"] = _limit(step, read[self.limited])
            outside = {"outside": hashed(self.outside(step, key))} if self.outside is not None else {}
            found[key] = {**common, **own, **outside, **({"always": None} if self.always else {})}
        return found


def _limit(step: Step, read: Note | None) -> str:
    """The run's limit, if it leaves out rows of the input."""
    limit = step.tags.get(LIMIT_TAG, "")
    return limit if limit and (read is None or read.rows > int(limit)) else ""


@dataclass(frozen=True)
class Own:
    """What one of a step's tables depends on, where it is not the same for all of them."""

    reads: Sequence[type[Table]]
    """Which of the step's inputs its rows depend on."""
    says: Callable[[Settings], object]
    """The part of a rules file that decides its rows alone. Must not raise."""


BASES: dict[str, Basis] = {}
"""By table, for every declared asset."""


def hashed(said: Any) -> str:
    """How `made_from` shortens what a partition depends on."""
    return hashlib.sha256(orjson.dumps(said, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def tables(
    *contracts: type[Table],
    reads: Mapping[str, type[Table]] | None = None,
    queries: Iterable[type[Table]] = (),
    whole: Mapping[type[Table], PartitionMapping | None] | None = None,
    checks: Iterable[Check] = (),
    logic: Iterable[str] = (),
    rules: Iterable[str] = (),
    outside: Outside | None = None,
    always: bool = False,
    buys: bool = False,
    limited: type[Table] | None = None,
    version: str = "",
    kinds: Iterable[str] = (),
    pool: str | None = None,
    name: str | None = None,
    can_subset: bool = False,
    after: Iterable[type[Table]] = (),
    condition: AutomationCondition | None = None,
    says: Callable[[Settings], object] | None = None,
    own: Mapping[type[Table], Own] | None = None,
    pictures: Mapping[type[Table], Drawn] | None = None,
) -> Callable[[Callable[..., Made | Sequence[Made]]], AssetsDefinition]:
    """Declare the tables that a function makes. It is called as `function(step, **frames)` and returns one `Made` for each of `step.contracts`.

    reads: argument → the table whose rows, for the same partitions, it receives. queries: tables that it queries itself, same partitions only; whole: all
    partitions. after: tables that must be made first but are not read.
    logic: packages and modules whose source decides the rows. rules: YAML files that do so. version: anything else that does (a mart's SQL).
    always: make it again on every request.
    buys: it buys, or shows what was not bought. limited: one of `reads`, whose first rows per campaign it takes in a run with a limit.
    condition: when Dagster makes the tables on its own. says: the part of a rules file that decides the rows, where not all of it does.
    own: what each table depends on, where a change of one must not make the others again.
    pictures: for a partition that was made, draws its rows; shown with its materialization.
    """
    reads, queries, whole = dict(reads or {}), list(queries), dict(whole or {})
    first = list(after)
    every = [check for contract in contracts for check in (as_declared(contract), *(c for c in checks if c.of is contract))]
    of_code = Logic(tuple(logic), tuple(rules), version, says)
    basis = Basis(contracts, [*reads.values(), *queries], list(whole), of_code, outside, always, buys, limited)
    bases = {contract: _own_basis(basis, contract, own[contract]) if own else basis for contract in contracts}

    def decorate(make: Callable[..., Made | Sequence[Made]]) -> AssetsDefinition:
        declared = assets_of(contracts, kinds=kinds, required=not can_subset, condition=condition)
        deps: list[AssetDep | AssetSpec] = [AssetDep(key_of(contract)) for contract in [*reads.values(), *queries, *first]]
        deps += [AssetDep(key_of(contract), partition_mapping=mapping) for contract, mapping in whole.items()]

        @multi_asset(
            **{**declared, **({"name": name} if name else {})},
            deps=deps,
            check_specs=[check.spec for check in every],
            can_subset=can_subset,
            pool=pool,
        )
        def built(
            context: AssetExecutionContext,
            settings: ResourceParam[Settings],
            ledger: ResourceParam[Ledger],
            archive: ResourceParam[Archive],
            warehouse: ResourceParam[WarehouseIOManager],
        ) -> Iterator[Any]:
            chosen = [contract for contract in contracts if key_of(contract) in context.selected_asset_keys]
            step = Step(context, context.run.tags, [], chosen, settings, ledger, archive, warehouse)
            with on_behalf_of(context.run.run_id, context.op_execution_context.op_def.name):
                yield from _walk(step, make, reads, bases, every, pictures or {})

        for contract in contracts:
            versions.register(key_of(contract), bases[contract].logic, contract, (make.__code__.co_filename, make.__code__.co_firstlineno))
            BASES[contract.table] = bases[contract]
        return built

    return decorate


def _own_basis(basis: Basis, contract: type[Table], own: Own) -> Basis:
    def says(settings: Settings) -> object:
        return [basis.logic.says(settings) if basis.logic.says else None, own.says(settings)]

    return replace(basis, contracts=[contract], same=list(own.reads), logic=replace(basis.logic, says=says))


def made_by_this_code(step: Step, *contracts: type[Table]) -> bool:
    """Whether the stored rows of home-wide tables of this step come from its present code and rules, so that it can go on from them."""
    notes_ = [_notes(step.warehouse, contract, [WHOLE_HOME]).get(WHOLE_HOME) for contract in contracts]
    code = BASES[contracts[0].table].code(step)
    return all(note is not None and note.made_from.get("code") == code for note in notes_)


def figures_by(frame: pl.DataFrame, **columns: pl.Expr) -> dict[str, dict[str, Any]]:
    """campaign → {name: aggregate over its rows}."""
    if frame.is_empty():
        return {}
    return {row.pop("campaign_id"): row for row in frame.group_by("campaign_id").agg(**columns).to_dicts()}


def counts_by(frame: pl.DataFrame, column: str) -> dict[str, dict[str, int]]:
    """campaign → {value of the column: number of rows}, without nulls."""
    counted = frame.drop_nulls(column).group_by("campaign_id", column).len().sort("campaign_id", column)
    found: dict[str, dict[str, int]] = {}
    for campaign, value, count in counted.select("campaign_id", column, "len").iter_rows():
        found.setdefault(campaign, {})[value] = count
    return found


def joined(*figures: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Merge several sets of figures by partition."""
    together: dict[str, dict[str, Any]] = {}
    for each in figures:
        for key, shown in each.items():
            together.setdefault(key, {}).update(shown)
    return together


def named(name: str, by_partition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """One value per partition, as figures under one name."""
    return {key: {name: value} for key, value in by_partition.items()}


def _walk(
    step: Step,
    make: Callable[..., Made | Sequence[Made]],
    reads: Mapping[str, type[Table]],
    bases: Mapping[type[Table], Basis],
    checks: Sequence[Check],
    pictures: Mapping[type[Table], Drawn],
) -> Iterator[Any]:
    context = step.context
    wanted = list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else [WHOLE_HOME]
    selected = step.contracts
    of_each = {basis: basis.of(step, wanted) for basis in dict.fromkeys(bases[contract] for contract in selected)}
    made_from = {contract: of_each[bases[contract]] for contract in selected}
    good = _good(step, wanted, made_from)
    # A table with a basis of its own need not be made again because another of the step is.
    whole = [contract for contract in selected if len(bases[contract].contracts) == 1 and len(good[contract]) == len(wanted)]
    step.contracts = [contract for contract in selected if contract not in whole]
    kept = {key for key in wanted if all(key in good[contract] for contract in step.contracts)}
    step.partitions = [key for key in wanted if key not in kept]
    made: Sequence[Made] = [Made(contract.empty()) for contract in step.contracts]
    since = step.ledger.last_call() if step.partitions and any(bases[contract].buys for contract in step.contracts) else 0
    if step.partitions:
        frames = {argument: step.warehouse.read(contract, _own(contract, step.partitions)) for argument, contract in reads.items()}
        result = make(step, **frames)
        made = [result] if isinstance(result, Made) else list(result)
    last_call = _last_reflected(step, made, since)
    of_kept = {contract: {key: note for key, note in good[contract].items() if contract in whole or key in kept} for contract in selected}
    rows = dict(zip(step.contracts, made, strict=True))
    written: dict[type[Table], dict[str, Note]] = {}
    for contract in selected:
        noted = written[contract] = {}
        partitions = [] if contract in whole else step.partitions
        each = rows.get(contract) or Made(contract.empty())
        seen = look(step, contract, each.frame, partitions, pictures.get(contract))
        yield _result(step, contract, each, partitions, of_kept[contract], made_from[contract], last_call, noted, seen)
    asked = context.selected_asset_check_keys
    passed = set(step.partitions) if all(check.spec.key in asked for check in checks if check.of in step.contracts) else set()
    targets: Targets = {}
    for check in checks:
        if check.spec.key in asked:
            verdicts = check.judge(step) if step.partitions and (check.of not in whole or check.name != AS_DECLARED) else {}
            passed -= {key for key, verdict in verdicts.items() if not verdict.passed}
            yield from evaluations(context, check, verdicts, of_kept.get(check.of, {}), targets)
    for contract, noted in written.items():
        step.warehouse.renote(contract, {key: replace(note, sealed=key in passed).text() for key, note in noted.items()})


def _last_reflected(step: Step, made: Sequence[Made], since: int) -> Callable[[Served], int]:
    """The newest call that rows certainly reflect. `since`: the newest one before the step began."""
    if not any(each.served for each in made):
        return lambda _: 0
    # Read after this step's own purchases. Whatever it would have bought, it has waited for, whoever bought it.
    last_call = step.ledger.last_call()
    recalls = any(served.recalled for each in made for served in each.served.values())
    meanwhile = step.ledger.called_for_others(since, step.partitions) if recalls and last_call > since else {}
    return lambda served: notes.last_reflected(served, last_call, meanwhile)


def _own(contract: type[Table], partitions: Sequence[str]) -> Sequence[str]:
    return [WHOLE_HOME] if contract.grain == "home" else partitions


def _notes(warehouse: Warehouse, contract: type[Table], partitions: Sequence[str]) -> dict[str, Note]:
    found = ((key, Note.read(text)) for key, text in warehouse.notes(contract, partitions).items())
    return {key: note for key, note in found if note is not None}


def _content_of_all(warehouse: Warehouse, contract: type[Table]) -> str | None:
    """One hash over all partitions, including emptied ones; None if one of them has no note."""
    partitions = warehouse.partitions(contract)
    found = {key: note.content for key, note in _notes(warehouse, contract, partitions).items()}
    if len(found) < len(partitions):
        return None
    return hashlib.sha256(orjson.dumps(found, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _good(
    step: Step, wanted: Sequence[str], made_from: Mapping[type[Table], Mapping[str, dict[str, str | None]]]
) -> dict[type[Table], dict[str, Note]]:
    """For each of the step's tables, the partitions that would come out the same again, with their notes."""
    hold = functools.partial(answers_hold, step, Now(step.ledger))
    return {
        contract: {
            key: note
            for key, note in _notes(step.warehouse, contract, wanted).items()
            if note.sealed and not notes.differs(note, parts[key]) and hold(note)
        }
        for contract, parts in made_from.items()
    }


def overtaken(warehouse: Warehouse, ledger: Ledger, assets: Collection[AssetKey], campaigns: Sequence[str], since: int) -> list[str]:
    """The campaigns of which a table among `assets` does not show what was bought later, by a call after `since`: of a company that was worth nothing to them,
    another campaign may have bought the answer."""
    last_calls = {notes.prefix(key): call for key, call in ledger.last_calls(since).items()}
    bought = [TABLES[name] for name, basis in BASES.items() if basis.buys and name in TABLES and key_of(TABLES[name]) in assets]
    found = {
        key
        for contract in bought
        if last_calls and contract.grain == "campaign"
        for key, note in _notes(warehouse, contract, campaigns).items()
        if notes.overtaken(note, last_calls)
    }
    return [key for key in campaigns if key in found]


class Now:
    """The ledger's current state, queried once per step and only if a note needs it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._called: dict[int, frozenset[str]] = {}

    @functools.cached_property
    def last_call(self) -> int:
        return self._ledger.last_call()

    @functools.cached_property
    def time(self) -> float:
        return self._ledger.now().timestamp()

    def called_since(self, call: int) -> frozenset[str]:
        if call not in self._called:
            self._called[call] = notes.prefixes(self._ledger.called_since(call))
        return self._called[call]


def answers_hold(step: Step, now: Now, note: Note) -> bool:
    """Whether the ledger would serve the same answers to a partition again."""
    if note.last_call is None:
        return True
    ageless = step.ledger.buying == "never"
    return notes.answers_hold(note, now=now.time, last_call=now.last_call, called_since=now.called_since, ageless=ageless)


def _result(
    step: Step,
    contract: type[Table],
    made: Made,
    partitions: Sequence[str],
    kept: Mapping[str, Note],
    made_from: Mapping[str, dict[str, str | None]],
    last_call: Callable[[Served], int],
    noted: dict[str, Note],
    seen: Mapping[str, Mapping[str, Any]],
) -> MaterializeResult:
    """The table's output: the IO manager writes the partitions that were made, and each partition's own materialization shows its figures."""

    def note(key: str, content: str, rows: int) -> str:
        own = Note(content, rows, made_from[key], _plain(made.figures.get(key, {})))
        noted[key] = notes.with_served(own, served, last_call(served)) if (served := made.served.get(key)) else own
        partition = None if contract.grain == "home" else key
        partition_metadata.add(step.context, key_of(contract), {partition: {CONTENT: own.content}})
        return ""  # the note is written once, when the checks have been judged (`_walk`)

    heights = _heights(contract, made.frame)
    own = {key: {"rows": heights.get(key, 0), **_plain(made.figures.get(key, {})), "kept": False} for key in partitions}
    own |= {key: {"rows": note.rows, **_unspent(note.figures), "kept": True, CONTENT: note.content} for key, note in kept.items()}
    shown = _plain(made.shown)
    # Larger than the rest of an event, and the same for all: one partition of a run says it, and where every partition was kept, an earlier run's does.
    lineage = {"dagster/column_lineage": column_lineage(contract)} if partitions or len(own) == 1 else {}
    if contract.grain == "home":
        (figures,) = own.values()
        shown |= {"dagster/row_count": figures["rows"], **figures, **seen.get(WHOLE_HOME, {}), **lineage}
    else:
        counted = {key: {"dagster/partition_row_count": figures["rows"], **figures, **seen.get(key, {})} for key, figures in own.items()}
        first = next(iter(counted))
        counted[first] = {**counted[first], **lineage}
        partition_metadata.add(step.context, key_of(contract), counted)
    return MaterializeResult(asset_key=key_of(contract), value=(made.frame, list(partitions), note), metadata=shown)


def _heights(contract: type[Table], frame: pl.DataFrame) -> dict[str, int]:
    column = contract.partition_column()
    if column is None:
        return {WHOLE_HOME: frame.height}
    return dict(frame.group_by(pl.col(column).cast(pl.String)).len().iter_rows()) if frame.height else {}


def _unspent(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a kept partition: nothing was bought, and everything its rows depend on was saved."""
    shown = {name: value for name, value in figures.items() if name not in _OF_A_RUN}
    if CALLS_SAVED in figures:
        saved = figures[CALLS_SAVED] + figures.get(CALLS_BOUGHT, 0)
        shown |= {CALLS_SAVED: saved, CALLS_BOUGHT: 0, COST_USD: 0.0, "uncertain_calls": 0}
    return shown


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if type(value).__name__ == "Decimal" else value for name, value in figures.items() if value is not None}

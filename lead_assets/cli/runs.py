"""Runs the asset graph from a command: an instance below the home folder, campaigns as partitions, live progress.

Does not belong here: what is printed (see `cli`) or what the tables say afterwards (see `report`).
"""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

from dagster import AllPartitionMapping, AssetKey, AssetSelection, DagsterError, DagsterEventType, DagsterInstance, Definitions

from lead_assets.automation import HOME_TABLES, PIPELINE, of_campaigns, of_days, of_home
from lead_assets.cli.stopping import heeding_signals
from lead_assets.core.document import nearest
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord
from lead_assets.kit import lost_storage
from lead_assets.kit.dagster_internals import HISTORY, load
from lead_assets.kit.declare import BUY_TAG, GRAIN_TAG, LIMIT_TAG, MODE_TAG
from lead_assets.kit.partitions import backfill_policy, campaigns, contiguous_runs, days
from lead_assets.kit.run_failures import APART_TAG, RUNNER_TAG
from lead_assets.ledger.holders import new_holder
from lead_assets.operating.watch import fresh

Progress = Callable[[int, int, str], None]
"""(steps done, total steps, what is in progress)"""

# Not in dagster.yaml itself, which Dagster also reads when no DAGSTER_HOME is set.
_HISTORY = """
storage:
  custom:
    module: lead_assets.kit.run_history
    class: LocalRunHistory
    config:
      base_dir: {}
"""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Ran:
    """One run over neighbouring campaigns or days, or of the home-wide tables."""

    run_id: str
    campaigns: tuple[str, ...]
    """Its campaigns or days; none for a home-wide run."""
    success: bool
    failures: tuple[str, ...]
    """"step: error" for each failed step, or what prevented the first step, without data."""
    began: bool = True
    """Whether it came to its first step."""


def dagster_home(settings: Settings) -> str:
    """DAGSTER_HOME: the user's own if set, otherwise a folder below home with a copy of dagster.yaml. Sets the variable for this process and its children."""
    if "DAGSTER_HOME" not in os.environ:
        folder = settings.home.resolve() / "dagster"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = project_file("deploy/dagster.yaml" if settings.env == "production" else "dagster.yaml").read_text("utf-8")
        if settings.env != "production" and load(HISTORY) is not None:
            wanted += _HISTORY.format(json.dumps(str(folder), ensure_ascii=False))
        target = folder / "dagster.yaml"
        if not target.exists() or target.read_text("utf-8") != wanted:
            aside = folder / f".dagster.yaml.{uuid.uuid4().hex[:8]}"
            aside.write_text(wanted, "utf-8")
            shutil.move(aside, target)
        os.environ["DAGSTER_HOME"] = str(folder)
    return os.environ["DAGSTER_HOME"]


@contextmanager
def instance_of(settings: Settings) -> Iterator[DagsterInstance]:
    dagster_home(settings)
    with DagsterInstance.get() as instance:
        yield instance


def add_campaigns(instance: DagsterInstance, keys: Iterable[str]) -> None:
    """Add the campaigns as partitions. Existing ones are left alone."""
    _add(instance, _partitions_name(), keys)


def _add(instance: DagsterInstance, name: str, keys: Iterable[str]) -> None:
    known = set(lost_storage.outlast(instance, lambda: instance.get_dynamic_partitions(name)))
    if new := [key for key in keys if key not in known]:
        instance.add_dynamic_partitions(name, new)


def known_campaigns(instance: DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions(_partitions_name()))


def select_assets(definitions: Definitions, selection: str | None) -> list[AssetKey]:
    """The keys of the assets in a selection ("routing/decisions", "group:scoring", "+marts/campaign_funnel"). Raises UnknownWord if there are none."""
    graph = definitions.resolve_asset_graph()
    every = of_campaigns | of_days | of_home
    groups = {key.to_user_string(): graph.get(key).group_name for key in every.resolve(graph)}
    try:
        chosen = every if selection is None else AssetSelection.from_string(selection) & every
        # Selecting a table also selects those made together with it (classifications and their quarantine).
        keys = sorted(chosen.required_multi_asset_neighbors().resolve(graph))
    except DagsterError as error:
        raise _unknown_selection(selection or "", f"cannot be parsed ({str(error).splitlines()[0]})", groups) from error
    if not keys:
        raise _unknown_selection(selection or "", "matches no asset that a run makes", groups)
    return keys


def _unknown_selection(selection: str, fault: str, groups_of_assets: Mapping[str, str]) -> UnknownWord:
    assets, groups = sorted(groups_of_assets), sorted(set(groups_of_assets.values()))
    words = [word for word in re.findall(r"[\w/]+", selection) if word not in {*assets, *groups, "key", "group", "and", "or", "not"}]
    meant = next(filter(None, (nearest(word, [*assets, *groups]) for word in words)), "")
    return UnknownWord(
        f"--select {selection!r} {fault}{meant}: write 'group:scoring', 'key:\"routing/decisions\"+' and the like; "
        f"groups: {', '.join(groups)}; keys: {', '.join(assets)}"
    )


def run_campaigns(
    definitions: Definitions,
    instance: DagsterInstance,
    wanted: Sequence[str],
    *,
    assets: Sequence[AssetKey],
    limit: int | None = None,
    batch: bool = False,
    from_ledger: bool = False,
    days_with_data: Callable[[], Iterable[str]] = tuple,
    overtaken: Callable[[Sequence[AssetKey], Sequence[str]], list[str]] = lambda assets, campaigns: [],
    on_progress: Progress | None = None,
) -> list[Ran]:
    """Materialize assets for campaigns, one run per group of neighbouring campaigns, in this process; with several groups, one for each of `stages_of`.
    A group that fails is run again in halves, so that one campaign does not hold up its neighbours. Then materialize the home-wide assets in one run, even
    if a campaign failed, from whatever its tables contain, and the assets per day.

    limit: the maximum number of leads per campaign that continue from identity into the rooms that cost money.
    batch: use the model's Message Batches, cheaper by half but slower.
    from_ledger: buy nothing; serve the ledger's answers at any age.
    days_with_data: called if there are assets per day; these days (YYYY-MM-DD) become partitions, and all known days are materialized.
    overtaken(assets, campaigns): those of the campaigns that do not show what later groups have bought. They run again before anything reads them all, so that
    the rows do not depend on the order of the groups.
    on_progress(steps done, total steps, campaigns in progress): called a few times per second.
    """
    tags = {
        RUNNER_TAG: new_holder(),
        **({LIMIT_TAG: str(limit)} if limit is not None else {}),
        **({MODE_TAG: "batch"} if batch else {}),
        **({BUY_TAG: "never"} if from_ledger else {}),
    }
    groups = contiguous_runs(wanted, known_campaigns(instance), backfill_policy.max_partitions_per_run or 1)
    graph = definitions.resolve_asset_graph()
    of_each = [key for key in assets if graph.get(key).tags[GRAIN_TAG] == "campaign"]
    others = [key for key in assets if key not in of_each] if groups else []
    stages = stages_of(definitions, of_each) if len(groups) > 1 else [of_each]
    work = [(group, stage) for stage in stages if stage for group in groups]
    work += _after_campaigns(definitions, instance, others, days_with_data)
    steps = [len({id(definitions.resolve_assets_def(key)) for key in stage}) for _, stage in work]

    def run(group: list[str], stage: Sequence[AssetKey], before: int) -> Ran:
        def progress(done: int) -> None:
            if on_progress is not None:
                on_progress(before + done, sum(steps), ", ".join(group) or "all campaigns")

        done = lost_storage.outlast(
            instance,
            lambda: _run_group(definitions, instance, group, stage, tags, progress if on_progress is not None else None),
            is_lost=lambda ran: not ran.success and all(map(lost_storage.is_lost_text, ran.failures)),
        )
        gc.collect(0)  # Dagster leaves half a million objects that refer to each other, and with them the rows of every output
        return done

    ran: list[Ran] = []
    begun = 0
    for number, ((group, stage), count) in enumerate(zip(work, steps, strict=True), start=1):
        failed = {campaign for each in ran if not each.success for campaign in each.campaigns}
        # Campaigns that failed do not continue.
        for part in contiguous_runs(set(group) - failed, group, len(group)) if group else [group]:
            ran += _apart(instance, run(part, stage, begun), partial(run, stage=stage, before=begun))
        begun += count
        if number == len(groups) > 1:
            good = [campaign for each in ran if each.success for campaign in each.campaigns]
            for part in contiguous_runs(overtaken(stage, good), known_campaigns(instance), backfill_policy.max_partitions_per_run or 1):
                ran += _apart(instance, run(part, stage, begun), partial(run, stage=stage, before=begun))
    return ran


def _apart(instance: DagsterInstance, ran: Ran, again: Callable[[list[str]], Ran], both: int = 0) -> list[Ran]:
    """A group's run; if a step of it failed, the runs of its halves, until those that fail are of one campaign. Where both halves fail twice in a row, it is
    not because of a campaign, and they stay together."""
    group = list(ran.campaigns)
    if ran.success or not ran.began or len(group) < 2 or both == 2:
        return [ran]
    if not set(group) <= set(known_campaigns(instance)):  # days, or somebody has deleted a partition meanwhile
        return [ran]
    instance.add_run_tags(ran.run_id, {APART_TAG: "true"})
    middle = len(group) // 2
    halves = [again(group[:middle]), again(group[middle:])]
    both = 0 if any(half.success for half in halves) else both + 1
    return [each for half in halves for each in _apart(instance, half, again, both)]


def run_job(definitions: Definitions, instance: DagsterInstance, name: str) -> Ran:
    """Run one of automation's jobs that has no partitions, such as those of its schedules, in this process."""
    job = definitions.resolve_job_def(name)
    with heeding_signals():
        result = job.execute_in_process(run_config=_QUIET, instance=instance, tags={RUNNER_TAG: new_holder()}, raise_on_error=False)
    failed = result.filter_events(lambda event: event.event_type == DagsterEventType.STEP_FAILURE)
    return Ran(result.run_id, (), result.success, tuple(_failure(event) for event in failed))


def stages_of(definitions: Definitions, assets: Sequence[AssetKey]) -> list[list[AssetKey]]:
    """The assets in stages that all groups of campaigns must pass together: an asset that reads all campaigns of another (AllPartitionMapping) comes one
    stage after it, so that the first group sees what the last one adds. Dagster's own backfills wait in the same way."""
    graph, wanted = definitions.resolve_asset_graph(), set(assets)
    stage: dict[AssetKey, int] = {}
    for key in graph.toposorted_asset_keys:
        if key in wanted:
            node = graph.get(key)
            waits = {parent: isinstance(node.partition_mappings.get(parent), AllPartitionMapping) for parent in node.parent_keys}
            stage[key] = max((stage[parent] + wait for parent, wait in waits.items() if parent in stage), default=0)
    return [[key for key in assets if stage[key] == number] for number in range(max(stage.values(), default=0) + 1)]


def _after_campaigns(
    definitions: Definitions, instance: DagsterInstance, assets: Sequence[AssetKey], days_with_data: Callable[[], Iterable[str]]
) -> list[tuple[list[str], list[AssetKey]]]:
    """(days, assets) for each run of home-wide assets (no days) and of assets per day: one run each, or more if one kind reads the other in turn."""
    graph = definitions.resolve_asset_graph()
    grain = {key: graph.get(key).tags[GRAIN_TAG] for key in graph.toposorted_asset_keys if key in set(assets)}
    groups: dict[str, list[list[str]]] = {"home": [[]], "day": []}
    if "day" in grain.values():
        _add(instance, str(days.name), sorted(days_with_data()))
        known = list(instance.get_dynamic_partitions(str(days.name)))
        groups["day"] = contiguous_runs(known, known, backfill_policy.max_partitions_per_run or 1)
    stage: dict[AssetKey, int] = {}
    for key, own in grain.items():
        stage[key] = max((stage[parent] + (grain[parent] != own) for parent in graph.get(key).parent_keys if parent in stage), default=0)
    return [
        (group, [key for key in grain if (stage[key], grain[key]) == (number, kind)])
        for number, kind in sorted({(stage[key], kind) for key, kind in grain.items()})
        for group in groups[kind]
    ]


def _run_group(
    definitions: Definitions,
    instance: DagsterInstance,
    group: list[str],
    assets: Sequence[AssetKey],
    tags: dict[str, str],
    on_progress: Callable[[int], None] | None,
) -> Ran:
    graph = definitions.resolve_asset_graph()
    if graph.get(assets[0]).tags[GRAIN_TAG] == "day":
        job = definitions.resolve_implicit_global_asset_job_def()  # a job of its own would need at least one such table
    else:
        job = definitions.resolve_job_def(PIPELINE if group else HOME_TABLES)
    if len(group) > 1:
        tags = tags | {"dagster/asset_partition_range_start": group[0], "dagster/asset_partition_range_end": group[-1]}
    run_id = str(uuid.uuid4())
    try:
        with heeding_signals(), _progress(instance, run_id, on_progress) if on_progress is not None else nullcontext():
            result = job.execute_in_process(
                run_config=_QUIET,
                instance=instance,
                run_id=run_id,
                partition_key=group[0] if len(group) == 1 else None,
                asset_selection=list(assets),
                tags=tags,
                raise_on_error=False,
            )
    except Exception as error:
        if lost_storage.lost(error):
            lost_storage.wait(instance)
            lost_storage.end(instance, run_id)
        raise
    failed = result.filter_events(lambda event: event.event_type == DagsterEventType.STEP_FAILURE)
    began = result.success or bool(failed)
    if not began:
        # The run did not start, because a resource could not be created: for example, rules were broken between two groups.
        failed = result.filter_events(lambda event: event.event_type == DagsterEventType.RUN_FAILURE)
    failures = tuple(_failure(event) for event in failed)
    if any(map(lost_storage.is_full_text, failures)):
        # The next group, or a half of this one, would pay for answers that cannot be journaled.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), instance.root_directory)
    return Ran(run_id, tuple(group), result.success, failures, began)


@contextmanager
def _progress(instance: DagsterInstance, run_id: str, on_progress: Callable[[int], None]) -> Iterator[None]:
    """Report finished steps while the block runs. Dagster has no callback for in-process runs, so a thread reads its event log."""
    done = threading.Event()

    def watch() -> None:
        finished = False
        while not finished:
            finished = done.wait(0.3)
            try:
                records = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_SUCCESS).records
                # The check `fresh` is a step that makes nothing.
                steps = sum(record.event_log_entry.step_key != fresh.node_def.name for record in records)
            except Exception as error:
                if not lost_storage.lost(error):
                    raise
                continue  # a progress display is not worth a failure
            on_progress(steps)

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _failure(event: object) -> str:
    error = event.event_specific_data.error  # type: ignore[attr-defined]
    while error is not None and error.cause is not None:
        error = error.cause
    # Only the first line, because a stack's locals and a vendor's body may contain data.
    text = (error.message if error else "no error text").strip().splitlines()[0]
    return f"{event.step_key or 'before the first step'}: {text}"  # type: ignore[attr-defined]


def _partitions_name() -> str:
    name = campaigns.name
    assert name is not None
    return name

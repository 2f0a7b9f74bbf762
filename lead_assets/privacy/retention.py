"""Removes what has been kept as long as rules/privacy.yaml says.

Everything stays countable: a drop's payloads become marks, an answer leaves its cost. A rebuild then shows what is left.
Does not belong here: when it runs (see `lead_assets.automation`), or one person's data (see `forget`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import polars as pl
from pydantic import BeforeValidator

from lead_assets.contracts import TABLES, RawLead
from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import duration
from lead_assets.intake.adapters import adapters_of
from lead_assets.ledger.erasing import FORGOTTEN, CallInFull, Erasure
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy.held_rows import is_of_leads, rewrite, without
from lead_assets.privacy.redaction import DropReading, emptied
from lead_assets.privacy.search import files_below
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Objects, open_objects
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.base import Warehouse

ERASURE = "retention"
_TAKEN = ".taken"


def _age(value: Any) -> timedelta | None:
    if value == "forever":
        return None
    try:
        age = duration(value)
    except ValueError:
        raise ValueError("an age is a whole number and a unit, e.g. 90d or 52w, or forever") from None
    if age < timedelta(days=1):
        raise ValueError("an age is at least 1d: runs that are in progress still read what is younger")
    return age


Age = Annotated[timedelta | None, BeforeValidator(_age)]


class KeptFor(Declared):
    """How long each kind is kept; None: forever."""

    drops: Age
    events: Age
    answers_about_people: Age
    answers_about_companies: Age
    answers_of_models: Age
    taken_files: Age
    run_logs: Age


class PrivacyRules(Declared):
    keep: KeptFor


PRIVACY = RulesFile("privacy.yaml", PrivacyRules, summary=lambda rules: _told(rules.keep))


def load_privacy_rules(settings: Settings) -> PrivacyRules:
    """The rules in force. Raises RulesError."""
    return PRIVACY.load(settings)


def retain(settings: Settings, ledger: Ledger, rules: PrivacyRules, now: datetime, *, dry_run: bool = False) -> dict[str, dict[str, int]]:
    """Remove what is older than `rules` say at `now`. Returns {kind: {removed, bytes}}; with `dry_run`, what would be removed."""
    keep = rules.keep
    found: dict[str, dict[str, int]] = {}
    for kind, work in (("drops", _drops), ("events", _events), ("taken_files", _taken_files), ("run_logs", _run_logs)):
        if (age := getattr(keep, kind)) is not None:
            found[kind] = work(settings, now - age, dry_run)
    found |= _answers(ledger, keep, now, dry_run)
    return found


def _drops(settings: Settings, before: datetime, dry_run: bool) -> dict[str, int]:
    archive, warehouse = archive_of(settings), warehouse_of(settings)
    latest: dict[str, datetime] = {}
    campaigns: dict[str, set[str]] = {}
    for campaign in archive.campaigns():
        for receipt in archive.receipts(campaign):
            latest[receipt.sha256] = max(receipt.received_at, latest.get(receipt.sha256, receipt.received_at))
            campaigns.setdefault(receipt.sha256, set()).add(campaign)
    old = [sha256 for sha256, at in latest.items() if at < before and not archive.objects.holds(f"redactions/{sha256}/{ERASURE}.json")]
    size = 0
    for sha256 in old:
        data = archive.get(sha256)
        size += len(data)
        if not dry_run:
            _empty(settings, archive, sha256, data)
    if old and not dry_run:
        derived = open_objects(settings.derived_location)
        concerned = sorted({campaign for sha256 in old for campaign in campaigns[sha256]})
        for campaign in concerned:
            for entry in list(derived.entries(f"intake/{campaign}.zip")):
                derived.remove(entry)
        _remove_rows(warehouse, concerned, old)
    return {"removed": len(old), "bytes": size}


def _empty(settings: Settings, archive: Archive, sha256: str, data: bytes) -> None:
    maps = [receipt.column_map for receipt in archive.receipts_of(sha256)][:1] or [{}]
    left = emptied(data, DropReading(settings.limits, adapters_of(settings), maps))
    record = {"erasure": ERASURE, "size_before": len(data), "size_after": len(left), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    archive.redact(sha256, left, ERASURE, orjson.dumps(record))


def _remove_rows(warehouse: Warehouse, campaigns: list[str], drops: list[str]) -> None:
    """The rows of these drops, and of leads that only they named, leave every table; the next run makes the partitions again."""
    warehouse.prepare()
    there = sorted(set(campaigns) & set(warehouse.partitions(RawLead)))
    raw = warehouse.query(f"SELECT campaign_id, lead_id, drop_sha256 FROM {RawLead.table}", [RawLead], there) if there else RawLead.empty()
    raw = raw.select(pl.col(name).cast(pl.String) for name in ("campaign_id", "lead_id", "drop_sha256"))
    gone = raw.filter(pl.col("drop_sha256").is_in(drops))
    leads = gone.join(raw.filter(~pl.col("drop_sha256").is_in(drops)), on=["campaign_id", "lead_id"], how="anti")
    of_drops = pl.DataFrame({"campaign_id": campaigns}).join(pl.DataFrame({"drop_sha256": drops}), how="cross")
    for contract in TABLES.values():
        for key in warehouse.partitions(contract):
            if (contract.grain == "campaign" and key not in campaigns) or not (
                is_of_leads(contract) or "drop_sha256" in contract.polars_schema()
            ):
                continue
            rows = warehouse.read(contract, [key])
            left = without(contract, rows, leads.select("campaign_id", "lead_id").unique(), of_drops)
            if left.height < rows.height:
                rewrite(warehouse, contract, left, key)


def _events(settings: Settings, before: datetime, dry_run: bool) -> dict[str, int]:
    return _old_objects(archive_of(settings).objects, "events/", before, dry_run)


def _taken_files(settings: Settings, before: datetime, dry_run: bool) -> dict[str, int]:
    landing = settings.landing_location.removeprefix("file://")
    # What is hidden is no object of a folder.
    if "://" in landing:
        return _old_objects(open_objects(landing), f"{_TAKEN}/", before, dry_run)
    return _old_files(Path(landing) / _TAKEN, before, dry_run)


def _run_logs(settings: Settings, before: datetime, dry_run: bool) -> dict[str, int]:
    home = Path(os.environ.get("DAGSTER_HOME", settings.home / "dagster"))
    found = {"removed": 0, "bytes": 0}
    for folder in sorted(home.glob("storage/*/compute_logs")):
        for name, count in _old_files(folder, before, dry_run).items():
            found[name] += count
    return found


def _old_objects(store: Objects, prefix: str, before: datetime, dry_run: bool) -> dict[str, int]:
    old = [entry for entry in store.entries(prefix) if entry.arrived < before.timestamp()]
    for entry in old if not dry_run else ():
        store.remove(entry)
    return {"removed": len(old), "bytes": sum(entry.size for entry in old)}


def _old_files(folder: Path, before: datetime, dry_run: bool) -> dict[str, int]:
    old = {file: stat.st_size for file in files_below(folder) if (stat := file.stat()).st_mtime < before.timestamp()}
    for file in old if not dry_run else ():
        file.unlink(missing_ok=True)
    return {"removed": len(old), "bytes": sum(old.values())}


def _answers(ledger: Ledger, keep: KeptFor, now: datetime, dry_run: bool) -> dict[str, dict[str, int]]:
    ages = {name: age for name in KeptFor.model_fields if name.startswith("answers_") and (age := getattr(keep, name)) is not None}
    if not ages:
        return {}
    old: dict[str, list[CallInFull]] = {name: [] for name in ages}
    for call in _calls(ledger):
        kind = kind_of_answer(call)
        if kind in ages and call.answered_at < now - ages[kind]:
            old[kind].append(call)
    whole = [call.id for calls in old.values() for call in calls]
    if whole and not dry_run:
        ledger.erase(Erasure(sorted(whole)))
    return {name: {"removed": len(calls), "bytes": sum(len(call.told) for call in calls)} for name, calls in old.items()}


def kind_of_answer(call: CallInFull) -> str:
    """The kind that an answer is kept as, by what was asked about: a model's question is a hash, a company a domain, a person everything else."""
    if call.operation.startswith("anthropic."):
        return "answers_of_models"
    subject = call.subject
    is_company = "." in subject and not {"@", "/", " "} & set(subject)
    return "answers_about_companies" if is_company else "answers_about_people"


def _calls(ledger: Ledger) -> Iterator[CallInFull]:
    for calls in ledger.calls_in_full():
        yield from (call for call in calls if not call.subject.startswith(f"{FORGOTTEN}:"))


def _told(keep: KeptFor) -> str:
    limited = {name: age for name, age in keep if age is not None}
    return "kept: " + (", ".join(f"{name.replace('_', ' ')} {age.days} days" for name, age in limited.items()) or "everything forever")

"""Checks what a run needs: settings, keys, stores, versions. Calls no vendor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lead_assets.cli.errors import explained
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.vendors import load_vendors

_PACKAGES = ("dagster", "duckdb", "polars", "pydantic", "anthropic", "httpx2", "sqlalchemy")


def examine(settings: Settings) -> dict[str, Any]:
    """{"ok", "checks": [{"name", "ok", "detail"}]}. A missing key is not a fault: the detail says what works without it."""
    checks = [*_stores(settings), *_rules(settings), *_keys(settings), *_versions()]
    return {"ok": all(check["ok"] for check in checks), "checks": checks}


def _stores(settings: Settings) -> Iterator[dict[str, Any]]:
    yield _check("home", lambda: _writable(settings.home))
    yield _check("archive", lambda: f"{len(archive_of(settings).campaigns())} campaigns in {archive_of(settings).location}")
    yield _check("ledger", lambda: _ledger(settings))
    yield _check("warehouse", lambda: _warehouse(settings))
    yield _check("landing", lambda: _landing(settings))
    if settings.failed_leads_location:
        yield _check("failed leads", lambda: _bucket(str(settings.failed_leads_location)))
    if settings.env == "production":
        yield _check("run history", lambda: _run_history(settings))


def _rules(settings: Settings) -> Iterator[dict[str, Any]]:
    from lead_assets.core.last_good import faults_passed_over
    from lead_assets.rules.check import examine_rules

    if faults_passed_over(settings):
        yield {
            "name": "rules: in force",
            "ok": False,
            "detail": "the last good copy of LEAD_ASSETS_RULES_DIR, until the faults below are corrected",
        }
    for each in examine_rules(settings):
        name = each.name.removesuffix(".yaml")
        yield {"name": f"rules: {name}", "ok": not each.faults, "detail": "\n".join(each.faults) or each.summary}


def _keys(settings: Settings) -> Iterator[dict[str, Any]]:
    if settings.sandbox_url:
        yield _check("vendors", lambda: _sandbox(str(settings.sandbox_url)))
        return
    for vendor in load_vendors().values():
        present = vendor.key(settings) is not None
        yield {
            "name": f"key: {vendor.name}",
            "ok": True,
            "detail": "present" if present else f"absent: {vendor.without}",
        }


def _versions() -> Iterator[dict[str, Any]]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield {"name": "python", "ok": supported, "detail": python if supported else f"{python}: use CPython 3.11 to 3.13"}
    yield {"name": "packages", "ok": True, "detail": ", ".join(f"{name} {version(name)}" for name in ("lead-assets", *_PACKAGES))}


def _check(name: str, probe: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": probe()}
    except Exception as error:
        # A database driver's error may contain the URL with the password, so only its kind is shown.
        return {"name": name, "ok": False, "detail": explained(error) or f"not reachable ({type(error).__name__})"}


def _sandbox(url: str) -> str:
    import httpx2

    try:
        httpx2.get(f"{url}/_meter", timeout=5).raise_for_status()
    except httpx2.HTTPError as error:
        raise ValueError(
            f"no sandbox at {url} ({type(error).__name__}): start one (lead-assets sandbox --port N) or unset LEAD_ASSETS_SANDBOX_URL"
        ) from None
    return f"sandbox at {url}: no keys used"


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    probe.write_text("", "utf-8")
    probe.unlink()
    return str(folder.resolve())


def _ledger(settings: Settings) -> str:
    with opened_ledger(settings) as ledger:
        billed = ledger.billed()
        return f"{ledger.url.split(':')[0]}, {billed['calls']} calls billed, world {ledger.world() or 'not bound yet'}"


def _warehouse(settings: Settings) -> str:
    warehouse = warehouse_of(settings)
    warehouse.prepare()
    return warehouse.location


def _landing(settings: Settings) -> str:
    location = settings.landing_location
    return f"watched: {_bucket(location) if '://' in location else location}"


def _bucket(location: str) -> str:
    from lead_assets.stores.objects import open_objects

    open_objects(location).folders("")
    return location


def _run_history(settings: Settings) -> str:
    from lead_assets.cli import runs

    with runs.instance_of(settings) as instance:
        storage = type(instance.event_log_storage).__name__
        if "Postgres" not in storage:
            raise ValueError(
                f"production keeps Dagster's run history in Postgres, this instance is {storage}: use deploy/dagster.yaml as DAGSTER_HOME"
            )
        return f"{storage}, {instance.get_runs_count()} runs"

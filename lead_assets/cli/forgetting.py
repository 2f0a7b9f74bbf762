"""Forgets or exports a person as the commands do: with Dagster's runs in view.

Does not belong here: the work (see `lead_assets.privacy`), or printing (see `show_privacy`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger

if TYPE_CHECKING:
    from lead_assets.privacy.lists import Identifier


def forget(settings: Settings, text: str, *, dry_run: bool = False, country: str | None = None) -> dict[str, Any]:
    """The answer of `lead-assets forget`. Raises ValueError for what is no address or number, NotForgotten if something is left."""
    from lead_assets.privacy.forget import forget as forget_person

    runs.dagster_home(settings)
    asked = _read(text, country)
    with opened_ledger(settings) as ledger:
        return forget_person(settings, ledger, asked, dry_run=dry_run, busy=lambda: runs_in_progress(settings))


def runs_in_progress(settings: Settings) -> list[str]:
    """The ids of Dagster's runs that have begun and not ended."""
    from dagster import DagsterRunStatus, RunsFilter

    going_on = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    with runs.instance_of(settings) as instance:
        return [run.run_id for run in instance.get_runs(RunsFilter(statuses=going_on))]


def export(settings: Settings, text: str, *, country: str | None = None) -> dict[str, Any]:
    """The answer of `lead-assets export-person`. Raises ValueError for what is no address or number."""
    from lead_assets.privacy.export import export_person

    runs.dagster_home(settings)
    asked = _read(text, country)
    with opened_ledger(settings) as ledger:
        return export_person(settings, ledger, asked)


def retain(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """The answer of `lead-assets retain`. Raises RulesError."""
    from lead_assets.privacy.retention import load_privacy_rules
    from lead_assets.privacy.retention import retain as enforce

    rules = load_privacy_rules(settings)
    runs.dagster_home(settings)
    with opened_ledger(settings) as ledger:
        return {"dry_run": dry_run, "kinds": enforce(settings, ledger, rules, ledger.now(), dry_run=dry_run)}


def _read(text: str, country: str | None) -> Identifier:
    from lead_assets.privacy.lists import read_identifier

    asked = read_identifier(text, country=country)
    if asked is None:
        raise ValueError("this is no e-mail address or phone: write a phone as +14155550123, or add --country")
    return asked

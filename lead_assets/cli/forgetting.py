"""Forgets a person as the command does: with Dagster's runs in view.

Does not belong here: the forgetting (see `lead_assets.privacy.forget`), or printing (see `show_privacy`).
"""

from __future__ import annotations

from typing import Any

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger


def forget(settings: Settings, text: str, *, dry_run: bool = False, country: str | None = None) -> dict[str, Any]:
    """The answer of `lead-assets forget`. Raises ValueError for what is no address or number, NotForgotten if something is left."""
    from dagster import DagsterRunStatus, RunsFilter

    from lead_assets.privacy.forget import forget as forget_person
    from lead_assets.privacy.lists import read_identifier

    asked = read_identifier(text, country=country)
    if asked is None:
        raise ValueError("this is no e-mail address or phone: write a phone as +14155550123, or add --country")
    going_on = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    with opened_ledger(settings) as ledger, runs.instance_of(settings) as instance:
        return forget_person(
            settings,
            ledger,
            asked,
            dry_run=dry_run,
            busy=lambda: [run.run_id for run in instance.get_runs(RunsFilter(statuses=going_on))],
        )

"""The demo: sends the fixtures and the sandbox's campaign API through the whole graph."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import yaml

from lead_assets.automation import EVALUATION, OBSERVE
from lead_assets.cli import pipeline, runs
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.ingest import ingest
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.stores.opened import archive_of


def run(settings: Settings, progress: runs.Progress | None = None) -> dict[str, Any]:
    """Ingest the fixtures (unless an earlier demo did) and run every campaign. Returns the answer of `lead-assets demo`."""
    began = time.monotonic()
    check_rules(settings)
    _ingest_fixtures(settings)
    pipeline.sync_campaign_api(settings)
    with opened_ledger(settings) as ledger:
        since = ledger.last_call()
        # Before the campaigns, because the home-wide tables of spending show it.
        evaluated = _job(settings, EVALUATION)
        answer = pipeline.run(settings, progress=progress)
        observed = _job(settings, OBSERVE)
        answer["billed"] = ledger.billed(since)
    answer["failures"] += [f"the whole home: {failure}" for each in (evaluated, observed) for failure in each.failures]
    home = "" if str(settings.home) == ".lead_assets" else f"LEAD_ASSETS_HOME={settings.home} "
    answer["seconds"] = round(time.monotonic() - began, 2)
    answer["next"] = [
        ("open the graph, drop a file into the landing folder and watch it being processed", "make dev"),
        ("compare the campaigns", f"{home}.venv/bin/lead-assets export marts.campaign_scorecard"),
        ("see why a lead has its owner", f"{home}.venv/bin/lead-assets export routing.decisions --format csv | head"),
    ]
    return answer


def _job(settings: Settings, name: str) -> runs.Ran:
    from lead_assets.definitions import build_defs

    with runs.instance_of(settings) as instance:
        return runs.run_job(build_defs(settings), instance, name)


def _ingest_fixtures(settings: Settings) -> None:
    archive = archive_of(settings)
    fixtures = project_file("fixtures")
    for drop in yaml.safe_load((fixtures / "drops.yaml").read_text("utf-8")):
        data = (fixtures / drop["file"]).read_bytes()
        if not archive.holds(data):
            ingest(
                archive,
                data,
                name=drop["file"],
                received_at=drop.get("received_at") or datetime.now(UTC),
                campaign=drop.get("campaign"),
                limits=settings.limits,
                adapters=adapters_of(settings),
            )

"""The code location: `build_defs` only puts rooms and stores together. https://docs.dagster.io/guides/build/projects"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import AssetsDefinition, Definitions, definitions, in_process_executor, load_assets_from_modules

from lead_assets import automation
from lead_assets.briefs import assets as briefs
from lead_assets.classification import assets as classification
from lead_assets.core.settings import Settings
from lead_assets.delivery import assets as delivery
from lead_assets.estimating import assets as estimating
from lead_assets.identity import assets as identity
from lead_assets.intake import assets as intake
from lead_assets.kit.described import described
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.resources import RULES, ledger_resource, rules_resource, warehouse_resource
from lead_assets.kit.run_failures import retry_what_may_pass
from lead_assets.kit.versions import versioned
from lead_assets.ledger.opened import ledger_of
from lead_assets.lookalike import assets as lookalike
from lead_assets.marts.assets import mart_assets
from lead_assets.operating import observed, openlineage, watch
from lead_assets.routing import assets as routing
from lead_assets.scoring import assets as scoring
from lead_assets.signals.assets import loadable_signals, signal_assets
from lead_assets.signals.signal import places_of_operations, signals_of_operations
from lead_assets.spending.assets import spending_assets
from lead_assets.stores.opened import archive_of, warehouse_of

ROOMS = [intake, identity, lookalike, classification, scoring, briefs, routing, delivery, estimating, observed]


def build_defs(settings: Settings | None = None, overrides: Mapping[str, Any] | None = None) -> Definitions:
    """The whole code location for given settings (default: from the environment). `overrides` replaces resources by name.

    Nothing is opened here: stores connect when a step first uses them.
    """
    settings = settings or Settings()
    resources: dict[str, Any] = {
        "settings": settings,
        "archive": archive_of(settings),
        "ledger": ledger_resource(ledger_of(settings)),
        "warehouse": warehouse_resource(WarehouseIOManager(warehouse_of(settings))),
        RULES: rules_resource(lambda: _check_rules(settings)),
    }
    declared = loadable_signals(settings)[0].values()
    assets = [
        *load_assets_from_modules(ROOMS),
        *signal_assets(settings),
        *spending_assets(signals_of_operations(declared), places_of_operations(declared)),
        *mart_assets(),
    ]
    warehouse = warehouse_of(settings)
    assets = [
        described(versioned(asset, settings), settings, warehouse) if isinstance(asset, AssetsDefinition) else asset for asset in assets
    ]
    return Definitions(
        assets=[asset.with_hooks({retry_what_may_pass}) if isinstance(asset, AssetsDefinition) else asset for asset in assets],
        asset_checks=[watch.fresh],
        jobs=[
            automation.pipeline_job,
            automation.rebuild_job,
            automation.home_job,
            automation.evaluation_job,
            automation.estimate_job,
            automation.observe_job,
            automation.learned_job,
            automation.campaign_api_job,
            automation.retention_job,
            automation.suppression_job,
            automation.outcomes_job,
            automation.outbox_job,
            automation.deliveries_job,
            automation.history_job,
        ],
        sensors=[
            automation.drop_sensor,
            automation.missed_sensor,
            automation.held_back_sensor,
            automation.inbox_sensor,
            automation.home_sensor,
            automation.free_sensor,
            automation.outbox_sensor,
            watch.watch_sensor,
            watch.fetch_sensor,
            watch.refresh_sensor,
            *([openlineage.openlineage_sensor] if settings.openlineage_url else []),
        ],
        schedules=[
            automation.campaign_api_schedule,
            automation.retention_schedule,
            automation.suppression_schedule,
            automation.outcomes_schedule,
            automation.history_schedule,
            automation.evaluation_schedule,
            automation.observe_schedule,
            automation.learned_schedule,
        ],
        resources={**resources, **(overrides or {})},
        # Starting a process per step costs seconds of CPU; parallelism comes from runs (campaigns) and from asyncio inside a step.
        executor=in_process_executor,
    )


def _check_rules(settings: Settings) -> None:
    # Imported when a run starts, because it imports every room.
    from lead_assets.rules.check import put_in_force

    put_in_force(settings)


@definitions
def defs() -> Definitions:
    """What Dagster loads, for the environment. Commands call `build_defs` with their own settings, and do not pay for both."""
    return build_defs()

"""Tables that cost nothing update automatically; those that cost money are left to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, Definitions, EvaluateAutomationConditionsResult, evaluate_automation_conditions

from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets_tests.classification.pipeline import Graph, ingest_notes

pytestmark = pytest.mark.slow

FREE = {"scoring/scores", "routing/decisions", "marts/campaign_funnel", "marts/lead_360", "marts/time_to_first_touch"}


@pytest.fixture
def rules(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "scoring.yaml").write_text(SHIPPED)
    return folder


SHIPPED = (Path(__file__).parents[2] / "lead_assets" / "rules" / "scoring.yaml").read_text()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


class Ticks:
    """Evaluations of the automation conditions, each going on where the last one stopped, as the sensor does."""

    def __init__(self, instance: DagsterInstance) -> None:
        self._instance = instance
        self._last: EvaluateAutomationConditionsResult | None = None

    def __call__(self, definitions: Definitions) -> set[tuple[str, str]]:
        """(asset, campaign) that are asked for now."""
        from lead_assets.automation import of_campaigns

        self._last = evaluate_automation_conditions(
            definitions, self._instance, asset_selection=of_campaigns, cursor=self._last.cursor if self._last else None
        )
        keys = definitions.resolve_asset_graph().get_all_asset_keys()
        return {
            (key.to_user_string(), partition)
            for key in keys
            if definitions.resolve_asset_graph().get(key).automation_condition is not None
            for partition in self._last.get_requested_partitions(key)
            if partition is not None
        }


def test_only_what_costs_nothing_has_a_condition(settings: Settings) -> None:
    graph = build_defs(settings).resolve_asset_graph()
    conditioned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None}
    assert conditioned & {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned} == FREE
    assert graph.get(AssetKey(["signals", "company_overview"])).automation_condition is None


def test_edited_rules_bring_the_scores_of_every_campaign_that_was_made_up_to_date(
    settings: Settings, rules: Path, instance: DagsterInstance
) -> None:
    settings = settings.model_copy(update={"rules_dir": rules})
    for campaign in ("fall", "spring"):
        ingest_notes(settings, campaign, ["Fix and flip, 12 flips done", "Rental refinance"])
    definitions = build_defs(settings)
    ticks = Ticks(instance)
    assert Graph(settings, instance, definitions).run("fall", "spring").success
    instance.add_dynamic_partitions("campaign", ["never_run"])
    ticks(definitions)
    assert ticks(definitions) == set()

    (rules / "scoring.yaml").write_text(re.sub(r"hot: \d+", "hot: 99", SHIPPED, count=1))
    edited = build_defs(settings)
    assert {("scoring/scores", "fall"), ("scoring/scores", "spring")} <= ticks(edited)
    assert ("scoring/scores", "never_run") not in ticks(edited)

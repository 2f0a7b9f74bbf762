"""Dagster's view of the classification room.

What a step needs beyond declarations is imported in the step: every run pays for what the code location loads.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    multi_asset,
)

from lead_assets.contracts import (
    Classification,
    EnrichedLead,
    GoldenEvaluation,
    Lead,
    Quarantined,
    Table,
)
from lead_assets.core.settings import Settings
from lead_assets.kit.declare import (
    asset_of,
    assets_of,
    conservation_check,
    contract_check,
    counts_per_campaign,
    key_of,
    mode_of,
    result_of,
)
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.kit.outages import answered_by_rules, circuits_shown, note_misses
from lead_assets.kit.partitions import campaigns
from lead_assets.ledger import Ledger

if TYPE_CHECKING:
    from lead_assets.classification.checks import Drift


def _check(contract: type[Table], name: str, description: str, *, blocking: bool = False) -> AssetCheckSpec:
    return AssetCheckSpec(name, asset=key_of(contract), blocking=blocking, partitions_def=campaigns, description=description)


CONSERVES = _check(
    Classification,
    "conserves",
    "Enriched leads = classifications + quarantined, and no lead is in both, for every campaign.",
    blocking=True,
)
MEETS_CONTRACT = _check(
    Classification,
    "meets_contract",
    "Every answer validates against its profile's contract, and the table's columns say what the answer says.",
    blocking=True,
)
MIX_IS_STABLE = _check(
    Classification,
    "mix_is_stable",
    "The mix of classes and the rate of failures are those of the campaigns before, by the population stability index.",
)
NO_REGRESSION = AssetCheckSpec(
    "no_regression",
    asset=key_of(GoldenEvaluation),
    description="No field is less accurate, and no more answers fail, than recorded in rules/golden_baseline.yaml.",
)


@multi_asset(
    **assets_of([Classification, Quarantined], kinds=["anthropic"]),
    ins={"leads": AssetIn(key_of(Lead)), "enriched": AssetIn(key_of(EnrichedLead))},
    check_specs=[CONSERVES, MEETS_CONTRACT, MIX_IS_STABLE],
    pool="anthropic",
)
def classification__classifications(
    context: AssetExecutionContext,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    ledger: ResourceParam[Ledger],
    settings: ResourceParam[Settings],
    warehouse: ResourceParam[WarehouseIOManager],
) -> Iterator[MaterializeResult | AssetCheckResult]:
    from lead_assets.classification.checks import drift, trailing
    from lead_assets.classification.classify import classify, of_the_run
    from lead_assets.classification.rulebook import load_rulebook
    from lead_assets.model.cases import PROVIDER
    from lead_assets.model.outcome import broken_contracts

    mode, book = mode_of(context), load_rulebook(settings)
    classified = classify(of_the_run(leads, enriched), enriched, ledger=ledger, settings=settings, rulebook=book, mode=mode)
    good, bad = classified.classifications, classified.quarantine
    models = dict(good["model"].value_counts().sort("model").iter_rows())
    before = trailing(warehouse.warehouse, context.partition_keys, context.instance.get_dynamic_partitions(str(campaigns.name)))
    note_misses(context, ledger, Classification, answered_by_rules(good, PROVIDER))
    yield result_of(Classification, good, models=models, mode=mode, circuits=circuits_shown(ledger), **classified.stats)
    yield result_of(Quarantined, bad, codes=classified.stats["quarantined_by_code"])
    yield contract_check(MEETS_CONTRACT, broken_contracts(good, book.profiles))
    yield drift_check(drift((good, bad), before, book.profiles))
    counted = counts_per_campaign(enriched=enriched, classified=good, quarantined=bad)
    yield conservation_check(CONSERVES, counted, "enriched", "classified", "quarantined")


@asset(
    **asset_of(GoldenEvaluation, kinds=["anthropic"]),
    check_specs=[NO_REGRESSION],
    pool="anthropic",
)
def golden_evaluation(
    context: AssetExecutionContext, ledger: ResourceParam[Ledger], settings: ResourceParam[Settings]
) -> Iterator[MaterializeResult | AssetCheckResult]:
    from lead_assets.classification import golden, picture
    from lead_assets.classification.baselines import load_baselines

    synthetic = settings.world == "sandbox"
    evaluation = golden.evaluate(ledger, settings, mode=mode_of(context))
    drawn = [picture.as_markdown(name, picture.confusion_svg(name, field.confusion)) for name, field in evaluation.fields.items()]
    yield result_of(
        GoldenEvaluation,
        evaluation.rows,
        model=evaluation.model,
        leads=evaluation.leads,
        governance_failure_rate=evaluation.failure_rate,
        cost_usd=evaluation.cost_usd,
        confusion=MetadataValue.md("\n\n".join(drawn)),
        as_baseline=MetadataValue.md(f"```yaml\n{golden.as_baseline(evaluation, synthetic=synthetic)}```"),
        **{f"accuracy: {name}": share for name, share in evaluation.accuracy().items()},
    )
    worse = golden.regressions(evaluation, load_baselines(settings), synthetic=synthetic)
    yield AssetCheckResult(asset_key=key_of(GoldenEvaluation), check_name=NO_REGRESSION.name, passed=not worse, metadata={"worse": worse})


def drift_check(found: "list[Drift]") -> AssetCheckResult:
    shifted = [each for each in found if each.shifted]
    shown = {f"{each.campaign_id}: {each.of}": each.index for each in shifted or found}
    return AssetCheckResult(
        asset_key=key_of(Classification),
        check_name=MIX_IS_STABLE.name,
        passed=not shifted,
        severity=AssetCheckSeverity.WARN,
        metadata={"stability_index": shown, "compared": len(found)},
    )

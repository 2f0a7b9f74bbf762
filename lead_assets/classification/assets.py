"""The assets of the classification room.

Steps import what they need beyond declarations themselves, because every run pays for what the code location imports.
"""

import polars as pl
from dagster import AssetCheckSeverity, MetadataValue

from lead_assets.contracts import WHOLE_HOME, Classification, EnrichedLead, GoldenEvaluation, Lead, Quarantined
from lead_assets.kit import pictures
from lead_assets.kit.answers import meet_contract, mode_of, model_and_key, served
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.outages import answered_by_rules, circuits_shown, note_misses
from lead_assets.kit.partitions import campaigns
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, joined, named, tables


def conserves(step: Step) -> dict[str, Verdict]:
    counts = stored_counts(step.warehouse, step.partitions, enriched=EnrichedLead, classified=Classification, quarantined=Quarantined)
    both = step.stored(Classification).join(step.stored(Quarantined), on=list(Classification.key), how="semi")["campaign_id"].unique()
    found = adds_up(counts, "enriched", "classified", "quarantined")
    return {key: Verdict(each.passed and key not in both, each.metadata) for key, each in found.items()}


def meets_contract(step: Step) -> dict[str, Verdict]:
    from lead_assets.classification.rulebook import load_rulebook
    from lead_assets.model.outcome import broken_contracts

    profiles = load_rulebook(step.settings).profiles
    return meet_contract(step, step.stored(Classification), lambda rows: broken_contracts(rows, profiles))


def mix_is_stable(step: Step) -> dict[str, Verdict]:
    from lead_assets.classification.checks import drift, trailing
    from lead_assets.classification.rulebook import load_rulebook

    before = trailing(step.warehouse, step.partitions, step.context.instance.get_dynamic_partitions(str(campaigns.name)))
    found = drift((step.stored(Classification), step.stored(Quarantined)), before, load_rulebook(step.settings).profiles)
    verdicts: dict[str, Verdict] = {}
    for key in step.partitions:
        own = [each for each in found if each.campaign_id == key]
        shifted = [each for each in own if each.shifted]
        shown = {each.of: each.index for each in shifted or own}
        verdicts[key] = Verdict(not shifted, {"stability_index": shown, "compared": len(own)})
    return verdicts


@tables(
    Classification,
    Quarantined,
    reads={"leads": Lead, "enriched": EnrichedLead},
    kinds=["anthropic"],
    pool="anthropic",
    logic=["lead_assets.classification", "lead_assets.model"],
    rules=["classification.yaml", "loans.yaml", "prices.yaml"],
    outside=model_and_key,
    buys=True,
    checks=[
        Check(
            Classification,
            "conserves",
            "In the stored tables, enriched leads = classifications + quarantined, and no lead is in both.",
            conserves,
            blocking=True,
        ),
        Check(
            Classification,
            "meets_contract",
            "Every stored answer validates against its profile's contract, and the table's columns match the answer.",
            meets_contract,
            blocking=True,
        ),
        Check(
            Classification,
            "mix_is_stable",
            "The distribution of classes and the failure rate match earlier campaigns, by the population stability index.",
            mix_is_stable,
            severity=AssetCheckSeverity.WARN,
        ),
    ],
)
def classification__classifications(step: Step, leads: pl.DataFrame, enriched: pl.DataFrame) -> list[Made]:
    from lead_assets.classification.classify import classify, of_the_run
    from lead_assets.classification.rulebook import load_rulebook
    from lead_assets.model.cases import PROVIDER

    mode, book = mode_of(step), load_rulebook(step.settings)
    made = classify(of_the_run(leads, enriched), enriched, ledger=step.ledger, settings=step.settings, rulebook=book, mode=mode)
    note_misses(step, Classification, answered_by_rules(made.classifications, PROVIDER))
    kept = served(made.stats.looks)
    models = named("models", counts_by(made.classifications, "model"))
    return [
        Made(made.classifications, joined(made.stats.figures(), models), {"mode": mode, "circuits": circuits_shown(step.ledger)}, kept),
        Made(made.quarantine, named("codes", counts_by(made.quarantine, "code")), served=kept),
    ]


def no_regression(step: Step) -> dict[str, Verdict]:
    worse = step.memo["worse"]
    return {WHOLE_HOME: Verdict(not worse, {"worse": worse})}


@tables(
    GoldenEvaluation,
    kinds=["anthropic"],
    pool="anthropic",
    logic=["lead_assets.classification", "lead_assets.model"],
    rules=["classification.yaml", "loans.yaml", "prices.yaml", "golden_baseline.yaml"],
    buys=True,
    # Whoever requests it wants a fresh result.
    always=True,
    checks=[
        Check(
            GoldenEvaluation,
            "no_regression",
            "No field is less accurate than recorded in rules/golden_baseline.yaml, and no more answers fail.",
            no_regression,
        )
    ],
)
def golden_evaluation(step: Step) -> Made:
    from lead_assets.classification import golden
    from lead_assets.classification.baselines import load_baselines

    synthetic = step.settings.world == "sandbox"
    evaluation = golden.evaluate(step.ledger, step.settings, mode=mode_of(step))
    step.memo["worse"] = golden.regressions(evaluation, load_baselines(step.settings), synthetic=synthetic)
    drawn = [pictures.matrix(name, field.confusion) for name, field in evaluation.fields.items()]
    shown = {
        "model": evaluation.model,
        "leads": evaluation.leads,
        "governance_failure_rate": evaluation.failure_rate,
        "cost_usd": evaluation.cost_usd,
        "confusion": MetadataValue.md("\n\n".join(drawn)),
        "as_baseline": MetadataValue.md(f"```yaml\n{golden.as_baseline(evaluation, synthetic=synthetic)}```"),
        **{f"accuracy: {name}": share for name, share in evaluation.accuracy().items()},
    }
    return Made(evaluation.rows, shown=shown)

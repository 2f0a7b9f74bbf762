"""Golden leads: labelled by hand, classified like any lead, and compared with their labels.

The labels are in golden.ndjson beside this module and with the lending scenarios of fixtures/.

Belongs here: reading them, asking, and the figures. Does not belong here: the measures (`evaluation`) or the pictures (`picture`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from lead_assets.classification.baselines import Baseline, Baselines
from lead_assets.classification.classify import classify
from lead_assets.classification.evaluation import Measured, measure
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.contracts import GOLDEN_CAMPAIGN, EnrichedLead, GoldenEvaluation, Lead
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.core.titles import title_roles
from lead_assets.ledger.ledger import Ledger
from lead_assets.model.buying import Mode
from lead_assets.model.profile import RULES_MODEL

_AT = datetime(2026, 11, 1, tzinfo=UTC)
_SCENARIO_FACTS = {
    "first_name": "name_first", "notes": "notes", "property_city": "city", "property_state": "state_code", "property_type": "property_type",
    "loan_amount_requested": "loan_amount_requested", "purchase_price": "purchase_price", "estimated_arv": "estimated_arv",
}  # fmt: skip
_NUMBERS = ("loan_amount_requested", "purchase_price", "estimated_arv")


@dataclass(frozen=True)
class Golden:
    """One labelled lead. `expected`: field → label, or for a number the lowest and highest correct value."""

    id: str
    kind: str
    profile: str
    lead: dict[str, Any]
    expected: dict[str, str | list[int]]


@dataclass(frozen=True)
class Evaluation:
    """`rows` follow contracts.GoldenEvaluation; `fields` are named "profile.field"."""

    rows: pl.DataFrame
    fields: dict[str, Measured]
    leads: int
    quarantined: int
    cost_usd: Decimal
    model: str
    """Who answered: the model, or rules-v1 if the model answered for no lead."""

    @property
    def failure_rate(self) -> float:
        """The share of leads whose answer did not meet its contract."""
        return self.quarantined / self.leads

    def accuracy(self) -> dict[str, float]:
        correct = self.rows.group_by("profile", "field").agg(pl.col("correct").mean()).sort("profile", "field")
        return {f"{profile}.{field}": share for profile, field, share in correct.iter_rows()}


def load_golden() -> list[Golden]:
    """All labelled leads, the fixtures' scenarios first."""
    lines = (Path(__file__).parent / "golden.ndjson").read_text(encoding="utf-8").splitlines()
    return [*_scenarios(), *(Golden(**json.loads(line)) for line in lines)]


def evaluate(ledger: Ledger, settings: Settings, *, golden: Iterable[Golden] | None = None, mode: Mode = "interactive") -> Evaluation:
    """Classify the golden leads (through the ledger like any lead: bought once per prompt, contract and model) and compare with the labels."""
    asked = list(golden) if golden is not None else load_golden()
    book = load_rulebook(settings)
    # Profiles chosen per campaign do not apply to golden leads.
    book = replace(book, limits=book.limits.model_copy(update={"campaigns": []}))
    leads = Lead.frame(_lead(number, each) for number, each in enumerate(asked))
    leads = leads.with_columns(title_roles(leads["title"]).get_columns())
    classified = classify(leads, EnrichedLead.empty(), ledger=ledger, settings=settings, rulebook=book, mode=mode)
    good = {row["lead_id"]: row for row in classified.classifications.iter_rows(named=True)}
    bad = {row["lead_id"]: row for row in classified.quarantine.iter_rows(named=True)}
    rows = GoldenEvaluation.frame(row for each in asked for row in _rows(each, good.get(each.id), bad.get(each.id)))
    models = {str(model) for model in rows["model"].unique()} - {RULES_MODEL}
    cost = sum((row["cost_usd"] for row in (*good.values(), *bad.values())), Decimal(0))
    return Evaluation(rows, _measured(rows), len(asked), len(bad), cost, min(models) if models else RULES_MODEL)


def regressions(evaluation: Evaluation, baselines: Baselines, *, synthetic: bool) -> list[str]:
    """What is worse than recorded, in words. A model without its own baseline is compared with the rules classifier, which it should beat."""
    recorded = baselines.of(evaluation.model, synthetic=synthetic) or baselines.of(RULES_MODEL, synthetic=False)
    if recorded is None:
        return [f"no baseline for {evaluation.model} or {RULES_MODEL}: record one in rules/golden_baseline.yaml"]
    found, reached = [], evaluation.accuracy()
    for field, share in recorded.accuracy.items():
        if field not in reached:
            found.append(f"{field} no longer has labels")
        elif reached[field] < share - baselines.tolerance:
            found.append(f"{field}: accuracy {reached[field]:.3f}, recorded {share:.3f} ({recorded.model})")
    if evaluation.failure_rate > recorded.failure_rate + baselines.tolerance:
        found.append(f"governance failures {evaluation.failure_rate:.3f}, recorded {recorded.failure_rate:.3f} ({recorded.model})")
    return found


def as_baseline(evaluation: Evaluation, *, synthetic: bool) -> str:
    """The evaluation as an entry for rules/golden_baseline.yaml."""
    accuracy = {field: round(share, 3) for field, share in evaluation.accuracy().items()}
    entry = Baseline(model=evaluation.model, synthetic=synthetic, failure_rate=round(evaluation.failure_rate, 3), accuracy=accuracy)
    return yaml.safe_dump([entry.model_dump()], sort_keys=False)


def _scenarios() -> Iterator[Golden]:
    fixtures = project_file("fixtures")
    with (fixtures / "labels" / "lending.csv").open(encoding="utf-8") as file:
        labels = {row["lead_id"]: row for row in csv.DictReader(file)}
    for line in (fixtures / "lending_scenarios.ndjson").read_text(encoding="utf-8").splitlines():
        payload = json.loads(line)
        label = labels[payload["lead_id"]]
        expected: dict[str, str | list[int]] = {name: label[name] for name in ("loan_type", "investor_experience")}
        expected["urgency_score"] = [int(label["urgency_min"]), int(label["urgency_max"])]
        shown = {column: payload[name] for name, column in _SCENARIO_FACTS.items() if payload.get(name) not in (None, "")}
        shown |= {column: float(str(shown[column]).replace(",", "").lstrip("$")) for column in _NUMBERS if column in shown}
        yield Golden(payload["lead_id"], "scenario", "lending", shown, expected)


def _lead(number: int, golden: Golden) -> dict[str, Any]:
    return {
        "campaign_id": GOLDEN_CAMPAIGN,
        "lead_id": golden.id,
        "adapter": "golden",
        "implied_profile": golden.profile,
        "drop_sha256": "0" * 64,
        "position": number,
        "part": 1,
        "received_at": _AT,
        "payload": "{}",
        "account_key": f"golden:{golden.id}",
        "extra": "{}",
        **golden.lead,
    }


def _rows(golden: Golden, good: dict[str, Any] | None, bad: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    row = good or bad
    assert row is not None, golden.id  # classify loses no lead: each is in one of the two tables
    answer = json.loads(good["answer"]) if good else {}
    for place, (field, expected) in enumerate(golden.expected.items()):
        said = answer.get(field)
        right = said is not None and (expected[0] <= said <= expected[1] if isinstance(expected, list) else said == expected)
        yield {
            "campaign_id": GOLDEN_CAMPAIGN,
            "lead_id": golden.id,
            "kind": golden.kind,
            "profile": golden.profile,
            "field": field,
            "expected": f"{expected[0]}..{expected[1]}" if isinstance(expected, list) else expected,
            "answered": None if said is None else str(said),
            "correct": right,
            "code": bad["code"] if bad else None,
            "model": row["model"],
            "attempts": good["attempts"] if good else row["attempt"],
            "cost_usd": row["cost_usd"] if place == 0 else Decimal(0),
            "synthetic": row["synthetic"],
        }


def _measured(rows: pl.DataFrame) -> dict[str, Measured]:
    """Fields with a fixed set of values. A number with a range of correct answers has an accuracy, but no confusion matrix."""
    found: dict[str, Measured] = {}
    classes = rows.filter(~pl.col("expected").str.contains("..", literal=True))
    for (profile, field), part in classes.partition_by("profile", "field", as_dict=True, maintain_order=True).items():
        found[f"{profile}.{field}"] = measure(part["expected"].to_list(), part["answered"].to_list())
    return found

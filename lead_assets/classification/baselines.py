"""rules/golden_baseline.yaml: each model's last recorded results on the golden leads.

Does not belong here: measuring and comparing (see `golden`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from lead_assets.classification.profiles import load_profiles
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.model.profile import RULES_MODEL


class Baseline(Declared):
    """A model's last recorded results."""

    model: str
    synthetic: bool = False
    failure_rate: float = Field(ge=0, le=1)
    accuracy: dict[str, Annotated[float, Field(ge=0, le=1)]]


class Baselines(Declared):
    tolerance: float = Field(0.02, ge=0, le=1)
    baselines: list[Baseline] = Field(min_length=1)

    def of(self, model: str, *, synthetic: bool) -> Baseline | None:
        return next(
            (each for each in self.baselines if each.model == model and (each.synthetic == synthetic or model == RULES_MODEL)), None
        )


def load_baselines(settings: Settings) -> Baselines:
    """The recorded figures. Raises RulesError."""
    return BASELINES.load(settings)


def _mistakes(rules: Baselines) -> Iterator[Mistake]:
    known = [f"{profile.name}.{field}" for profile in load_profiles().values() for field in profile.contract.model_fields]
    for index, each in enumerate(rules.baselines):
        for field in each.accuracy:
            if field not in known:
                yield Mistake(
                    ("baselines", index, "accuracy", field),
                    f"no profile has the field '{field}'{nearest(field, known)}: correct or remove it",
                )


BASELINES = RulesFile(
    "golden_baseline.yaml", Baselines, _mistakes, lambda rules: f"{len(rules.baselines)} models", parts={"baselines": "baseline"}
)

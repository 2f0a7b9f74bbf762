"""The Dagster side of rooms that ask a model: how a run asks, what their tables depend on, and the check of stored answers.

Does not belong here: asking (see `lead_assets.model`), or what a particular room asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import polars as pl

from lead_assets.kit.checks import Verdict
from lead_assets.kit.declare import MODE_TAG
from lead_assets.kit.notes import Served, prefixes
from lead_assets.kit.step import Step
from lead_assets.vendors import load_vendors


def mode_of(step: Step) -> Literal["interactive", "batch"]:
    """Backfills have many leads and can wait, so they use Message Batches at half the price, like any run that asks for it by tag."""
    return "batch" if step.tags.get(MODE_TAG, "batch" if "dagster/backfill" in step.tags else "interactive") == "batch" else "interactive"


def model_and_key(step: Step, _: str) -> object:
    """What answers depend on besides the question: which model is asked, and whether one is available."""
    return step.settings.anthropic_model, load_vendors()["anthropic"].key(step.settings) is not None


def served(looks: Mapping[str, tuple[set[str], float]]) -> dict[str, Served]:
    """What a partition depends on in the ledger, from `AnswerStats.looks`."""
    return {campaign: Served(prefixes(keys), until) for campaign, (keys, until) in looks.items()}


def meet_contract(step: Step, answers: pl.DataFrame, broken_in: Callable[[pl.DataFrame], dict[str, int]]) -> dict[str, Verdict]:
    """Check that every stored answer validates against its profile's contract: `broken_in` counts those that do not, by problem."""
    parts = answers.partition_by("campaign_id", as_dict=True) if answers.height else {}
    broken = {str(campaign): broken_in(rows) for (campaign,), rows in parts.items()}
    return {key: Verdict(not broken.get(key), {"broken": broken[key]} if broken.get(key) else {}) for key in step.partitions}

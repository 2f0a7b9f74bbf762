"""Detects drift in the distribution of classes.

Belongs here: plain figures over frames. Does not belong here: whether an answer meets its contract (see `lead_assets.model.outcome`), measures
(`evaluation`), or severity (`assets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lead_assets.classification.evaluation import stability_index
from lead_assets.contracts import Classification, Quarantined
from lead_assets.model.profile import Profile
from lead_assets.stores.warehouse.base import Warehouse

SHIFTED = 0.2
"""Population stability index above which a distribution counts as shifted. By convention, 0.1 to 0.25 is some change, and more is a shift."""
FEWEST = 50
"""Fewest leads on each side for a verdict: with k classes, chance alone gives about (k - 1) * (1/n + 1/m)."""
_TRAILING = 10

Answers = tuple[pl.DataFrame, pl.DataFrame]
"""Rows of contracts.Classification and of contracts.Quarantined."""


@dataclass(frozen=True)
class Drift:
    """One campaign's distribution compared with that of earlier campaigns."""

    campaign_id: str
    of: str
    """"profile.field" for a distribution of classes, "profile: failures" for answers that did not meet the contract."""
    index: float
    leads: int
    leads_before: int

    @property
    def shifted(self) -> bool:
        return self.index > SHIFTED


def drift(now: Answers, before: Answers, profiles: Mapping[str, Profile]) -> list[Drift]:
    """How far each campaign in `now` is from all of `before`, where both have enough leads with a profile to tell."""
    found: list[Drift] = []
    for name, profile in profiles.items():
        past = _of_profile(before, name)
        for campaign_id in sorted({*now[0]["campaign_id"], *now[1]["campaign_id"]}):
            present = _of_profile(now, name, campaign_id)
            count, count_before = (sum(frame.height for frame in frames) for frames in (present, past))
            if min(count, count_before) < FEWEST:
                continue
            for of, was, is_ in _mixes(profile, past, present):
                found.append(Drift(campaign_id, of, round(stability_index(was, is_), 3), count, count_before))
    return found


def trailing(warehouse: Warehouse, campaigns: Sequence[str], order: Sequence[str]) -> Answers:
    """The answers of the last few campaigns before `campaigns`, by `order` (of arrival); empty frames for the first ones."""
    first = min((order.index(key) for key in campaigns if key in order), default=0)
    written = set(warehouse.partitions(Classification)) & set(warehouse.partitions(Quarantined))
    keys = [key for key in order[:first] if key in written][-_TRAILING:]
    return warehouse.read(Classification, keys), warehouse.read(Quarantined, keys)


def _of_profile(answers: Answers, name: str, campaign_id: str | None = None) -> Answers:
    wanted = pl.col("profile") == name
    if campaign_id is not None:
        wanted &= pl.col("campaign_id") == campaign_id
    return answers[0].filter(wanted), answers[1].filter(wanted)


def _mixes(profile: Profile, before: Answers, now: Answers) -> Iterator[tuple[str, dict[str, int], dict[str, int]]]:
    for field in profile.classes:
        yield f"{profile.name}.{field}", _counted(before[0], field), _counted(now[0], field)
    was, is_ = ({"classified": good.height, "quarantined": bad.height} for good, bad in (before, now))
    yield f"{profile.name}: failures", was, is_


def _counted(classifications: pl.DataFrame, field: str) -> dict[str, int]:
    said = classifications["answer"].str.json_path_match(f"$.{field}").drop_nulls()
    return dict(said.value_counts().iter_rows())

"""rules/classification.yaml: which campaign uses which profile.

Belongs here: reading the file and choosing profiles. Does not belong here: the profiles, or the limits
of calls and prices (see `lead_assets.model.rulebook`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from lead_assets.classification.loans import LOANS, load_loan_rules, shipped_loan_rules
from lead_assets.classification.profiles import lending, load_profiles
from lead_assets.core.columns import selected
from lead_assets.core.declared import Declared, Mistake, RulesFile, RulesSource, source_of
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.model.profile import Profile
from lead_assets.model.rulebook import Limits, Rulebook, load_prices


class CampaignProfile(Declared):
    pattern: str
    profile: str


class ClassificationRules(Limits):
    """The whole file. The briefs room reads its part about summaries."""

    campaigns: list[CampaignProfile] = []
    summaries: Mapping[str, Any] = {}


def load_rulebook(settings: Settings) -> Rulebook[ClassificationRules]:
    """The YAML and the declared profiles. Raises RulesError."""
    return Rulebook(load_rules(settings), load_prices(settings), _profiles(source_of(LOANS.name, settings), settings))


_OWN_WORDS: dict[RulesSource, Mapping[str, Profile]] = {}


def _profiles(source: RulesSource, settings: Settings) -> Mapping[str, Profile]:
    """The declared profiles; where the user has words for loans, with these. The same words give the same profiles, because results are kept per profile."""
    declared = load_loan_rules(settings)
    if declared == shipped_loan_rules():
        return load_profiles()
    if source not in _OWN_WORDS:
        _OWN_WORDS[source] = {**load_profiles(), lending.PROFILE.name: lending.reading_loans_by(declared)}
    return _OWN_WORDS[source]


def load_rules(settings: Settings) -> ClassificationRules:
    """rules/classification.yaml, or the user's own. Raises RulesError."""
    return CLASSIFICATION.load(settings)


def choose(leads: pl.DataFrame, profiles: Mapping[str, Profile], rules: ClassificationRules) -> pl.Series:
    """The profile name for each row of identity.leads: by campaign if a pattern matches, otherwise by its shape or its own content."""
    by_campaign = {
        campaign: name for campaign in leads["campaign_id"].unique().to_list() if (name := _by_campaign(campaign, rules)) is not None
    }
    by_shape = pl.coalesce(
        *(
            pl.when(p.applies.fill_null(False) | (pl.col("implied_profile") == p.name).fill_null(False)).then(pl.lit(p.name))
            for p in sorted(profiles.values(), key=lambda p: p.precedence)
        )
    )
    campaign = (
        pl.col("campaign_id").replace_strict(by_campaign, default=None, return_dtype=pl.String) if by_campaign else pl.lit(None, pl.String)
    )
    return selected(leads, [pl.coalesce(campaign, by_shape).alias("profile")])["profile"]


def _by_campaign(campaign_id: str, rules: ClassificationRules) -> str | None:
    return next((entry.profile for entry in rules.campaigns if fnmatchcase(campaign_id, entry.pattern)), None)


def _mistakes(rules: ClassificationRules) -> Iterator[Mistake]:
    profiles = load_profiles()
    for index, entry in enumerate(rules.campaigns):
        if entry.profile not in profiles:
            known = ", ".join(sorted(profiles))
            yield Mistake(
                ("campaigns", index, "profile"), f"unknown profile '{entry.profile}'{nearest(entry.profile, profiles)}: use one of {known}"
            )


CLASSIFICATION = RulesFile(
    "classification.yaml",
    ClassificationRules,
    _mistakes,
    lambda rules: f"profiles {', '.join(sorted(load_profiles()))}",
    parts={"campaigns": "campaign"},
)

"""The part of rules/classification.yaml about briefs: which tiers get one.

Belongs here: the `summaries` of that file. Does not belong here: the rest of it (see `lead_assets.classification.rulebook`).
"""

from __future__ import annotations

from typing import Any, Literal

from lead_assets.briefs.brief import PROFILE
from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.model.rulebook import Limits, Rulebook, load_prices


class Summaries(Declared):
    tiers: list[Literal["hot", "warm", "cold"]] = ["hot", "warm"]


class BriefRules(Limits):
    """The whole file. The classification room reads its part about campaigns."""

    summaries: Summaries = Summaries()
    campaigns: list[Any] = []


def load_brief_rulebook(settings: Settings) -> Rulebook[BriefRules]:
    """The rules and the only profile of briefs. Raises RulesError."""
    return Rulebook(BRIEFS.load(settings), load_prices(settings), {PROFILE.name: PROFILE})


BRIEFS = RulesFile("classification.yaml", BriefRules, summary=lambda rules: f"briefs for {', '.join(rules.summaries.tiers) or 'nobody'}")

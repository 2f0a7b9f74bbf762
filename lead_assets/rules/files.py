"""The list of rules files. Each has a model that a room declares and is named here once.

A file listed here is shown by `doctor`, checked before every run, and recognised in LEAD_ASSETS_RULES_DIR.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lead_assets.core.declared import RulesFile


@cache
def rules_files() -> tuple[RulesFile[Any], ...]:
    """All rules files. Two rooms read classification.yaml, each with a model of its part.

    The rooms are imported only when this is called, because every run and every command loads the code location.
    """
    from lead_assets.briefs.rules import BRIEFS
    from lead_assets.classification.baselines import BASELINES
    from lead_assets.classification.loans import LOANS
    from lead_assets.classification.rulebook import CLASSIFICATION
    from lead_assets.delivery.rules import delivery_file
    from lead_assets.discovery.rules import DISCOVERY
    from lead_assets.estimating.expected import ESTIMATE
    from lead_assets.identity.rules import IDENTITY
    from lead_assets.intake.headers import HEADERS
    from lead_assets.lookalike.rules import LOOKALIKE
    from lead_assets.model.rulebook import PRICES
    from lead_assets.operating.rules import ALERTS, FRESHNESS
    from lead_assets.privacy.retention import PRIVACY
    from lead_assets.routing.table import ROUTING
    from lead_assets.scoring.outcome_rules import OUTCOMES
    from lead_assets.scoring.ruleset import SCORING
    from lead_assets.signals.signal import SIGNALS

    return (
        SIGNALS,
        CLASSIFICATION,
        LOANS,
        BRIEFS,
        PRICES,
        BASELINES,
        SCORING,
        OUTCOMES,
        LOOKALIKE,
        IDENTITY,
        ROUTING,
        DISCOVERY,
        ESTIMATE,
        HEADERS,
        FRESHNESS,
        ALERTS,
        PRIVACY,
        delivery_file(),
    )

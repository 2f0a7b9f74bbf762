"""Which briefs would be asked about leads whose classification is in the ledger: those whose score or facts read differently now, e.g. after an upgrade or
under other scoring rules. Scores and briefs are rehearsed.

Belongs here: bringing what a brief shows together without a run. Does not belong here: briefs of leads that are only now classified (see
`lead_assets.estimating.model`, which has nothing to go by but their number).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from lead_assets.briefs.summaries import summarise
from lead_assets.classification.classify import Classified
from lead_assets.contracts import LeadSimilarity, SimilarAccount, Table
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import SCORE_MODEL
from lead_assets.model.buying import Mode
from lead_assets.model.cases import KEYS
from lead_assets.stores.opened import archive_of, warehouse_of

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.model import Want


def wished(leads: pl.DataFrame, enriched: pl.DataFrame, found: Classified, *, ledger: Ledger, settings: Settings, mode: Mode) -> list[Want]:
    """Questions for briefs that are not in the ledger. `leads`, `enriched`: rows of identity.leads and signals.enriched_leads; `found`: as the ledger alone
    classifies them. What similar accounts and the lookalike index say is read as the last run wrote it."""
    answered = found.classifications.filter(pl.col("fallback_reason").is_null())
    if answered.is_empty():
        return []
    stage = ledger.rehearsal()
    summarise(
        leads.join(answered, on=KEYS, how="semi", maintain_order="left"),
        enriched,
        answered,
        _scores(leads, enriched, found, ledger, settings).join(answered, on=KEYS, how="semi", maintain_order="left"),
        _written(SimilarAccount, leads["campaign_id"].unique().to_list(), settings),
        ledger=stage,
        settings=settings,
        mode=mode,
    )
    return list({want.key: want for want in stage.wished}.values())


def _scores(leads: pl.DataFrame, enriched: pl.DataFrame, found: Classified, ledger: Ledger, settings: Settings) -> pl.DataFrame:
    """Rows of scoring.scores as a run would make them, with what is in the ledger."""
    from lead_assets.scoring.features import features
    from lead_assets.scoring.ruleset import load_scoring_rules
    from lead_assets.scoring.score import score, with_quarantined

    campaigns = leads["campaign_id"].unique().to_list()
    classified = with_quarantined(found.classifications, found.quarantine)
    others = [_written(LeadSimilarity, campaigns, settings).select(*KEYS, "contrast")]
    pinned = ledger.pins.of(SCORE_MODEL, campaigns)
    if any(pinned.values()):
        from lead_assets.scoring.learned import win_probabilities  # with scikit-learn

        others.append(win_probabilities(features(classified, leads, enriched), pinned, archive_of(settings)))
    return score(classified, leads, enriched, load_scoring_rules(settings), *others)


def _written(contract: type[Table], campaigns: Sequence[str], settings: Settings) -> pl.DataFrame:
    warehouse = warehouse_of(settings)
    return warehouse.read(contract, sorted({*warehouse.partitions(contract)} & {*campaigns}))

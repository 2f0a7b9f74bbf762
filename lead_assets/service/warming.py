"""Reads what every lead needs before the first one asks: tables of names and places, rules, patterns. Otherwise the first answers take most of a second longer.

Does not belong here: anything that a request could see, buy or store.
"""

from __future__ import annotations

import atexit
import gc
import logging
from datetime import UTC, datetime

import orjson
import polars as pl

from lead_assets.classification.classify import classify
from lead_assets.core.settings import Settings
from lead_assets.estimating.estimate import price_of
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.matching import match, routing_frame
from lead_assets.routing.table import content_of, load_routing_table
from lead_assets.rules.check import rules_stamp
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score, with_quarantined
from lead_assets.service.enriching import read_lead
from lead_assets.signals.engine import collect_in_order
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import load_pre_score, load_signals
from lead_assets.vendors.http import certificates

_LEAD = {
    "email": "ada@acme.example",
    "full_name": "Ada Lovelace",
    "company": "Acme",
    "title": "CTO",
    "city": "Austin",
    "country": "US",
    "phone": "+1 512 555 0142",
    "notes": "Wants a call about the plan for the second quarter",
}
_log = logging.getLogger(__name__)


def warm(settings: Settings, ledger: Ledger) -> None:
    """For a process that does nothing but serve. Rehearse a made-up lead's way through the rooms, twice since some of it is kept only once it was used, and
    estimate what it would cost: nothing is bought, written or sent. What goes wrong is left to the first request to say."""
    try:
        for _ in range(2):
            leads, _ = read_lead(orjson.dumps(_LEAD), campaign=None, now=datetime.now(UTC), ledger=ledger, settings=settings)
            _rehearse(settings, ledger.rehearsal(), leads)
        price_of(settings, ledger, leads)
        rules_stamp(settings)  # imports what other rooms declare
        for trust_env in (True, False):
            certificates(trust_env=trust_env)
    except Exception as error:
        _log.debug("service: nothing could be read ahead (%s)", type(error).__name__)
    # What is there now stays. To look for garbage among a million objects of modules and tables would stop all answers for a tenth of a second, and again.
    gc.collect()
    gc.freeze()
    # Searched once more at the end: duckdb tells of every object of its own that is still there then.
    atexit.register(gc.unfreeze)


def _rehearse(settings: Settings, ledger: Ledger, leads: pl.DataFrame) -> None:
    signals = collect_in_order(
        list(load_signals(settings).values()), leads, ledger=ledger, settings=settings, pre_score=load_pre_score(settings)
    )
    enriched = enrich(leads, {name: one.frame for name, one in signals.items()})
    classified = classify(leads, enriched, ledger=ledger, settings=settings)
    scores = score(with_quarantined(classified.classifications, classified.quarantine), leads, enriched, load_scoring_rules(settings))
    table = load_routing_table(settings)
    match(routing_frame(leads, enriched, classified.classifications, scores, table), table)
    content_of(settings)

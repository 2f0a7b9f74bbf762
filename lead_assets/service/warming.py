"""Reads what every lead needs before the first one asks: tables of names and places, rules, patterns. Otherwise the first answers take most of a second longer.

Does not belong here: anything that a request could see, buy or store.
"""

from __future__ import annotations

import gc
import logging
from datetime import UTC, datetime

import orjson

from lead_assets.core.settings import Settings
from lead_assets.estimating.estimate import price_of
from lead_assets.ledger.ledger import Ledger
from lead_assets.service.enriching import read_lead

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
    """For a process that does nothing but serve. Read a made-up lead, and estimate what it would cost: nothing is bought, written or sent. What goes wrong is
    left to the first request to say."""
    try:
        leads, _ = read_lead(orjson.dumps(_LEAD), campaign=None, now=datetime.now(UTC), ledger=ledger, settings=settings)
        price_of(settings, ledger, leads)
    except Exception as error:
        _log.debug("service: nothing could be read ahead (%s)", type(error).__name__)
    # What is there now stays. To look for garbage among a million objects of modules and tables would stop all answers for a tenth of a second, and again.
    gc.collect()
    gc.freeze()

"""What asking the model would cost: rehearses the classification and measures the prompt of each question that is not in the ledger.

Belongs here: from wished questions to tokens and cost. Does not belong here: the shares (see `lead_assets.estimating.expected`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from lead_assets.briefs.brief import PROFILE as BRIEF
from lead_assets.briefs.rules import load_brief_rulebook
from lead_assets.classification.classify import classify
from lead_assets.classification.rulebook import load_rulebook
from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import Expected, Experience
from lead_assets.model import prompt
from lead_assets.model.buying import Mode
from lead_assets.model.client import OPERATION, PROVIDER, Attempt
from lead_assets.model.profile import Profile
from lead_assets.model.rulebook import Limits, Rulebook, TokenUsage

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.model import Want

_ATTEMPTS = 2
"""An answer is repaired, or looked at again, once at most."""


def rehearse(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    experience: Experience,
    mode: Mode = "interactive",
    looks_at_briefs: bool = False,
) -> list[Expected]:
    """What the model would be asked about the leads. `enriched`: rows of signals.enriched_leads, as far as the ledger can fill them. `looks_at_briefs`: also
    briefs that are asked because a lead that is classified reads differently now; otherwise only those of leads that are only now classified."""
    book, stage = load_rulebook(settings), ledger.rehearsal()
    found = classify(leads, enriched, ledger=stage, settings=settings, rulebook=book, mode=mode)
    wants = list({want.key: want for want in stage.wished}.values())
    briefs: list[Want] = []
    if looks_at_briefs and load_brief_rulebook(settings).limits.summaries.tiers:
        from lead_assets.estimating.briefs import wished  # with numpy, which the price of one lead need not wait for

        briefs = wished(leads, enriched, found, ledger=ledger, settings=settings, mode=mode)
    asked, again, batch = [], 1 + experience.shares.model.repaired, mode == "batch"

    def cost(asked_for: Sequence[Want]) -> float:
        attempts: list[Attempt] = [want.payload for want in asked_for]
        return sum(_micros(attempt.profile, attempt.request.size, settings, book, experience, batch=batch) for attempt in attempts)

    if wants:
        most = _ATTEMPTS * sum(want.price_micros for want in wants)
        asked.append(Expected(PROVIDER, OPERATION, "classification", len(wants), len(wants) * again, cost(wants) * again, most))
    if (wants or briefs) and load_brief_rulebook(settings).limits.summaries.tiers:
        new = len(wants) * experience.shares.model.briefs
        size = prompt.first_request(BRIEF, prompt.render({})).size
        micros = new * _micros(BRIEF, size, settings, book, experience, batch=batch) + cost(briefs)
        asked.append(Expected(PROVIDER, OPERATION, "summaries", round(new) + len(briefs), (new + len(briefs)) * again, micros * again))
    return asked


def _micros(profile: Profile, size: int, settings: Settings, book: Rulebook[Limits], experience: Experience, *, batch: bool) -> float:
    """Expected cost of one answer. All calls of a profile but the first read its instructions and format from the vendor's cache."""
    shares = experience.shares.model
    system = len(prompt.system_of(profile))
    shown = size - system + shares.added_characters.get(profile.name, 0)
    stable = system + len(json.dumps(profile.contract.model_json_schema()))
    tokens = {
        "cache_read_input_tokens": round(stable / shares.characters_per_token),
        "input_tokens": round(shown / shares.characters_per_token),
        "output_tokens": round(experience.output_tokens(OPERATION, profile.name)),
    }
    return book.prices.cost_micros(settings.anthropic_model, TokenUsage.model_validate(tokens), batch=batch)

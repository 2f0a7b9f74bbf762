"""Profile `brief`: what a lead's owner should know before the first conversation. Asked after scoring, so it is not among `profiles`, which classify."""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from lead_assets.model import message_rules
from lead_assets.model.profile import Answered, Fact, Facts, Profile, Quote

_SYSTEM = """\
You brief the sales person who owns a lead, before the first talk. From the facts of one lead (what it wrote, what providers know of its company, how it was
classified and scored, and which companies known before are like its own), write:

brief - two or three sentences, 20 to 700 characters: who this is, what it wants and by when, and why it is worth the time. Only what the facts say.
next_step - one sentence, 5 to 300 characters: what to do first, and what is missing that should be asked.
evidence - the words of the facts that the brief rests on, each quoted exactly as it stands there, at most 200 characters a quote. At least one.
similar_accounts are other companies and not the lead's: each by name, what became of it with us (won, lost, went silent) where that is known, and what the two
have in common. If there are any, the brief names the one that says most for or against this lead. That one was won promises nothing of this one.
Name no person and no company that the facts do not name.
"""


class BriefAnswer(Answered):
    brief: str = Field(min_length=20, max_length=700, description="Who the lead is, what it wants and why it is worth the time")
    next_step: str = Field(min_length=5, max_length=300, description="What to do first")
    evidence: list[Quote] = Field(max_length=12, description="Exact quotes from the facts")


_FACTS = {
    "first_name": Fact("name_first", is_name=True),
    "company": Fact("company_clean", is_name=True),
    "title": Fact("title"),
    "city": Fact("city", is_name=True),
    "state": Fact("state_code"),
    "country": Fact("country_code"),
    "property_type": Fact("property_type"),
    "loan_amount_requested": Fact("loan_amount_requested"),
    "notes": Fact("notes"),
    "company_description": Fact("company_description", of="enriched"),
    "company_industry": Fact("company_industry", of="enriched"),
    "company_headcount": Fact("headcount", of="enriched"),
    "estimated_revenue": Fact("estimated_revenue", of="enriched"),
    "technologies": Fact("technologies", of="enriched"),
    "funding_total_usd": Fact("funding_total_usd", of="enriched"),
    "latest_round": Fact("latest_round", of="enriched"),
    "news": Fact("news_summary", of="enriched"),
    "loan_type": Fact("loan_type", of="classification", is_ours=True),
    "investor_experience": Fact("investor_experience", of="classification", is_ours=True),
    "icp_fit": Fact("icp_fit", of="classification", is_ours=True),
    "persona": Fact("persona", of="classification", is_ours=True),
    "buying_stage": Fact("buying_stage", of="classification", is_ours=True),
    "pain_points": Fact("pain_points", of="classification"),
    "urgency": Fact("urgency_score", of="classification"),
    # The tier and its reasons, not the number: retraining a scoring model shifts every number slightly, and each shift would be a new question.
    "tier": Fact("tier", of="score", is_ours=True),
    "score_reasons": Fact("reasons", of="score", is_ours=True),
    # Chosen as of the account's arrival and given in words, not numbers, for the same reason.
    "similar_accounts": Fact("similar_accounts", of="lookalike"),
}


def _by_rules(facts: Facts) -> dict[str, Any]:
    who = ", ".join(
        str(facts[name]) for name in ("first_name", "title", "company", "company_industry", "company_headcount") if facts.get(name)
    )
    said = [
        f"{name.replace('_', ' ')} {facts[name]}"
        for name in ("loan_type", "investor_experience", "icp_fit", "buying_stage")
        if facts.get(name)
    ]
    reasons = ", ".join(facts.get("score_reasons") or []) or "nothing in particular"
    similar = [str(each).split(":")[0] for each in facts.get("similar_accounts") or []]
    asked = str(facts.get("notes") or "")[:120].strip()
    return {
        "brief": f"{who or 'Little is known of this lead'}. Read by rules: {', '.join(said) or 'nothing decided'}; scored {facts.get('tier', 'not yet')}"
        f" for {reasons}." + (f" Similar accounts: {', '.join(similar)}." if similar else ""),
        "next_step": "Call soon: it is urgent." if (facts.get("urgency") or 0) >= 4 else "Ask what it needs and by when.",
        "evidence": [asked] if len(asked) > 1 else [f"tier: {facts['tier']}"] if facts.get("tier") else [],
    }


PROFILE = Profile(
    name="brief",
    version="brief-2",
    contract=BriefAnswer,
    facts=_FACTS,
    system=_SYSTEM,
    applies=pl.lit(True),
    precedence=1000,
    columns={"brief": "brief", "next_step": "next_step"},
    by_rules=_by_rules,
    texts=("brief", "next_step"),
    model_only=(),
    claims={"brief": frozenset()},
    # The brief goes to the owner, not the lead: mentioning that a lead asks for a 7 % rate does not promise one.
    may_promise=frozenset(message_rules.PROMISES),
    glossary=frozenset({"dscr", "arv", "ltv", "crm", "sdr", "revops", "usd", "read", "scored", "little", "similar"}),
)

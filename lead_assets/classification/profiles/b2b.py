"""Profile `b2b`: people at companies. How well the company fits, who the person is, where they stand in buying, and a first message."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field, StringConstraints

from lead_assets.classification import rules
from lead_assets.classification.rating import Rated, rated
from lead_assets.classification.rules import cue
from lead_assets.model.profile import Answered, Fact, Facts, Profile

_SYSTEM = """\
You classify inbound leads of a company that sells a lead-operations platform to businesses: it collects, enriches, scores and routes sales leads.
From the facts of one lead, decide:

icp_fit - how well the company fits.
  strong: a business of about 50 people or more with a sales or marketing team of its own.
  moderate: 10 to 50 people, or larger but without signs of such a team.
  weak: smaller, a student, a job seeker, a vendor who wants to sell to us.
  unknown: the facts do not say, or they contradict each other.
persona - the role in the purchase: economic_buyer (owns a budget), champion (would drive it), technical_evaluator (would test or build it in), end_user,
  or unknown.
seniority - c_suite, founder, vp, head, director, manager, senior, entry, or unknown.
buying_stage - awareness (learning), consideration (comparing), decision (asks for price, contract, demo or start date), or unknown.
urgency - an integer from 1 to 5.
  5: days, or a hard deadline within about two weeks. 4: weeks. 3: one to three months. 2: interest without a date. 1: only looking.
pain_points - at most five problems the lead names, in a few words each. An empty list if none is named.
outreach_message - the first message to the lead, 10 to 280 characters, plain text. Refer to what the lead says and propose one next step.
rationale - one to three sentences: which facts led to the decision, and what is missing.
evidence - the words of the facts that back icp_fit and buying_stage where they are not unknown, each quoted exactly as it stands there, at most 200
  characters a quote. An empty list if nothing was decided.
"""

ShortQuote = Annotated[str, StringConstraints(min_length=1, max_length=400)]
PainPoint = Annotated[str, StringConstraints(min_length=2, max_length=160)]


class B2bAnswer(Answered):
    icp_fit: Literal["strong", "moderate", "weak", "unknown"] = Field(description="How well the company fits")
    persona: Literal["economic_buyer", "champion", "technical_evaluator", "end_user", "unknown"] = Field(
        description="The role in the purchase"
    )
    seniority: Literal["c_suite", "founder", "vp", "head", "director", "manager", "senior", "entry", "unknown"] = Field(
        description="The person's seniority"
    )
    buying_stage: Literal["awareness", "consideration", "decision", "unknown"] = Field(description="Where the lead stands in buying")
    urgency: int = Field(ge=1, le=5, description="1 (only looking) to 5 (days)")
    pain_points: list[PainPoint] = Field(max_length=5, description="Problems the lead names")
    outreach_message: Annotated[str, StringConstraints(min_length=10, max_length=280)] | None = Field(
        description="First message to the lead"
    )
    rationale: str = Field(min_length=3, max_length=1500, description="Which facts led to the decision")
    evidence: list[ShortQuote] = Field(max_length=12, description="Exact quotes from the facts")


class RatedB2bAnswer(Rated, B2bAnswer):
    pass


_FACTS = {
    "first_name": Fact("name_first", is_name=True),
    "company": Fact("company_clean", is_name=True),
    "title": Fact("title"),
    "seniority": Fact("seniority", is_ours=True),
    "department": Fact("department"),
    "industry": Fact("industry"),
    "company_size": Fact("company_size"),
    "country": Fact("country_code"),
    "source": Fact("source"),
    "web_activity_score": Fact("web_activity_score"),
    "email_engagement_score": Fact("email_engagement_score"),
    "notes": Fact("notes"),
    "company_description": Fact("company_description", of="enriched"),
    "company_industry": Fact("company_industry", of="enriched"),
    "company_region": Fact("company_region", of="enriched"),
    "company_headcount": Fact("headcount", of="enriched"),
    "company_headcount_min": Fact("headcount_min", of="enriched"),
    "estimated_revenue": Fact("estimated_revenue", of="enriched"),
    "founded_year": Fact("founded_year", of="enriched"),
}

_STAGE_CUES = (
    cue(
        "decision",
        "pricing", "quote", "contract", "proposal", "demo", "trial", "purchase", "procurement", "budget (?:is )?approved", r"ready to (?:buy|start|sign)",
        "start date", "invoice", r"preis\w*", r"precio\w*", "devis", r"angebot\w*",
        weight=2,
    ),
    cue("consideration", r"compar\w+", r"evaluat\w+", "shortlist", "versus", "vs", "alternatives?", "looking (?:for|at|into)"),
    cue("consideration", r"replac\w+", r"switch\w*", r"migrat\w+"),
    cue("consideration", r"vergleich\w*", "comparando", "comparons"),
    cue("awareness", r"learn\w*", "curious", "newsletter", "webinar", "whitepaper", "e-?book", r"research\w*", "read your", "just looking", "student"),
)  # fmt: skip
_PAIN = cue(
    "pain",
    r"too (?:slow|many|expensive|manual)", r"manual(?:ly)?", "duplicates?", "stale data", "bad data", "dirty data", "slow", "missed leads", "no visibility",
    "spreadsheets?", "data quality", "low conversion", r"leads? (?:fall|falling|lost)", r"struggl\w+", r"problem\w*",
)  # fmt: skip
_WEAK = cue(
    "weak",
    "student", "intern", "job seeker", "looking for a job", "my resume", "thesis", "homework", "offer our services", "we sell", "seo services", "backlinks?",
    weight=2,
)  # fmt: skip
_PERSONA = {
    "c_suite": "economic_buyer", "founder": "economic_buyer", "vp": "economic_buyer", "head": "champion", "director": "champion",
    "manager": "champion", "senior": "end_user", "entry": "end_user",
}  # fmt: skip
_TECHNICAL = frozenset({"engineering", "it", "data"})


def _by_rules(facts: Facts) -> dict[str, Any]:
    said = rules.text_of(facts, ["notes"])
    stage = rules.decide(rules.text_of(facts, ["notes", "source"]), _STAGE_CUES)
    fit, fit_quotes = _fit(facts, said)
    seniority = facts.get("seniority") or rules.UNKNOWN
    persona = _PERSONA.get(seniority, rules.UNKNOWN)
    if facts.get("department") in _TECHNICAL and persona in ("champion", "end_user"):
        persona = "technical_evaluator"
    decided = [name for name, label in (("fit", fit), ("buying stage", stage.label)) if label != rules.UNKNOWN]
    rationale = (
        f"Read by rules from the lead's facts: {' and '.join(decided)}."
        if decided
        else "Read by rules: the facts do not say enough to decide."
    )
    return {
        "icp_fit": fit,
        "persona": persona,
        "seniority": seniority,
        "buying_stage": stage.label,
        "urgency": rules.urgency(said),
        "pain_points": [quote for quote in rules.decide(said, [_PAIN]).quotes if len(quote) > 1],
        "rationale": rationale,
        "evidence": list(dict.fromkeys([*fit_quotes, *stage.quotes])),
    }


def _fit(facts: Facts, said: str) -> tuple[str, list[str]]:
    weak = rules.decide(said, [_WEAK])
    if weak.label != rules.UNKNOWN:
        return "weak", list(weak.quotes)
    shown = facts.get("company_headcount") or facts.get("company_size")
    people = facts.get("company_headcount_min")
    if people is None:
        people = rules.first_number(str(facts["company_size"])) if facts.get("company_size") else None
        shown = facts.get("company_size")
    if people is None or shown is None:
        return rules.UNKNOWN, []
    return ("strong" if people >= 50 else "moderate" if people >= 10 else "weak"), [str(shown)]


_UNRATED = Profile(
    name="b2b",
    version="b2b-1",
    contract=B2bAnswer,
    facts=_FACTS,
    system=_SYSTEM,
    applies=pl.lit(True),
    precedence=100,
    columns={
        "icp_fit": "icp_fit",
        "persona": "persona",
        "buying_stage": "buying_stage",
        "pain_points": "pain_points",
        "urgency": "urgency_score",
        "outreach_message": "outreach_message",
        "rationale": "classification_rationale",
    },
    by_rules=_by_rules,
    claims={"icp_fit": frozenset({"unknown"}), "buying_stage": frozenset({"unknown"})},
    opposites={
        "icp_fit": frozenset({frozenset({"strong", "weak"})}),
        "buying_stage": frozenset({frozenset({"awareness", "decision"})}),
    },
    scales={"urgency": 2},
    glossary=frozenset({"crm", "sdr", "revops", "hubspot", "salesforce", "segment", "slack", "linkedin", "ai", "roi", "cdp"}),
)

PROFILE = rated(_UNRATED, "b2b-2", RatedB2bAnswer)

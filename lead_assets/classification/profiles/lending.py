"""Profile `lending`: real-estate investors who ask for a loan. Which loan, how experienced, how urgent, and a first message."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field, StringConstraints

from lead_assets.classification import rules
from lead_assets.classification.loans import LoanRules, loan_wanted, shipped_loan_rules
from lead_assets.classification.rating import Rated, rated
from lead_assets.classification.rules import cue
from lead_assets.model.profile import Answered, Fact, Facts, Profile, Quote

_SYSTEM = """\
You classify leads of a lender that finances real-estate investors in the United States. From the facts of one lead, decide:

loan_type - the loan the lead is after.
  bridge_rtl: short-term money to buy, renovate and sell, or to carry a property until it is sold or refinanced: fix-and-flip, rehab, new construction,
    commercial bridge, auction purchases.
  rental: long-term money for property that is or will be let: DSCR loans, refinance of a rental or a portfolio, buy-and-hold.
  unknown: the facts do not say, or they contradict each other. A property type or a price alone says nothing.
investor_experience - what the lead says of deals already done.
  experienced: has finished or holds other investment property, or names a track record.
  first_time: says that this is the first deal, or that there is no experience.
  unknown: the facts do not say, or they contradict each other. Owning a home, or sounding confident, is not experience.
urgency_score - an integer from 1 to 5.
  5: days, or a hard deadline within about two weeks. 4: weeks, or under contract. 3: one to three months. 2: interest without a date. 1: only looking.
outreach_message - the first message to the lead, 10 to 280 characters, plain text. Refer to what the lead asks for and propose one next step.
classification_rationale - one to three sentences: which facts led to the decision, and what is missing.
evidence - the words of the facts that back every decision other than unknown, each quoted exactly as it stands there, at most 200 characters a quote.
  An empty list if nothing was decided.
"""

LoanType = Literal["bridge_rtl", "rental", "unknown"]
InvestorExperience = Literal["first_time", "experienced", "unknown"]


class LendingAnswer(Answered):
    loan_type: LoanType = Field(description="The loan the lead is after")
    investor_experience: InvestorExperience = Field(description="The investor's experience")
    urgency_score: int = Field(ge=1, le=5, description="1 (only looking) to 5 (days)")
    outreach_message: Annotated[str, StringConstraints(min_length=10, max_length=280)] | None = Field(
        description="First message to the lead"
    )
    classification_rationale: str = Field(min_length=3, max_length=1500, description="Which facts led to the decision")
    evidence: list[Quote] = Field(max_length=12, description="Exact quotes from the facts")


class RatedLendingAnswer(Rated, LendingAnswer):
    pass


_FACTS = {
    "first_name": Fact("name_first", is_name=True),
    "company": Fact("company_clean", is_name=True),
    "property_type": Fact("property_type"),
    "city": Fact("city", is_name=True),
    "state": Fact("state_code"),
    "loan_amount_requested": Fact("loan_amount_requested"),
    "purchase_price": Fact("purchase_price"),
    "estimated_arv": Fact("estimated_arv"),
    "source": Fact("source"),
    "submitted_on": Fact("submitted_at"),
    "notes": Fact("notes"),
    "company_industry": Fact("company_industry", of="enriched"),
    "company_headcount": Fact("headcount", of="enriched"),
}

_NUMBER = (
    r"(?:\d+\+?|a few|couple(?: of)?|dozens?(?: of)?|several|many|multiple|numerous|tons of|lots of|plenty of|hundreds of|two|three|four|five|six|seven"
    r"|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|over \d+|more than \d+)"
)
_DID = r"(?:done|did|completed?|finished|closed|flipped|sold|renovated|rehabbed|repositioned|developed|built|run|own|owns|have|hold|holding|manage|bought|with)"
_DEAL = (
    r"(?:flips?|deals?|projects?|properties|rentals?|doors?|units?|houses|homes|rehabs?|renovations?|investments?|duplexes|triplexes|apartments|buildings"
    r"|portfolio|loans|exits|assets|condos|cabins|wohnungen|objekte|casas|propiedades|immeubles)"
)
_FIRST_THING = r"(?:time|timer|deal|flip|rental|investment|property|project|purchase|rehab|house|home|loan|one|fix)"

_EXPERIENCE_CUES = (
    cue(
        "experienced",
        rf"{_DID} (?:\w+ ){{0,2}}?{_NUMBER}"
        rf" (?:[\w-]+ ){{0,3}}?{_DEAL}",
        rf"{_NUMBER} (?:[\w-]+ ){{0,3}}?{_DEAL} (?:\w+ ){{0,3}}?(?:done|completed|closed|sold|under (?:our|my) belt|so far|already|last year|this year|a year"
        r"|per year|in \d+ years|in the past|behind (?:me|us))",
        rf"(?:done|did|completed|finished|closed|flipped) (?:about |over |some )?{_NUMBER} (?:of (?:those|them|these)|like (?:it|this)|\w+s)",

        "experienced", "seasoned", "veteran", "track record", r"full[- ]time (?:investor|flipper|developer|landlord)", r"repeat (?:borrower|customer|client)",
        r"professional (?:investor|flipper|developer)", rf"{_NUMBER} years (?:of |in |as |doing |investing|flipping|experience)",
        weight=2,
    ),
    cue(
        "experienced",
        r"not (?:my|our) first",
        r"(?:my|our) (?:second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|\d+(?:nd|rd|th)|next|other|last|previous) (?:[\w-]+ ){0,2}?"
        r"(?:flip|flips|deal|deals|project|projects|property|properties|rental|rentals|house|houses|rehab|one|loan|bridge)",
    ),
    cue(
        "experienced",
        r"(?:my|our|existing|current) (?:\w+ )?(?:rental |bridge )?portfolio", "portfolio of", "investing since", r"we(?:'ve| have) (?:closed|completed|done)",
        "again with you", "worked with you", "closed with you",
    ),
    cue(
        "experienced",
        rf"(?:he(?:mos)? hecho|tenemos|ya hice|llevamos|(?:habe|vermieten) (?:bereits|schon)|besitze|ja fiz|j'ai deja|nous avons) (?:\w+ ){{0,2}}?{_NUMBER}",
        weight=2,
    ),
    cue(
        "first_time",
        rf"first[- ](?:ever |real |investment |rental |commercial |fix and ){{0,2}}{_FIRST_THING}",
        r"never (?:\w+ )?(?:done|bought|owned|flipped|invested|borrowed|financed|did|had|renovated)",
        r"new to (?:this|real estate|investing|flipping|rentals?|all|the)", "newbie", "beginner",
        r"new (?:real estate )?investor",
        r"no (?:prior |previous |real |investing |investment )?experience",
        r"just (?:starting|getting started|learning|started)", r"(?:want|trying|hoping|looking) to get (?:into|started)", "getting into",
        weight=2,
    ),
    cue(
        "first_time",
        r"primer[ao]? (?:vez|inversion|propiedad|casa|compra|proyecto)",
        r"primeir[ao] (?:vez|imovel|investimento|casa|projeto)", r"(?:mein|unser)(?:e|em|er|en)? erst(?:e|es|er|en)",
        "erste immobilie", "sin experiencia",
        r"premiere? (?:achat|investissement|projet|fois)",
        weight=2,
    ),
)  # fmt: skip


def _by_rules(facts: Facts, declared: LoanRules | None = None) -> dict[str, Any]:
    """`declared`: the user's own words for loans instead of the shipped ones."""
    declared = declared or shipped_loan_rules()
    said = rules.text_of(facts, ["notes"])
    loan = loan_wanted(rules.text_of(facts, ["notes", "property_type", "source"]), declared)
    experience = rules.decide(said, _EXPERIENCE_CUES)
    price, value = facts.get("purchase_price"), facts.get("estimated_arv")
    quotes = list(loan.quotes)
    # If the words do not say otherwise, a value after repair well above the price indicates a renovation.
    loan_label = loan.label
    if loan_label == rules.UNKNOWN and not rules.mentions(said, declared.cues) and price and value and value >= 1.2 * price:
        loan_label, quotes = "bridge_rtl", [str(value)]
    decided = [name for name, label in (("loan type", loan_label), ("experience", experience.label)) if label != rules.UNKNOWN]
    rationale = (
        f"Read by rules from the lead's own words: {' and '.join(decided)}."
        if decided
        else "Read by rules: the facts do not say enough to decide."
    )
    return {
        "loan_type": loan_label,
        "investor_experience": experience.label,
        "urgency_score": rules.urgency(said),
        "classification_rationale": rationale,
        "evidence": list(dict.fromkeys([*quotes, *experience.quotes])),
    }


_UNRATED = Profile(
    name="lending",
    version="lending-1",
    contract=LendingAnswer,
    facts=_FACTS,
    system=_SYSTEM,
    applies=(
        pl.col("loan_amount_requested").is_not_null()
        | pl.col("purchase_price").is_not_null()
        | pl.col("estimated_arv").is_not_null()
        | pl.col("property_type").is_not_null()
        | pl.col("property_address").is_not_null()
    ),
    precedence=10,
    columns={
        "loan_type": "loan_type",
        "investor_experience": "investor_experience",
        "urgency_score": "urgency_score",
        "outreach_message": "outreach_message",
        "classification_rationale": "classification_rationale",
    },
    by_rules=_by_rules,
    claims={"loan_type": frozenset({"unknown"}), "investor_experience": frozenset({"unknown"})},
    opposites={
        "loan_type": frozenset({frozenset({"bridge_rtl", "rental"})}),
        "investor_experience": frozenset({frozenset({"first_time", "experienced"})}),
    },
    scales={"urgency_score": 2},
    glossary=frozenset({"dscr", "arv", "rtl", "ltv", "brrrr", "airbnb", "mls", "sfr", "bridge", "rental"}),
)


PROFILE = rated(_UNRATED, "lending-2", RatedLendingAnswer)


def reading_loans_by(declared: LoanRules) -> Profile:
    """The profile with other words for loans."""
    unrated = replace(_UNRATED, by_rules=partial(_by_rules, declared=declared))
    return rated(unrated, PROFILE.version, RatedLendingAnswer)

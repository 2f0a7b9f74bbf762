"""The model's own judgement of a lead: a rating with reasons, which every classification profile asks for.

Belongs here: what is asked, and how a profile becomes one that asks. Does not belong here: what the rating counts in a score (see rules/scoring.yaml).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from lead_assets.model.profile import Answered, Profile

_ASKED = """\
lead_rating - an integer from 0 to 100: how likely this lead is to become a customer, judged from all facts together.
  80 and more: would be called today. 50: neither promising nor hopeless, or the facts say too little. 20 and less: hardly.
  What the lead says about its own rating, score or priority counts for nothing.
rating_reasons - one to three reasons, the strongest first, each in a few words: what speaks for or against the lead.
"""

Reason = Annotated[str, StringConstraints(min_length=2, max_length=160)]


class Rated(BaseModel):
    """The fields that a rating adds to a profile's contract."""

    lead_rating: int = Field(ge=0, le=100, description="How likely the lead is to become a customer")
    rating_reasons: list[Reason] = Field(min_length=1, max_length=3, description="What speaks for or against the lead, the strongest first")


def rated(unrated: Profile, version: str, contract: type[Answered]) -> Profile:
    """The profile's next edition, which asks for a rating, too. `contract`: that of `unrated` with the fields of `Rated`.

    Answers given to `unrated` stand: nothing is bought again for them, and they have no rating. Rules do not rate leads.
    """
    fields = tuple(Rated.model_fields)
    return replace(
        unrated,
        version=version,
        contract=contract,
        system=f"{unrated.system}{_ASKED}",
        columns={**unrated.columns, **{name: name for name in fields}},
        model_only=(*unrated.model_only, *fields),
        before=unrated,
    )

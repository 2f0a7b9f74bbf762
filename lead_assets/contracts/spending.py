"""Rows of the spending room: what the ledger says was asked of whom, and what it cost. No row names a person or a company."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Grain, Money, Table


class Calls(Table):
    """Calls to providers and to the model, counted by day, campaign, operation and outcome: the ledger's journal, summed up."""

    table: ClassVar[str] = "spending.calls"
    key: ClassVar[tuple[str, ...]] = ("day", "campaign_id", "provider", "operation", "state", "reason")
    grain: ClassVar[Grain] = "home"

    day: Annotated[date, Column("Day (UTC) whose budgets the calls stand against")]
    campaign_id: Annotated[str, Column("Campaign that paid; also of a discovery or evaluation, which have no leads")]
    provider: Annotated[str, Column("Provider that was asked")]
    operation: Annotated[str, Column("The provider's operation, e.g. pipe0.company:overview@2")]
    signal: Annotated[str | None, Column("Signal that asks this operation, or several as 'a + b'; null if none does")] = None
    state: Annotated[Literal["found", "not_found", "unknown"], Column("What came of the calls")]
    reason: Annotated[str, Column("Why, as a code, e.g. no_result, bad_answer, uncertain; empty if there is nothing to explain")]
    answers: Annotated[int, Column("Calls that were answered", low=0)]
    calls: Annotated[int, Column("Of those, the ones that cost something", low=0)]
    cost_usd: Annotated[Money, Column("What they cost, US dollars")]
    uncertain_calls: Annotated[int, Column("Calls whose answer was lost and which may have been billed", low=0)]
    uncertain_usd: Annotated[Money, Column("What those would have cost, US dollars; not part of cost_usd")]
    input_tokens: Annotated[int, Column("Input tokens of a model, cache reads and writes included", low=0)]
    output_tokens: Annotated[int, Column("Output tokens of a model", low=0)]

"""Tables of the spending room: calls and their cost, from the ledger. No row names a person or a company."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import Column, Grain, Money, Sources, Table


class Calls(Table):
    """Calls to providers and models, counted by day, campaign, operation and outcome, from the ledger's journal."""

    table: ClassVar[str] = "spending.calls"
    key: ClassVar[tuple[str, ...]] = ("day", "campaign_id", "provider", "operation", "state", "reason")
    grain: ClassVar[Grain] = "home"

    day: Annotated[date, Column("Day (UTC) whose budgets the calls count against")]
    campaign_id: Annotated[str, Column("Campaign that paid; also a discovery or an evaluation, which have no leads")]
    provider: Annotated[str, Column("Provider that was called")]
    operation: Annotated[str, Column("The provider's operation, e.g. pipe0.company:overview@2")]
    signal: Annotated[str | None, Column("Signal that uses this operation, or 'a + b' if several do; null if none does")] = None
    state: Annotated[Literal["found", "not_found", "unknown"], Column("Outcome of the calls")]
    reason: Annotated[str, Column("Reason code, e.g. no_result, bad_answer, uncertain; empty if there is nothing to explain")]
    answers: Annotated[int, Column("Answered calls", low=0)]
    calls: Annotated[int, Column("Answered calls that cost something", low=0)]
    cost_usd: Annotated[Money, Column("Cost of the calls in US dollars")]
    uncertain_calls: Annotated[int, Column("Calls whose answer was lost and which may have been billed", low=0)]
    uncertain_usd: Annotated[Money, Column("Possible cost of the uncertain calls in US dollars; not part of cost_usd")]
    input_tokens: Annotated[int, Column("Input tokens of a model, including cache reads and writes", low=0)]
    output_tokens: Annotated[int, Column("Output tokens of a model", low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"signal": "rules.files", "*": "ledger.journal"}


class JournaledCall(Table):
    """One row per attempt at a provider or model, whatever came of it and of the run that made it, from the ledger's journal. Names nobody."""

    table: ClassVar[str] = "ledger.calls"
    key: ClassVar[tuple[str, ...]] = ("call_id",)
    grain: ClassVar[Grain] = "home"

    call_id: Annotated[int, Column("Number of the call in the journal, in the order in which calls were settled")]
    question: Annotated[int, Column("Number of the first call with the same question: attempts at one question share it")]
    attempt: Annotated[int, Column("1 for the first call with this question, 2 for the next, …", low=1)]
    about: Annotated[
        int, Column("Number of the first call about the same company, person or mailbox: tells them apart without naming them")
    ]
    day: Annotated[date, Column("Day (UTC) whose budgets the call counts against")]
    answered_at: Annotated[datetime, Column("When the answer came or was given up")]
    campaign_id: Annotated[str, Column("Campaign that paid; also a discovery or an evaluation, which have no leads")]
    provider: Annotated[str, Column("Provider that was called")]
    operation: Annotated[str, Column("The provider's operation, e.g. pipe0.company:overview@2")]
    signal: Annotated[str | None, Column("Signal that uses this operation, or 'a + b' if several do; null if none does")] = None
    place: Annotated[
        int | None,
        Column("Place of the operation in the signal's waterfall: 1 is asked first. The lowest if several signals use it", low=1),
    ] = None
    state: Annotated[Literal["found", "not_found", "unknown"], Column("Outcome of the call")]
    reason: Annotated[str, Column("Reason code, e.g. no_result, bad_answer, uncertain; empty if there is nothing to explain")]
    uncertain: Annotated[bool, Column("True if the answer was lost: the call may have been billed")]
    cost_usd: Annotated[Money, Column("Cost of the call in US dollars; 0 if uncertain")]
    uncertain_usd: Annotated[Money, Column("Possible cost in US dollars, if uncertain")]
    input_tokens: Annotated[int, Column("Input tokens of a model, including cache reads and writes", low=0)]
    output_tokens: Annotated[int, Column("Output tokens of a model", low=0)]
    latency_ms: Annotated[int, Column("Time to the answer in milliseconds", low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {"signal place": ("ledger.journal", "rules.files"), "*": "ledger.journal"}


class ExpectedPurchase(Table):
    """What a run of the campaign would buy now, by provider, operation and signal. Made on request only, and made again every time: a run changes it."""

    table: ClassVar[str] = "spending.estimates"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "provider", "operation", "signal")

    campaign_id: Annotated[str, Column("Campaign that would pay", source="archive.drops")]
    provider: Annotated[str, Column("Provider that would be asked")]
    operation: Annotated[str, Column("The provider's operation, e.g. pipe0.company:overview@2")]
    signal: Annotated[str, Column("Signal that it is for; for a model, what it would be asked for")]
    subjects: Annotated[int, Column("Companies, people or leads that would be asked about", low=0)]
    calls: Annotated[int, Column("Expected answers that cost something", low=0)]
    cost_usd: Annotated[Money, Column("Expected cost in US dollars, rounded to a millionth", low=0)]

    @classmethod
    def origins(cls) -> Mapping[str, Sources]:
        return {
            "provider": "rules.files",
            "operation": "rules.files",
            "signal": "rules.files",
            "*": ("archive.drops", "ledger.journal", "rules.files"),
        }

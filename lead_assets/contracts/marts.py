"""Tables of the marts room. A contract here and sql/marts/<table>.sql make a mart; nothing else lists it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, Money, References, Table


class CampaignFunnel(Table):
    """One row per campaign: how many leads arrived and what happened to each of them."""

    table: ClassVar[str] = "marts.campaign_funnel"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)

    campaign_id: Annotated[str, Column("Campaign: the partition key")]
    received: Annotated[int, Column("Payloads received: raw leads plus rejects")]
    rejected: Annotated[int, Column("Payloads that were rejected")]
    duplicate: Annotated[int, Column("Payloads superseded by a newer one of the same lead")]
    suppressed: Annotated[int, Column("Leads that must not be processed")]
    leads: Annotated[int, Column("Leads: received minus rejected, duplicate and suppressed")]
    enriched: Annotated[int, Column("Leads with at least one signal found")]
    classified: Annotated[int, Column("Leads whose classification met its contract")]
    quarantined: Annotated[int, Column("Leads whose classification did not meet its contract")]
    scored: Annotated[int, Column("Leads scored")]
    routed: Annotated[int, Column("Leads with an owner")]
    routed_fallback: Annotated[int, Column("Of those, routed by the fallback")]
    hot: Annotated[int, Column("Leads scored hot")]
    cost_usd: Annotated[Money, Column("Cost of signals and classification in US dollars")]


class SpendByDay(Table):
    """One row per day, provider and campaign: what was bought and what it cost."""

    table: ClassVar[str] = "marts.spend_by_day"
    key: ClassVar[tuple[str, ...]] = ("day", "provider", "campaign_id")
    grain: ClassVar[Grain] = "home"

    day: Annotated[date, Column("Day (UTC) whose budgets the calls count against", source="spending.calls.day")]
    provider: Annotated[str, Column("Provider", source="spending.calls.provider")]
    campaign_id: Annotated[str, Column("Campaign that paid", source="spending.calls.campaign_id")]
    answers: Annotated[int, Column("Answered calls", source="spending.calls.answers", low=0)]
    calls: Annotated[int, Column("Answered calls that cost something", source="spending.calls.calls", low=0)]
    cost_usd: Annotated[Money, Column("Cost of the calls in US dollars", source="spending.calls.cost_usd")]
    uncertain_calls: Annotated[
        int, Column("Calls whose answer was lost and which may have been billed", source="spending.calls.uncertain_calls", low=0)
    ]
    uncertain_usd: Annotated[Money, Column("Possible cost of the uncertain calls in US dollars", source="spending.calls.uncertain_usd")]
    day_usd: Annotated[Money, Column("Cost of the whole day in US dollars, over all providers and campaigns")]
    total_usd: Annotated[Money, Column("Cost of this provider and campaign up to and including this day, in US dollars")]


class ProviderYield(Table):
    """One row per provider and signal: how often the provider finds something, and what each find costs."""

    table: ClassVar[str] = "marts.provider_yield"
    key: ClassVar[tuple[str, ...]] = ("provider", "signal")
    grain: ClassVar[Grain] = "home"

    provider: Annotated[str, Column("Provider", source="spending.calls.provider")]
    signal: Annotated[str, Column("Signal, or 'a + b' if several share the call", source="spending.calls.signal")]
    asked: Annotated[int, Column("Calls made, including those whose answer was lost", low=0)]
    found: Annotated[int, Column("Calls that found something", low=0)]
    not_found: Annotated[int, Column("Calls for which the provider had nothing", low=0)]
    unknown: Annotated[int, Column("Calls without a valid answer: errors and lost answers", low=0)]
    hit_rate: Annotated[float | None, Column("found / (found + not_found); null if neither", low=0, high=1)] = None
    yield_rate: Annotated[float | None, Column("found / asked: the hit rate including failures", low=0, high=1)] = None
    cost_usd: Annotated[Money, Column("Cost of the calls in US dollars", source="spending.calls.cost_usd")]
    usd_per_found: Annotated[float | None, Column("cost_usd / found; null if nothing was found")] = None
    campaigns: Annotated[int, Column("Campaigns that paid for calls", low=0)]


class DuplicateAcrossCampaigns(Table):
    """One row per lead whose person is also a lead in another campaign. Join identity.leads on the ids to see who it is."""

    table: ClassVar[str] = "marts.duplicates_across_campaigns"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    grain: ClassVar[Grain] = "home"
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    account_key: Annotated[str, Column("Account that ownership is decided by", source="identity.leads.account_key")]
    received_at: Annotated[datetime, Column("When the lead was received", source="identity.leads.received_at")]
    matched_on: Annotated[
        Literal["email", "person"], Column("What matched: email (normalised), or person (the hash in a person's account_key)")
    ]
    first_campaign_id: Annotated[str, Column("Campaign in which the person first arrived")]
    first_lead_id: Annotated[str, Column("Lead id in that campaign")]
    is_first: Annotated[bool, Column("True if this row is the person's first lead")]
    campaigns: Annotated[int, Column("Number of campaigns with this person", low=0)]


class CampaignScorecard(Table):
    """One row per campaign: its main rates, and its share of all campaigns' leads, hot leads and cost."""

    table: ClassVar[str] = "marts.campaign_scorecard"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign", source="marts.campaign_funnel.campaign_id")]
    received: Annotated[int, Column("Payloads received", source="marts.campaign_funnel.received", low=0)]
    leads: Annotated[int, Column("Leads", source="marts.campaign_funnel.leads", low=0)]
    routed: Annotated[int, Column("Leads with an owner", source="marts.campaign_funnel.routed", low=0)]
    hot: Annotated[int, Column("Leads scored hot", source="marts.campaign_funnel.hot", low=0)]
    cost_usd: Annotated[
        Money, Column("Cost of the campaign in US dollars, according to its tables", source="marts.campaign_funnel.cost_usd")
    ]
    rejected_rate: Annotated[float | None, Column("rejected / received; like every rate, null if the divisor is 0", low=0, high=1)] = None
    duplicate_rate: Annotated[float | None, Column("duplicate / received", low=0, high=1)] = None
    enriched_rate: Annotated[float | None, Column("enriched / leads", low=0, high=1)] = None
    quarantined_rate: Annotated[float | None, Column("quarantined / leads", low=0, high=1)] = None
    routed_rate: Annotated[float | None, Column("routed / leads", low=0, high=1)] = None
    fallback_rate: Annotated[float | None, Column("routed_fallback / routed", low=0, high=1)] = None
    hot_rate: Annotated[float | None, Column("hot / scored", low=0, high=1)] = None
    usd_per_lead: Annotated[float | None, Column("cost_usd / leads")] = None
    share_of_received: Annotated[float | None, Column("received / received of all campaigns", low=0, high=1)] = None
    share_of_leads: Annotated[float | None, Column("leads / leads of all campaigns", low=0, high=1)] = None
    share_of_hot: Annotated[float | None, Column("hot / hot of all campaigns", low=0, high=1)] = None
    share_of_cost: Annotated[float | None, Column("cost_usd / cost_usd of all campaigns", low=0, high=1)] = None


class TimeToFirstTouch(Table):
    """One row per owner: how long it took until they had the first confirmed message about each lead, from the lead's receipt."""

    table: ClassVar[str] = "marts.time_to_first_touch"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "owner")

    campaign_id: Annotated[str, Column("Campaign: the partition key")]
    owner: Annotated[str, Column("Owner")]
    leads: Annotated[int, Column("Their leads that something is to be sent to them about", low=0)]
    touched: Annotated[int, Column("Of those, the leads with a confirmed message", low=0)]
    waiting: Annotated[int, Column("Of those, the leads without one yet", low=0)]
    median_minutes: Annotated[
        float | None, Column("Median of the minutes from receipt to the first confirmed message; null if there is none")
    ] = None
    longest_minutes: Annotated[float | None, Column("The longest of them")] = None
    breaches: Annotated[int, Column("Leads whose message was confirmed after the time in rules/delivery.yaml (first_touch)", low=0)]

"""Rows of the marts. A contract here and sql/marts/<table>.sql are a mart: nothing else names it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from lead_assets.contracts.base import OF_A_LEAD, Column, Grain, Money, References, Table


class CampaignFunnel(Table):
    """One row a campaign: how many leads came in and what became of every one of them."""

    table: ClassVar[str] = "marts.campaign_funnel"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)

    campaign_id: Annotated[str, Column("Campaign: the partition key")]
    received: Annotated[int, Column("Payloads received: raw leads and rejects")]
    rejected: Annotated[int, Column("Payloads that could not be taken")]
    duplicate: Annotated[int, Column("Payloads older than their lead's newest")]
    suppressed: Annotated[int, Column("Leads that must not be processed")]
    leads: Annotated[int, Column("Leads: received less rejected, duplicate and suppressed")]
    enriched: Annotated[int, Column("Leads with at least one signal found")]
    classified: Annotated[int, Column("Leads whose classification met its contract")]
    quarantined: Annotated[int, Column("Leads whose answer did not")]
    scored: Annotated[int, Column("Leads scored")]
    routed: Annotated[int, Column("Leads with an owner")]
    routed_fallback: Annotated[int, Column("Of those, by the fallback")]
    hot: Annotated[int, Column("Leads scored hot")]
    cost_usd: Annotated[Money, Column("Signals and classification, US dollars")]


class SpendByDay(Table):
    """One row per day, provider and campaign: what was bought and what it cost."""

    table: ClassVar[str] = "marts.spend_by_day"
    key: ClassVar[tuple[str, ...]] = ("day", "provider", "campaign_id")
    grain: ClassVar[Grain] = "home"

    day: Annotated[date, Column("Day (UTC) whose budgets it stands against", source="spending.calls.day")]
    provider: Annotated[str, Column("Provider", source="spending.calls.provider")]
    campaign_id: Annotated[str, Column("Campaign that paid", source="spending.calls.campaign_id")]
    answers: Annotated[int, Column("Calls that were answered", source="spending.calls.answers", low=0)]
    calls: Annotated[int, Column("Of those, the ones that cost something", source="spending.calls.calls", low=0)]
    cost_usd: Annotated[Money, Column("What they cost, US dollars", source="spending.calls.cost_usd")]
    uncertain_calls: Annotated[int, Column("Calls that may have been billed unseen", source="spending.calls.uncertain_calls", low=0)]
    uncertain_usd: Annotated[Money, Column("What those would have cost, US dollars", source="spending.calls.uncertain_usd")]
    day_usd: Annotated[Money, Column("What the whole day cost, US dollars: all providers and campaigns")]
    total_usd: Annotated[Money, Column("What this provider and campaign cost up to and including this day, US dollars")]


class ProviderYield(Table):
    """One row per provider and signal: how often the provider knows something, and what an answer that helps costs."""

    table: ClassVar[str] = "marts.provider_yield"
    key: ClassVar[tuple[str, ...]] = ("provider", "signal")
    grain: ClassVar[Grain] = "home"

    provider: Annotated[str, Column("Provider", source="spending.calls.provider")]
    signal: Annotated[str, Column("Signal, or several that ask the same as 'a + b'", source="spending.calls.signal")]
    asked: Annotated[int, Column("Calls made: answered ones and those whose answer was lost", low=0)]
    found: Annotated[int, Column("Calls that found something", low=0)]
    not_found: Annotated[int, Column("Calls to which the provider had nothing", low=0)]
    unknown: Annotated[int, Column("Calls without a valid answer: errors, and answers that were lost", low=0)]
    hit_rate: Annotated[float | None, Column("found / (found + not_found); null if neither", low=0, high=1)] = None
    yield_rate: Annotated[float | None, Column("found / asked: what is left of the hit rate after failures", low=0, high=1)] = None
    cost_usd: Annotated[Money, Column("What the calls cost, US dollars", source="spending.calls.cost_usd")]
    usd_per_found: Annotated[float | None, Column("cost_usd / found; null if nothing was found")] = None
    campaigns: Annotated[int, Column("Campaigns that paid for calls", low=0)]


class DuplicateAcrossCampaigns(Table):
    """One row per lead whose person is also a lead of another campaign. Who it is stands in identity.leads, under the ids given here."""

    table: ClassVar[str] = "marts.duplicates_across_campaigns"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    grain: ClassVar[Grain] = "home"
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign", source="identity.leads.campaign_id")]
    lead_id: Annotated[str, Column("Lead id", source="identity.leads.lead_id")]
    account_key: Annotated[str, Column("What ownership goes by", source="identity.leads.account_key")]
    received_at: Annotated[datetime, Column("When the lead was received", source="identity.leads.received_at")]
    matched_on: Annotated[Literal["email", "person"], Column("The normalised e-mail, or the hash in an account_key that names a person")]
    first_campaign_id: Annotated[str, Column("Campaign in which the person was received first")]
    first_lead_id: Annotated[str, Column("Lead id there")]
    is_first: Annotated[bool, Column("True if this is that lead")]
    campaigns: Annotated[int, Column("Campaigns that have the person", low=0)]


class CampaignScorecard(Table):
    """One row per campaign: its main rates, and its share of what all campaigns received, won and cost."""

    table: ClassVar[str] = "marts.campaign_scorecard"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign", source="marts.campaign_funnel.campaign_id")]
    received: Annotated[int, Column("Payloads received", source="marts.campaign_funnel.received", low=0)]
    leads: Annotated[int, Column("Leads", source="marts.campaign_funnel.leads", low=0)]
    routed: Annotated[int, Column("Leads with an owner", source="marts.campaign_funnel.routed", low=0)]
    hot: Annotated[int, Column("Leads scored hot", source="marts.campaign_funnel.hot", low=0)]
    cost_usd: Annotated[Money, Column("What the campaign's tables say it cost, US dollars", source="marts.campaign_funnel.cost_usd")]
    rejected_rate: Annotated[
        float | None, Column("rejected / received; this and every rate is null if its divisor is 0", low=0, high=1)
    ] = None
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

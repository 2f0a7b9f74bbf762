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
    enriched: Annotated[
        int,
        Column(
            "Leads with at least one signal found, bought or given. Not one for which nothing was worth buying: marts.signal_coverage counts those"
        ),
    ]
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
    person_id: Annotated[str, Column("Person: join identity.people", source="identity.person_leads.person_id")]
    account_key: Annotated[str, Column("Account that ownership is decided by", source="identity.leads.account_key")]
    received_at: Annotated[datetime, Column("When the lead was received", source="identity.leads.received_at")]
    matched_on: Annotated[
        Literal["email", "person"],
        Column("email: the address of the person's first lead; person: another one, or none (identity.links says why)"),
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
    """One row per owner: how long it took until they had the first confirmed message about each lead, from its first receipt."""

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


def _share(of: str) -> Column:
    return Column(of, low=0, high=1)


class SignalCoverage(Table):
    """One row per campaign and signal: for how many leads it was found, and why not for the others."""

    table: ClassVar[str] = "marts.signal_coverage"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "signal")
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign")]
    signal: Annotated[str, Column("Signal: the name of its table")]
    leads: Annotated[int, Column("Leads with a row of the signal", low=0)]
    found: Annotated[int, Column("Leads for which it was found", low=0)]
    given: Annotated[int, Column("Of those, the leads that bring it themselves", low=0)]
    not_found: Annotated[int, Column("Leads for which the provider has nothing", low=0)]
    not_worth_it: Annotated[int, Column("Leads that were not worth its price (`when` in rules/signals.yaml)", low=0)]
    no_subject: Annotated[int, Column("Leads that say too little to ask", low=0)]
    failed: Annotated[int, Column("Leads without a valid answer for any other reason: errors, budgets, missing keys", low=0)]
    stale: Annotated[int, Column("Leads that show an expired answer", low=0)]
    coverage: Annotated[float | None, _share("found / leads")] = None
    hit_rate: Annotated[float | None, _share("found / (found + not_found); null if neither")] = None
    cost_usd: Annotated[Money, Column("Cost of the answers shown, in US dollars")]


class WaterfallYield(Table):
    """One row per signal and operation of its waterfall, over all attempts: what each place finds of what it is asked, and at what price."""

    table: ClassVar[str] = "marts.waterfall_yield"
    key: ClassVar[tuple[str, ...]] = ("signal", "operation")
    grain: ClassVar[Grain] = "home"

    signal: Annotated[str, Column("Signal, or 'a + b' if several share the call")]
    operation: Annotated[str, Column("The provider's operation")]
    place: Annotated[int, Column("Its place in the waterfall: 1 is asked first", low=1)]
    provider: Annotated[str, Column("Provider")]
    questions: Annotated[int, Column("Different questions asked", low=0)]
    attempts: Annotated[int, Column("Calls made for them", low=0)]
    found: Annotated[int, Column("Answers that found something; one that was bought again after it expired counts again", low=0)]
    not_found: Annotated[int, Column("Answers that the provider has nothing", low=0)]
    failed: Annotated[int, Column("Calls without a valid answer, lost answers included", low=0)]
    hit_rate: Annotated[float | None, _share("found / (found + not_found); null if neither")] = None
    share_of_found: Annotated[float | None, _share("found / found by all operations of the signal")] = None
    found_so_far: Annotated[float | None, _share("The same for this and all earlier places together")] = None
    attempts_per_question: Annotated[float, Column("attempts / questions", low=1)]
    cost_usd: Annotated[Money, Column("Cost of the calls in US dollars")]
    uncertain_usd: Annotated[Money, Column("Possible cost of calls whose answer was lost, in US dollars")]
    usd_per_found: Annotated[float | None, Column("cost_usd / found; null if nothing was found")] = None


class UnitCosts(Table):
    """One row per campaign: what a lead, an enriched lead and a qualified lead cost, and what was paid that no table shows."""

    table: ClassVar[str] = "marts.unit_costs"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign that paid; also a discovery or an evaluation, which have no leads")]
    leads: Annotated[int, Column("Leads", low=0)]
    enriched: Annotated[int, Column("Leads with at least one signal found", low=0)]
    qualified: Annotated[int, Column("Qualified leads: scored hot", low=0)]
    ledger_usd: Annotated[Money, Column("Paid according to the ledger, in US dollars, whatever came of it")]
    uncertain_usd: Annotated[Money, Column("Possible cost of calls whose answer was lost, in US dollars; not part of ledger_usd")]
    shown_usd: Annotated[Money, Column("Cost of the answers that the campaign's tables show, in US dollars")]
    unshown_usd: Annotated[
        Money,
        Column(
            "ledger_usd - shown_usd: paid for runs that failed, or for answers since replaced; negative if the tables show answers of other campaigns"
        ),
    ]
    usd_per_lead: Annotated[float | None, Column("ledger_usd / leads; like every ratio, null if the divisor is 0")] = None
    usd_per_enriched: Annotated[float | None, Column("ledger_usd / enriched")] = None
    usd_per_qualified: Annotated[float | None, Column("ledger_usd / qualified")] = None


class LedgerSavings(Table):
    """One row per campaign and signal: answers that its leads show without a purchase of their own, and what these would have cost."""

    table: ClassVar[str] = "marts.ledger_savings"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "signal")
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign")]
    signal: Annotated[str, Column("Signal")]
    shown: Annotated[int, Column("Leads that show an answer, found or not_found", low=0)]
    bought: Annotated[int, Column("Of those, different answers that this campaign's calls brought, however many calls each took", low=0)]
    given: Annotated[int, Column("Leads that bring the answer themselves", low=0)]
    saved: Annotated[int, Column("shown - bought: answers from the ledger, shared by leads of one company, or given", low=0)]
    usd_per_answer: Annotated[
        float | None, Column("What a bought answer of this signal costs on average, with all calls that it took, over all campaigns")
    ] = None
    saved_usd: Annotated[float, Column("saved * usd_per_answer", low=0)]


class Governance(Table):
    """One row per model, profile and code: how often answers met their contract, and why not."""

    table: ClassVar[str] = "marts.governance"
    key: ClassVar[tuple[str, ...]] = ("model", "profile", "code")
    grain: ClassVar[Grain] = "home"

    model: Annotated[str, Column("Model that answered, or rules-v1")]
    profile: Annotated[str, Column("Classification profile")]
    code: Annotated[str, Column("accepted, or why the answer was quarantined")]
    leads: Annotated[int, Column("Leads", low=1)]
    campaigns: Annotated[int, Column("Campaigns", low=1)]
    rate: Annotated[float, _share("leads / all leads of this model and profile; the rates of all codes add up to 1")]
    asked_again: Annotated[int, Column("Leads that took more than one call: a repair or a second look", low=0)]
    calls: Annotated[int, Column("Calls made", low=0)]
    input_tokens: Annotated[int, Column("Input tokens", low=0)]
    output_tokens: Annotated[int, Column("Output tokens", low=0)]
    cost_usd: Annotated[Money, Column("Cost in US dollars")]
    usd_per_lead: Annotated[float, Column("cost_usd / leads")]


class ScoreDistribution(Table):
    """One row per profile and band of ten points: how many leads score so, and how those whose outcome is known ended."""

    table: ClassVar[str] = "marts.score_distribution"
    key: ClassVar[tuple[str, ...]] = ("profile", "score_from")
    grain: ClassVar[Grain] = "home"

    profile: Annotated[str, Column("Classification profile")]
    score_from: Annotated[int, Column("Lower end of the band; 100 belongs to the band from 90", low=0, high=90)]
    leads: Annotated[int, Column("Leads with a score in the band", low=1)]
    hot: Annotated[int, Column("Of those, hot", low=0)]
    warm: Annotated[int, Column("Of those, warm", low=0)]
    cold: Annotated[int, Column("Of those, cold", low=0)]
    mean_score: Annotated[float, Column("Their mean score", low=0, high=100)]
    share_of_leads: Annotated[float, _share("leads / leads of the profile")]
    ended: Annotated[int, Column("Leads that are known to be won or lost", low=0)]
    won: Annotated[int, Column("Of those, won", low=0)]
    won_rate: Annotated[float | None, _share("won / ended; a calibrated score has rates that rise with the band")] = None
    lift: Annotated[float | None, Column("won_rate / the profile's won rate", low=0)] = None


class RoutingLoad(Table):
    """One row per territory and owner: how many leads went to each, against an even share, and how soon they are due."""

    table: ClassVar[str] = "marts.routing_load"
    key: ClassVar[tuple[str, ...]] = ("territory", "owner")
    grain: ClassVar[Grain] = "home"

    territory: Annotated[str, Column("Rule of the routing table, 'fallback', or another authority")]
    owner: Annotated[str, Column("Owner")]
    leads: Annotated[int, Column("Leads", low=1)]
    accounts: Annotated[int, Column("Accounts", low=1)]
    campaigns: Annotated[int, Column("Campaigns", low=1)]
    hot: Annotated[int, Column("Hot leads", low=0)]
    warm: Annotated[int, Column("Warm leads", low=0)]
    cold: Annotated[int, Column("Cold leads", low=0)]
    fallback: Annotated[int, Column("Leads that no rule could place", low=0)]
    share_of_all: Annotated[float, _share("leads / all routed leads")]
    owners: Annotated[int, Column("Owners who got leads of the territory", low=1)]
    share_of_territory: Annotated[float, _share("leads / leads of the territory")]
    over_even_share: Annotated[float, Column("share_of_territory - 1 / owners: above 0, more than an even share", low=-1, high=1)]
    with_sla: Annotated[int, Column("Leads with a time by which they are due", low=0)]
    sla_minutes: Annotated[float | None, Column("Mean minutes from assignment until they are due; null if none is")] = None
    last_assigned_at: Annotated[datetime, Column("When the newest of them was assigned")]


class RejectReason(Table):
    """One row per campaign and reason: payloads that were rejected."""

    table: ClassVar[str] = "marts.reject_reasons"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "code")
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign")]
    code: Annotated[str, Column("Machine-readable reason, e.g. truncated_json")]
    payloads: Annotated[int, Column("Payloads rejected for it", low=1)]
    drops: Annotated[int, Column("Drops they are in", low=1)]
    bytes: Annotated[int, Column("Their size in bytes", low=0)]
    share_of_received: Annotated[float | None, _share("payloads / payloads received")] = None
    share_of_rejected: Annotated[float, _share("payloads / payloads rejected")]
    last_received_at: Annotated[datetime, Column("When the newest was received")]


class DataQuality(Table):
    """One row per campaign with leads: which shares of its leads have what is needed to enrich, judge and reach them."""

    table: ClassVar[str] = "marts.data_quality"
    key: ClassVar[tuple[str, ...]] = ("campaign_id",)
    grain: ClassVar[Grain] = "home"

    campaign_id: Annotated[str, Column("Campaign")]
    leads: Annotated[int, Column("Leads", low=1)]
    with_email: Annotated[float, _share("Share of leads with a valid e-mail address")]
    with_business_email: Annotated[float, _share("Share with a company's mailbox")]
    with_phone: Annotated[float, _share("Share with a valid phone number")]
    with_company: Annotated[float, _share("Share with a company domain")]
    with_country: Annotated[float, _share("Share with a known country")]
    with_title: Annotated[float, _share("Share with a job title")]
    with_seniority: Annotated[float, _share("Share whose title says a seniority")]
    with_name: Annotated[float, _share("Share with a family name")]
    completeness: Annotated[float, _share("Mean of the shares with e-mail, phone, company, country, title and name")]
    with_unread_fields: Annotated[float, _share("Share with a sent value that could not be read")]
    with_possible_duplicates: Annotated[float, _share("Share that may be another lead of the campaign")]
    rejected_rate: Annotated[float | None, _share("rejected / received")] = None
    duplicate_rate: Annotated[float | None, _share("duplicate / received")] = None
    enrichment_quality: Annotated[float | None, _share("Mean share of requested signals that were found")] = None
    synthetic_rate: Annotated[float | None, _share("Share of leads with values from the sandbox")] = None


class ProviderHealth(Table):
    """One row per day, provider and operation: how long answers took, and how often there was none, over all attempts."""

    table: ClassVar[str] = "marts.provider_health"
    key: ClassVar[tuple[str, ...]] = ("day", "provider", "operation")
    grain: ClassVar[Grain] = "home"

    day: Annotated[date, Column("Day (UTC) whose budgets the calls count against")]
    provider: Annotated[str, Column("Provider")]
    operation: Annotated[str, Column("The provider's operation")]
    calls: Annotated[int, Column("Calls, including those whose answer was lost", low=1)]
    errors: Annotated[int, Column("Calls without a valid answer", low=0)]
    uncertain: Annotated[int, Column("Calls whose answer was lost", low=0)]
    repeats: Annotated[int, Column("Calls that repeat an earlier question", low=0)]
    error_rate: Annotated[float, _share("(errors + uncertain) / calls")]
    latency_p50_ms: Annotated[float, Column("Median time to the answer, milliseconds", low=0)]
    latency_p95_ms: Annotated[float, Column("95th percentile of the time to the answer, milliseconds", low=0)]
    latency_max_ms: Annotated[int, Column("Longest time to an answer, milliseconds", low=0)]
    cost_usd: Annotated[Money, Column("Cost of the calls in US dollars")]
    uncertain_usd: Annotated[Money, Column("Possible cost of calls whose answer was lost, in US dollars")]


class Lead360(Table):
    """One row per lead: what arrived, what was found, judged, decided and sent. Without personal data; `lead-assets explain` has more."""

    table: ClassVar[str] = "marts.lead_360"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")
    refers: ClassVar[References] = OF_A_LEAD

    campaign_id: Annotated[str, Column("Campaign: the partition key")]
    lead_id: Annotated[str, Column("Lead id")]
    account_key: Annotated[str, Column("Account that ownership is decided by")]
    adapter: Annotated[str, Column("Payload shape that matched")]
    drop_sha256: Annotated[str, Column("Drop the lead came from")]
    position: Annotated[int, Column("Position in the drop")]
    part: Annotated[int, Column("Number of the lead within its payload")]
    submitted_at: Annotated[datetime | None, Column("When the lead was submitted")] = None
    received_at: Annotated[datetime, Column("When the drop was received")]
    payloads: Annotated[int, Column("Payloads of this lead, including superseded ones", low=1)]
    country_code: Annotated[str | None, Column("Country, ISO 3166-1 alpha-2")] = None
    seniority: Annotated[str | None, Column("Seniority read from the title")] = None
    department: Annotated[str | None, Column("Department read from the title")] = None
    email_kind: Annotated[str | None, Column("Kind of mailbox provider")] = None
    pre_score: Annotated[float | None, Column("Pre-score, 0 to 100", low=0, high=100)] = None
    signals_found: Annotated[int, Column("Signals found", low=0)]
    signals_missed: Annotated[int, Column("Signals not found or not bought", low=0)]
    enrichment_quality: Annotated[float | None, _share("Share of requested signals that were found")] = None
    profile: Annotated[str | None, Column("Classification profile")] = None
    model: Annotated[str | None, Column("Model that answered, or rules-v1")] = None
    judged_at: Annotated[datetime | None, Column("When it answered")] = None
    quarantine_code: Annotated[str | None, Column("Why the answer was quarantined; null if it was not")] = None
    loan_type: Annotated[str | None, Column("lending: the loan the lead wants")] = None
    icp_fit: Annotated[str | None, Column("b2b: how well the company fits")] = None
    buying_stage: Annotated[str | None, Column("b2b: stage of the buying process")] = None
    urgency_score: Annotated[int | None, Column("Urgency, from 1 to 5")] = None
    score: Annotated[float | None, Column("Score, 0 to 100", low=0, high=100)] = None
    tier: Annotated[str | None, Column("Tier of the score")] = None
    path: Annotated[str | None, Column("Where the lead router sends the lead")] = None
    owner: Annotated[str | None, Column("Owner's id in the routing table")] = None
    territory: Annotated[str | None, Column("Rule or authority that decided")] = None
    routing_reason: Annotated[str | None, Column("Why this owner, in words")] = None
    assigned_at: Annotated[datetime | None, Column("When the lead was given to the owner")] = None
    sla_due_at: Annotated[datetime | None, Column("When the owner should have answered")] = None
    briefed_at: Annotated[datetime | None, Column("When its brief was written; null if it has none")] = None
    event_id: Annotated[str | None, Column("Its event")] = None
    archived_as: Annotated[str | None, Column("File in the archive that holds the event")] = None
    messages: Annotated[int, Column("Messages about it that were to be sent: rows of delivery.deliveries", low=0)]
    messages_confirmed: Annotated[int, Column("Of those, confirmed by their destination", low=0)]
    messages_dead: Annotated[int, Column("Of those, given up", low=0)]
    touched_at: Annotated[datetime | None, Column("When the first message to its owner was confirmed")] = None
    cost_usd: Annotated[Money, Column("Cost of its signals, classification and brief in US dollars, also of a brief that was quarantined")]

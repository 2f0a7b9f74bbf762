"""Typed client of lead_assets' HTTP API. Made from its OpenAPI document by `make clients`; do not edit. Needs httpx.

    with LeadAssets("http://127.0.0.1:8000", key) as leads:
        leads.post_v1_leads_search({"filters": {"tier": "hot"}})
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NotRequired, Self, TypedDict, cast
from urllib.parse import quote

import httpx


class Refused(Exception):
    """The service refused: `status`, and `said`, what it answered."""

    def __init__(self, status: int, said: Any) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


class Accepted(TypedDict):
    """What was received is safe."""

    status: str
    lead_id: str | None
    drop_id: str
    status_url: str
    leads: NotRequired[int | None]
    rejected: NotRequired[int | None]
    lead_ids: NotRequired[list[str] | None]
    rejects: NotRequired[list[NoLeadIn] | None]
    message: NotRequired[str | None]
    processing_time: NotRequired[float | None]
    score: NotRequired[float | None]
    owner: NotRequired[str | None]
    path: NotRequired[str | None]
    crm_id: NotRequired[str | None]


class CompanyFilters(TypedDict):
    """What the companies have in common."""

    location: NotRequired[str | list[str] | None]
    industry: NotRequired[list[str]]
    employee_count_min: NotRequired[int | None]
    employee_count_max: NotRequired[int | None]
    funding_stage: NotRequired[list[str]]


class CompanySearch(TypedDict):
    """A search; it needs a query or a filter."""

    query: NotRequired[str | None]
    filters: NotRequired[CompanyFilters]
    sources: NotRequired[list[str]]
    limit: NotRequired[int]


class DropState(TypedDict):
    """What became of a drop."""

    drop_id: str
    state: str
    leads: int
    rejected: int
    lead_ids: list[str]


class EnrichedFlat(TypedDict):
    """An enriched lead, as the lending API answers it."""

    lead_id: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    loan_type: str | None
    investor_experience: str | None
    urgency_score: float | None
    outreach_message: str | None
    classification_rationale: str | None
    raw: Any
    metadata: dict[str, Any]
    enrichment: dict[str, Any]


class EnrichedSources(TypedDict):
    """An enriched lead, as the discovery engine answers it."""

    lead_id: str
    enrichment_results: dict[str, Any]
    new_score: float | None
    contacts_added: int


class Estimated(TypedDict):
    """What something would cost."""

    usd: float
    calls: int
    rows: list[dict[str, Any]]


class FoundCompanies(TypedDict):
    """Companies that were found."""

    results: list[dict[str, Any]]
    total: int
    sources_queried: list[str]
    quota_remaining: dict[str, int | None]


class Health(TypedDict):
    """Whether the process is alive."""

    status: str
    timestamp: str
    version: str
    services: dict[str, str]


class Job(TypedDict):
    """A job or a Dagster run."""

    job_id: str
    kind: str
    status: str
    started_at: NotRequired[str | None]
    completed_at: NotRequired[str | None]
    error: NotRequired[str | None]
    run_ids: NotRequired[list[str] | None]
    status_url: NotRequired[str | None]


class LeadFilters(TypedDict):
    """What the leads have in common. Each takes one value or several, of which one is enough."""

    campaign_id: NotRequired[str | list[str] | None]
    company_domain: NotRequired[str | list[str] | None]
    country_code: NotRequired[str | list[str] | None]
    source: NotRequired[str | list[str] | None]
    seniority: NotRequired[str | list[str] | None]
    department: NotRequired[str | list[str] | None]
    adapter: NotRequired[str | list[str] | None]
    email: NotRequired[str | list[str] | None]
    tier: NotRequired[str | list[str] | None]
    owner: NotRequired[str | list[str] | None]
    min_score: NotRequired[float | None]
    max_score: NotRequired[float | None]


class LeadSearch(TypedDict):
    """A search for leads."""

    query: NotRequired[str | None]
    filters: NotRequired[LeadFilters]
    sort: NotRequired[Literal['received_at', 'lead_id', 'company', 'score']]
    descending: NotRequired[bool]
    limit: NotRequired[int]
    cursor: NotRequired[str | None]


class NoLeadIn(TypedDict):
    """A payload that is no lead."""

    code: str
    reason: str
    field: NotRequired[str | None]
    position: int


class PageOf(TypedDict):
    """A page of rows; `next_cursor` asks for the next one."""

    items: list[dict[str, Any]]
    next_cursor: NotRequired[str | None]
    total: NotRequired[int | None]
    next_page: NotRequired[int | None]


class Refusal(TypedDict):
    """Why a call was refused. `detail` is a text, or a list of faults with the field of each; `error` a word for programs."""

    detail: NotRequired[Any]
    error: NotRequired[str]
    message: NotRequired[str]
    quarantine_id: NotRequired[str]


class Replay(TypedDict):
    """What to do again. Empty lists: everything."""

    campaigns: NotRequired[list[str]]
    codes: NotRequired[list[str]]
    stage: NotRequired[Literal['classification', 'summaries']]
    destination: NotRequired[str | None]
    fix: NotRequired[str | None]


class ReplayedSends(TypedDict):
    """How many dead letters are due again."""

    replayed: int


class Retried(TypedDict):
    """What was done again for a lead."""

    status: str
    lead_id: str
    campaign_id: str
    dead_letters: int
    quarantined: int
    accepted: int
    signals: dict[str, str]
    job_id: NotRequired[str | None]
    status_url: NotRequired[str | None]


class Routed(TypedDict):
    """A lead that was routed while the sender waited, or an event that was received earlier."""

    status: str
    lead_id: NotRequired[str | None]
    message: NotRequired[str | None]
    processing_time: NotRequired[float | None]
    score: NotRequired[float | None]
    owner: NotRequired[str | None]
    path: NotRequired[str | None]
    crm_id: NotRequired[str | None]
    drop_id: NotRequired[str | None]
    status_url: NotRequired[str | None]


class Scored(TypedDict):
    """A lead's score and its parts."""

    lead_id: str
    score: float | None
    tier: str | None
    path: str | None
    route_score: float | None
    parts: list[dict[str, Any]]


class Verified(TypedDict):
    """An address that was verified."""

    contact_id: str
    email: str | None
    status: str
    verified: bool
    score: int | None
    email_verified_at: str | None
    email_source: str | None
    reason: str | None



class LeadAssets:
    """The service at `base_url`, called with `key` (of `lead-assets keys create`)."""

    def __init__(self, base_url: str, key: str, *, timeout: float = 60.0) -> None:
        self.http = httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    def _call(self, method: str, path: str, query: dict[str, Any], body: Any = None, content_type: str = "application/json") -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        if body is None:
            answer = self.http.request(method, path, params=given)
        elif isinstance(body, bytes):
            answer = self.http.request(method, path, params=given, content=body, headers={"Content-Type": content_type})
        else:
            answer = self.http.request(method, path, params=given, json=body)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        said = answer.json() if is_json else answer.content
        if answer.is_error:
            raise Refused(answer.status_code, said)
        return said

    def get_admin_dead_letters(self, *, limit: int | None = None, page: int | None = None) -> PageOf:
        """Deliveries that were given up, newest first. Which lead, to which destination, and why."""
        return cast("PageOf", self._call("GET", "/admin/dead-letters", {"limit": limit, "page": page}))

    def post_admin_dead_letters_replay(self, body: Replay) -> ReplayedSends:
        """Send dead letters again. `replayed`: how many are due again. The next drain of the outbox sends them."""
        return cast("ReplayedSends", self._call("POST", "/admin/dead-letters/replay", {}, body))

    def get_admin_drops_drop_id(self, drop_id: str) -> DropState:
        """What became of a drop. `state`: receiving (durable, not yet in the landing zone), landed, taken (in the archive) or read; then `leads`, `rejected`, and the first `lead_ids`."""
        return cast("DropState", self._call("GET", f"/admin/drops/{quote(drop_id, safe='')}", {}))

    def get_admin_leads_lead_id(self, lead_id: str) -> Any:
        """A lead's state and timeline. `state`: received (durable, not yet landed or made), or the last step that it reached; `leads`: everything that `lead-assets explain` tells."""
        return self._call("GET", f"/admin/leads/{quote(lead_id, safe='')}", {})

    def get_admin_quarantine(self, *, limit: int | None = None, page: int | None = None) -> PageOf:
        """Model answers that broke their contract, newest first. Which lead, what was wrong, and the answer, which needs read-pii."""
        return cast("PageOf", self._call("GET", "/admin/quarantine", {"limit": limit, "page": page}))

    def post_admin_quarantine_replay(self, body: Replay) -> Job:
        """Ask the model again. A job: `lead-assets replay`. Each answer is asked for again once per fix, and its campaign made again."""
        return cast("Job", self._call("POST", "/admin/quarantine/replay", {}, body))

    def get_admin_rejects(self, *, limit: int | None = None, page: int | None = None) -> PageOf:
        """Payloads that were rejected, newest first. Why, and in which drop. Their text needs read-pii."""
        return cast("PageOf", self._call("GET", "/admin/rejects", {"limit": limit, "page": page}))

    def post_admin_rejects_replay(self, body: Replay) -> Job:
        """Read campaigns' payloads again. A job that reads the archive's bytes again by today's shapes and makes what follows from new leads. What was read before stays as it is."""
        return cast("Job", self._call("POST", "/admin/rejects/replay", {}, body))

    def post_admin_retry_lead_id(self, lead_id: str, *, max_usd: float | None = None, max_seconds: float | None = None, fix: str | None = None) -> Retried:
        """Do again what failed of a lead. `status` (retried, or nothing_failed), dead_letters, quarantined, accepted, signals, and the job that makes the lead's campaign again. Each exactly once: a second retry finds nothing that failed."""
        return cast("Retried", self._call("POST", f"/admin/retry/{quote(lead_id, safe='')}", {"max_usd": max_usd, "max_seconds": max_seconds, "fix": fix}))

    def get_campaigns(self) -> list[dict[str, Any]]:
        """All campaigns in the archive. id and name of each."""
        return cast("list[dict[str, Any]]", self._call("GET", "/api/campaigns", {}))

    def get_campaigns_campaign_id_leads(self, campaign_id: str, *, limit: int | None = None) -> Any:
        """The leads of a campaign (campaign pipeline). id, campaign_id, name, email, phone, organization, designation, linkedin_url, website, status, type."""
        return self._call("GET", f"/api/campaigns/{quote(campaign_id, safe='')}/leads", {"limit": limit})

    def post_leads_lead_id_enrich(self, lead_id: str, *, max_usd: float | None = None, max_seconds: float | None = None) -> Any:
        """Enrich a stored lead (campaign pipeline). The raw fields, company_overview, tech_stack, funding, news, linkedin_posts, and enrichment_metadata."""
        return self._call("POST", f"/api/leads/{quote(lead_id, safe='')}/enrich", {"max_usd": max_usd, "max_seconds": max_seconds})

    def get_v1_campaigns(self, *, q: str | None = None, min_leads: int | None = None, sort: Literal['campaign_id', 'received', 'leads', 'routed', 'hot', 'cost_usd'] | None = None, descending: bool | None = None, limit: int | None = None, cursor: str | None = None) -> PageOf:
        """Campaigns with their funnel, filtered, sorted, by pages. `items`: campaign_id, received, rejected, duplicate, suppressed, leads, enriched, classified, quarantined, scored, routed, routed_fallback, hot, cost_usd; null before the campaign's first run. `next_cursor` is null on the last page."""
        return cast("PageOf", self._call("GET", "/api/v1/campaigns", {"q": q, "min_leads": min_leads, "sort": sort, "descending": descending, "limit": limit, "cursor": cursor}))

    def get_v1_contacts(self, *, sort: Literal['received_at', 'lead_id', 'company', 'score'] | None = None, descending: bool | None = None, limit: int | None = None, cursor: str | None = None, q: str | None = None, campaign_id: str | None = None, company_domain: str | None = None) -> PageOf:
        """Contacts, filtered, sorted, by pages. `items` and `next_cursor`, which is null on the last page."""
        return cast("PageOf", self._call("GET", "/api/v1/contacts", {"sort": sort, "descending": descending, "limit": limit, "cursor": cursor, "q": q, "campaign_id": campaign_id, "company_domain": company_domain}))

    def post_v1_contacts(self, body: Any, *, campaign: str | None = None, content_type: str = "application/json") -> Accepted:
        """Create a contact. As a lead is created: a drop. 202 once the bytes are durable, with `status_url`."""
        return cast("Accepted", self._call("POST", "/api/v1/contacts", {"campaign": campaign}, body, content_type))

    def post_v1_contacts_search(self, body: LeadSearch) -> PageOf:
        """Search contacts. `items`, `total` and `next_cursor`, with the filters of leads."""
        return cast("PageOf", self._call("POST", "/api/v1/contacts/search", {}, body))

    def delete_v1_contacts_contact_id(self, contact_id: str) -> Any:
        """Erase a contact. Takes the person out of every store and keeps them out. Answers the receipt, which names nobody."""
        return self._call("DELETE", f"/api/v1/contacts/{quote(contact_id, safe='')}", {})

    def get_v1_contacts_contact_id(self, contact_id: str) -> Any:
        """What is known of a contact. Name, address, position and company; `email_verified`, `email_verified_at`, `email_source` and `email_score`, if its address was verified."""
        return self._call("GET", f"/api/v1/contacts/{quote(contact_id, safe='')}", {})

    def patch_v1_contacts_contact_id(self, contact_id: str, body: Any, *, content_type: str = "application/json") -> Accepted:
        """Change fields of a contact. The fields to change, as a JSON object: a drop with the lead's id, so that history is kept."""
        return cast("Accepted", self._call("PATCH", f"/api/v1/contacts/{quote(contact_id, safe='')}", {}, body, content_type))

    def put_v1_contacts_contact_id(self, contact_id: str, body: Any, *, content_type: str = "application/json") -> Accepted:
        """Update a contact. The fields to change, as a JSON object: a drop with the lead's id, so that history is kept."""
        return cast("Accepted", self._call("PUT", f"/api/v1/contacts/{quote(contact_id, safe='')}", {}, body, content_type))

    def post_v1_contacts_contact_id_verify_email(self, contact_id: str, *, max_usd: float | None = None, max_seconds: float | None = None) -> Verified:
        """Verify the e-mail address of a stored lead. contact_id, email, status (valid, probable, accept_all, invalid or unknown), verified, score (0 to 100), email_verified_at, email_source, and the reason if nobody answered. An answer that was bought is free while it is fresh."""
        return cast("Verified", self._call("POST", f"/api/v1/contacts/{quote(contact_id, safe='')}/verify-email", {"max_usd": max_usd, "max_seconds": max_seconds}))

    def post_v1_discovery_search(self, body: CompanySearch, *, max_usd: float | None = None, max_seconds: float | None = None) -> FoundCompanies:
        """Search for companies. results, total, sources_queried and quota_remaining. A search that was bought is free while it is fresh. Files no leads: `lead-assets discover` does. 402 over_budget names the budgets that are too small."""
        return cast("FoundCompanies", self._call("POST", "/api/v1/discovery/search", {"max_usd": max_usd, "max_seconds": max_seconds}, body))

    def get_v1_discovery_sources(self) -> Any:
        """Where can be searched, and what is left of the plans. `sources`: name, searches (whether companies can be searched there) and quotas (quota, used, limit, left, resets_on, reason). Asking is free."""
        return self._call("GET", "/api/v1/discovery/sources", {})

    def get_v1_jobs(self, *, limit: int | None = None, campaign_id: str | None = None) -> PageOf:
        """Enrichment jobs, newest first. Each Dagster run: job_id (the run's id), kind, status (pending, running, completed or failed), campaigns, sources (its assets), started_at and completed_at."""
        return cast("PageOf", self._call("GET", "/api/v1/jobs", {"limit": limit, "campaign_id": campaign_id}))

    def get_v1_jobs_job_id(self, job_id: str) -> Job:
        """What became of a job. A job that a replay or retry began, with `run_ids` and `runs`, its Dagster runs; or one run."""
        return cast("Job", self._call("GET", f"/api/v1/jobs/{quote(job_id, safe='')}", {}))

    def get_v1_leads(self, *, sort: Literal['received_at', 'lead_id', 'company', 'score'] | None = None, descending: bool | None = None, limit: int | None = None, cursor: str | None = None, q: str | None = None, campaign_id: str | None = None, company_domain: str | None = None, country_code: str | None = None, source: str | None = None, seniority: str | None = None, department: str | None = None, adapter: str | None = None, tier: str | None = None, owner: str | None = None) -> PageOf:
        """Leads, filtered, sorted, by pages. `items` and `next_cursor`, which is null on the last page. A page stays the same page while leads arrive."""
        return cast("PageOf", self._call("GET", "/api/v1/leads", {"sort": sort, "descending": descending, "limit": limit, "cursor": cursor, "q": q, "campaign_id": campaign_id, "company_domain": company_domain, "country_code": country_code, "source": source, "seniority": seniority, "department": department, "adapter": adapter, "tier": tier, "owner": owner}))

    def post_v1_leads(self, body: Any, *, campaign: str | None = None, content_type: str = "application/json") -> Accepted:
        """Create a lead. One lead or many in any known shape, CSV and XLSX too: a drop. 202 once the bytes are durable, with `status_url`; 422 if there is no lead in it."""
        return cast("Accepted", self._call("POST", "/api/v1/leads", {"campaign": campaign}, body, content_type))

    def get_v1_leads_export(self, *, format: Literal['csv', 'json', 'xlsx', 'parquet'] | None = None, campaign_id: str | None = None) -> Any:
        """All leads as a file. Rows of identity.leads by campaign and id, masked without read-pii. In CSV and XLSX, text that a spreadsheet would run as a formula gets an apostrophe. The file is streamed: neither it nor the leads are ever in memory together."""
        return self._call("GET", "/api/v1/leads/export", {"format": format, "campaign_id": campaign_id})

    def post_v1_leads_import(self, body: Any, *, campaign: str | None = None, content_type: str = "application/json") -> Accepted:
        """Import leads. One lead or many in any known shape, CSV and XLSX too: a drop. 202 once the bytes are durable, with `status_url`; 422 if there is no lead in it."""
        return cast("Accepted", self._call("POST", "/api/v1/leads/import", {"campaign": campaign}, body, content_type))

    def post_v1_leads_search(self, body: LeadSearch) -> PageOf:
        """Search leads. `items`, `total` and `next_cursor`. Filters take one value or several."""
        return cast("PageOf", self._call("POST", "/api/v1/leads/search", {}, body))

    def delete_v1_leads_lead_id(self, lead_id: str) -> Any:
        """Erase the person of a lead. Takes the person out of every store and keeps them out. Answers the receipt, which names nobody. 409 while a run is in progress."""
        return self._call("DELETE", f"/api/v1/leads/{quote(lead_id, safe='')}", {})

    def get_v1_leads_lead_id(self, lead_id: str) -> Any:
        """What is known of a lead. Its row of identity.leads, and what it became: score, tier, path, owner, enriched_at and enrichment_status (pending or completed)."""
        return self._call("GET", f"/api/v1/leads/{quote(lead_id, safe='')}", {})

    def patch_v1_leads_lead_id(self, lead_id: str, body: Any, *, content_type: str = "application/json") -> Accepted:
        """Change fields of a lead. The fields to change, as a JSON object. It is a drop with the lead's id: the next run takes the newest values, and what came before is kept."""
        return cast("Accepted", self._call("PATCH", f"/api/v1/leads/{quote(lead_id, safe='')}", {}, body, content_type))

    def put_v1_leads_lead_id(self, lead_id: str, body: Any, *, content_type: str = "application/json") -> Accepted:
        """Update a lead. The fields to change, as a JSON object. It is a drop with the lead's id: the next run takes the newest values, and what came before is kept."""
        return cast("Accepted", self._call("PUT", f"/api/v1/leads/{quote(lead_id, safe='')}", {}, body, content_type))

    def post_v1_leads_lead_id_enrich(self, lead_id: str, *, max_usd: float | None = None, max_seconds: float | None = None) -> EnrichedSources:
        """Enrich a stored lead (discovery engine). lead_id, enrichment_results {source: {status, data}}, new_score, contacts_added."""
        return cast("EnrichedSources", self._call("POST", f"/api/v1/leads/{quote(lead_id, safe='')}/enrich", {"max_usd": max_usd, "max_seconds": max_seconds}))

    def post_v1_leads_lead_id_estimate(self, lead_id: str) -> Estimated:
        """What enriching a stored lead would cost. usd, calls, and rows by provider and operation. Buys nothing; what is in the ledger costs nothing."""
        return cast("Estimated", self._call("POST", f"/api/v1/leads/{quote(lead_id, safe='')}/estimate", {}))

    def post_v1_leads_lead_id_score(self, lead_id: str, *, max_usd: float | None = None, max_seconds: float | None = None) -> Scored:
        """Score a stored lead. lead_id, score, tier, path and the parts that add up to the score."""
        return cast("Scored", self._call("POST", f"/api/v1/leads/{quote(lead_id, safe='')}/score", {"max_usd": max_usd, "max_seconds": max_seconds}))

    def post_enrich(self, body: Any, *, max_usd: float | None = None, max_seconds: float | None = None, content_type: str = "application/json") -> EnrichedFlat:
        """Enrich, classify, score and route one lead. Any shape of lead. The lead is kept like one that a webhook sent. The answer is flat; what belongs to no flat key is under `enrichment`."""
        return cast("EnrichedFlat", self._call("POST", "/enrich", {"max_usd": max_usd, "max_seconds": max_seconds}, body, content_type))

    def post_enrich_stream(self, body: Any, *, max_usd: float | None = None, max_seconds: float | None = None, content_type: str = "application/json") -> Any:
        """The same, told step by step (server-sent events). Events lead, signals, classification, score, routing as each ends; then done with the answer of /enrich, or failed."""
        return self._call("POST", "/enrich/stream", {"max_usd": max_usd, "max_seconds": max_seconds}, body, content_type)

    def get_health(self) -> Health:
        """Whether the process is alive. Open to everybody, and says nothing of any lead. `/ready` asks the stores. `/router/health` says healthy."""
        return cast("Health", self._call("GET", "/health", {}))

    def get_metrics(self) -> Any:
        """Figures in Prometheus' text format. """
        return self._call("GET", "/metrics", {})

    def get_ready(self) -> Any:
        """Whether the stores answer. """
        return self._call("GET", "/ready", {})

    def post_score_lead(self, body: Any, *, content_type: str = "application/json") -> Any:
        """Compare one lead with past ones (embedding scorer). S_look, S_novel, contrast, nn_all_ids, nn_high_ids, is_duplicate, neighbours and index; or is_duplicate and reason, for a known address. Nothing is bought or stored. Columns that the index does not have are passed over; what the lead lacks counts as empty."""
        return self._call("POST", "/score_lead", {}, body, content_type)

    def get_webhooks_source(self, source: str, *, hub_mode: str | None = None, hub_verify_token: str | None = None, hub_challenge: str | None = None) -> Any:
        """Meta's check of a webhook's address. Answers the challenge if the token is the source's LEAD_ASSETS_RECEIVE_TOKEN_<SOURCE>."""
        return self._call("GET", f"/webhooks/{quote(source, safe='')}", {"hub.mode": hub_mode, "hub.verify_token": hub_verify_token, "hub.challenge": hub_challenge})

    def post_webhooks_source(self, source: str, body: Any, *, campaign: str | None = None, wait: bool | None = None, content_type: str = "application/json") -> Routed | Accepted:
        """Receive leads of any known shape. One lead or many, as JSON, NDJSON, CSV, XLSX or a form, in every shape that `lead-assets shapes` lists. Answers once the bytes are on the disk; with `wait=true` or the header `Prefer: wait=N` once the lead is routed, or 202 if that takes longer."""
        return cast("Routed | Accepted", self._call("POST", f"/webhooks/{quote(source, safe='')}", {"campaign": campaign, "wait": wait}, body, content_type))

"""The shapes of answers, for the OpenAPI document and what is generated from it. Answers are built where they are given; tests hold them against these.

Does not belong here: rows of tables (see `lead_assets.contracts`), which come as objects with the table's columns.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Health(BaseModel):
    """Whether the process is alive."""

    status: str
    timestamp: str
    version: str
    services: dict[str, str]


class NoLeadIn(BaseModel):
    """A payload that is no lead."""

    code: str
    reason: str
    field: str | None = None
    position: int


class Accepted(BaseModel):
    """What was received is safe."""

    status: str
    lead_id: str | None
    drop_id: str
    status_url: str
    leads: int | None = None
    rejected: int | None = None
    lead_ids: list[str] | None = None
    rejects: list[NoLeadIn] | None = None
    message: str | None = None
    processing_time: float | None = None
    score: float | None = None
    owner: str | None = None
    path: str | None = None
    crm_id: str | None = None


class Routed(BaseModel):
    """A lead that was routed while the sender waited, or an event that was received earlier."""

    status: str
    lead_id: str | None = None
    message: str | None = None
    processing_time: float | None = None
    score: float | None = None
    owner: str | None = None
    path: str | None = None
    crm_id: str | None = None
    drop_id: str | None = None
    status_url: str | None = None


class EnrichedFlat(BaseModel):
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


class EnrichedSources(BaseModel):
    """An enriched lead, as the discovery engine answers it."""

    lead_id: str
    enrichment_results: dict[str, Any]
    new_score: float | None
    contacts_added: int


class Scored(BaseModel):
    """A lead's score and its parts."""

    lead_id: str
    score: float | None
    tier: str | None
    path: str | None
    route_score: float | None
    parts: list[dict[str, Any]]


class Estimated(BaseModel):
    """What something would cost."""

    usd: float
    calls: int
    rows: list[dict[str, Any]]


class PageOf(BaseModel):
    """A page of rows; `next_cursor` asks for the next one."""

    items: list[dict[str, Any]]
    next_cursor: str | None = None
    total: int | None = None
    next_page: int | None = None


class FoundCompanies(BaseModel):
    """Companies that were found."""

    results: list[dict[str, Any]]
    total: int
    sources_queried: list[str]
    quota_remaining: dict[str, int | None]


class Verified(BaseModel):
    """An address that was verified."""

    contact_id: str
    email: str | None
    status: str
    verified: bool
    score: int | None
    email_verified_at: str | None
    email_source: str | None
    reason: str | None


class Job(BaseModel):
    """A job or a Dagster run."""

    job_id: str
    kind: str
    status: str
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    run_ids: list[str] | None = None
    status_url: str | None = None


class Retried(BaseModel):
    """What was done again for a lead."""

    status: str
    lead_id: str
    campaign_id: str
    dead_letters: int
    quarantined: int
    accepted: int
    signals: dict[str, str]
    job_id: str | None = None
    status_url: str | None = None


class ReplayedSends(BaseModel):
    """How many dead letters are due again."""

    replayed: int


class DropState(BaseModel):
    """What became of a drop."""

    drop_id: str
    state: str
    leads: int
    rejected: int
    lead_ids: list[str]


def says(model: type[BaseModel], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What a route answers, for its `responses`."""
    return {status: {"model": model, "description": (model.__doc__ or "").strip()}}

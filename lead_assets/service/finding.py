"""Finds leads: filters, a search, an order, and pages by cursor, as SQL that is masked without read-pii. A page is found by narrow columns first and only
then read, so that a million leads cost no more than what is sorted.

Belongs here: what may be asked for, and the rows. Does not belong here: routes and answers (see `lead_api`, `contacts_api`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from lead_assets.contracts import CampaignFunnel
from lead_assets.service.enriching import literal
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.questions import ask

PAGE = 50
SHOWN = (
    "lead_id, campaign_id, received_at, full_name, email_normalized, phone_e164, company, company_domain, title, linkedin_url, website, "
    "country_code, source"
)
SortBy = Literal["received_at", "lead_id", "company", "score"]
_BY = {
    "received_at": "l.received_at",
    "lead_id": "l.lead_id",
    "company": "LOWER(COALESCE(l.company, ''))",
    "score": "COALESCE(s.score, -1)",
}
_COLUMNS = {
    **{name: f"l.{name}" for name in ("campaign_id", "company_domain", "country_code", "source", "seniority", "department", "adapter")},
    "email": "l.email_normalized",
    "tier": "s.tier",
    "owner": "d.owner",
}
_JOINS = {
    "s": " LEFT JOIN scoring.scores AS s ON s.campaign_id = l.campaign_id AND s.lead_id = l.lead_id",
    "d": " LEFT JOIN routing.decisions AS d ON d.campaign_id = l.campaign_id AND d.lead_id = l.lead_id",
}


class LeadFilters(BaseModel):
    """What the leads have in common. Each takes one value or several, of which one is enough."""

    campaign_id: str | list[str] | None = None
    company_domain: str | list[str] | None = None
    country_code: str | list[str] | None = None
    source: str | list[str] | None = None
    seniority: str | list[str] | None = None
    department: str | list[str] | None = None
    adapter: str | list[str] | None = None
    email: str | list[str] | None = Field(None, description="Needs the scope read-pii")
    tier: str | list[str] | None = None
    owner: str | list[str] | None = None
    min_score: float | None = Field(None, ge=0, le=100)
    max_score: float | None = Field(None, ge=0, le=100)

    model_config = ConfigDict(extra="forbid")


class LeadSearch(BaseModel):
    """A search for leads."""

    query: str | None = Field(None, max_length=200, description="Part of a name, company, address or lead id; needs the scope read-pii")
    filters: LeadFilters = LeadFilters()
    sort: SortBy = "received_at"
    descending: bool = True
    limit: int = Field(PAGE, ge=1, le=1_000)
    cursor: str | None = Field(None, max_length=2_000, description="next_cursor of the page before")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"filters": {"tier": ["hot", "warm"], "country_code": "US"}, "sort": "score", "limit": 20}]},
    )


def page_of_leads(warehouse: Warehouse, wanted: LeadSearch, *, pii: bool, counted: bool = False) -> dict[str, Any]:
    """items (columns of `SHOWN`, and `score` if it is the order), next_cursor (null on the last page), and total if `counted`.

    Raises HTTPException: 403 for a search of personal data without `pii`, 404 for a cursor that is not one.
    """
    where, used = _conditions(wanted, pii=pii)
    said: dict[str, Any] = {}
    if counted:
        said["total"] = ask(warehouse, f"SELECT COUNT(*) AS n FROM identity.leads AS l{_joined(used)}{_where(where)}", pii=pii)["n"][0]
    by, order, sign = _BY[wanted.sort], "DESC" if wanted.descending else "ASC", "<" if wanted.descending else ">"
    if wanted.cursor is not None:
        value, campaign, lead_id = _unpacked(wanted.cursor, wanted.sort)
        where.append(f"({by}, l.campaign_id, l.lead_id) {sign} ({value}, {literal(campaign)}, {literal(lead_id)})")
    if wanted.sort == "score":
        used |= {"s"}
    found = ask(
        warehouse,
        f"SELECT {by} AS sorted_by, l.campaign_id, l.lead_id FROM identity.leads AS l{_joined(used)}{_where(where)} "
        f"ORDER BY {by} {order}, l.campaign_id {order}, l.lead_id {order} LIMIT {wanted.limit + 1}",
        pii=pii,
    ).rows()
    page = found[: wanted.limit]
    items = rows_of(warehouse, [(campaign, lead) for _, campaign, lead in page], SHOWN, pii=pii)
    if wanted.sort == "score":
        scores = {(campaign, lead): score if score >= 0 else None for score, campaign, lead in page}
        items = [item | {"score": scores[item["campaign_id"], item["lead_id"]]} for item in items]
    return {"items": items, "next_cursor": _packed(*page[-1]) if len(found) > wanted.limit else None, **said}


CampaignSort = Literal["campaign_id", "received", "leads", "routed", "hot", "cost_usd"]


def page_of_campaigns(
    warehouse: Warehouse,
    known: Iterable[str],
    *,
    part: str | None,
    min_leads: int,
    sort: CampaignSort,
    descending: bool,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """items (campaign_id, and the columns of marts.campaign_funnel, null for a campaign that was not run yet), and next_cursor (null on the last page).

    `known`: the campaigns of the archive; `part`: what their name contains. Raises HTTPException 404 for a cursor that is not one.
    """
    funnels = {row["campaign_id"]: row for row in ask(warehouse, "SELECT * FROM marts.campaign_funnel").iter_rows(named=True)}
    nothing = dict.fromkeys(name for name in CampaignFunnel.polars_schema() if name != "campaign_id")
    rows = [funnels.get(name) or {"campaign_id": name, **nothing} for name in sorted({*known, *funnels})]
    rows = [row for row in rows if (part or "").lower() in row["campaign_id"].lower() and (row["leads"] or 0) >= min_leads]
    places = {row["campaign_id"]: (0 if sort == "campaign_id" else round((row[sort] or 0) * 1_000_000), row["campaign_id"]) for row in rows}
    rows.sort(key=lambda row: places[row["campaign_id"]], reverse=descending)
    if cursor is not None:
        try:
            value, name = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
            after = int(value), str(name)
        except (ValueError, TypeError):
            raise _no_such_page() from None
        rows = [row for row in rows if (places[row["campaign_id"]] < after if descending else places[row["campaign_id"]] > after)]
    page = rows[:limit]
    return {"items": page, "next_cursor": _packed(*places[page[-1]["campaign_id"]]) if len(rows) > limit else None}


def rows_of(
    warehouse: Warehouse, ids: Sequence[tuple[str, str]], columns: str, *, pii: bool, table: str = "identity.leads"
) -> list[dict[str, Any]]:
    """Columns of a table for leads given by campaign and id, in their order; those that it has no row of are left out. `columns` has both keys."""
    if not ids:
        return []
    among = ", ".join(sorted({literal(campaign) for campaign, _ in ids}))
    leads = ", ".join(sorted({literal(lead) for _, lead in ids}))
    sql = f"SELECT {columns} FROM {table} WHERE campaign_id IN ({among}) AND lead_id IN ({leads})"
    rows = {(row["campaign_id"], row["lead_id"]): row for row in ask(warehouse, sql, pii=pii).iter_rows(named=True)}
    return [rows[each] for each in ids if each in rows]


def no_such_lead() -> HTTPException:
    return HTTPException(404, "there is no such lead in identity.leads: it may still be on its way, a duplicate, or erased")


def newest_lead(warehouse: Warehouse, lead_id: str, columns: str = "*", *, pii: bool) -> dict[str, Any]:
    """The newest row of identity.leads with this id. Raises HTTPException 404."""
    sql = f"SELECT {columns} FROM identity.leads WHERE lead_id = {literal(lead_id)} ORDER BY received_at DESC LIMIT 1"
    row = next(ask(warehouse, sql, pii=pii).iter_rows(named=True), None)
    if row is None:
        raise no_such_lead()
    return row


def _conditions(wanted: LeadSearch, *, pii: bool) -> tuple[list[str], set[str]]:
    """SQL conditions, and the joined tables that they use."""
    given = wanted.filters.model_dump(exclude_none=True)
    if not pii and (wanted.query or "email" in given):
        raise HTTPException(403, "searching names and addresses needs the scope read-pii: filter by another column, or use such a key")
    where: list[str] = []
    for name, column in _COLUMNS.items():
        if name in given:
            values = [given[name]] if isinstance(given[name], str) else given[name]
            where.append(f"{column} IN ({', '.join(literal(value) for value in values) or 'NULL'})")
    for name, sign in (("min_score", ">="), ("max_score", "<=")):
        if name in given:
            where.append(f"s.score {sign} {float(given[name])!r}")
    if wanted.query:
        text = literal(wanted.query.lower())
        names = ("full_name", "company", "email_normalized", "lead_id")
        where.append("(" + " OR ".join(f"STRPOS(LOWER(l.{name}), {text}) > 0" for name in names) + ")")
    return where, {alias for alias in _JOINS if any(each.startswith(f"{alias}.") for each in where)}


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _joined(used: set[str]) -> str:
    return "".join(join for name, join in _JOINS.items() if name in used)


def _packed(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode()


def _unpacked(cursor: str, sort: str) -> tuple[str, str, str]:
    """The value in SQL, the campaign and the lead that a cursor names."""
    try:
        value, campaign, lead_id = (str(each) for each in orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii"))))
        if sort == "score":
            return repr(float(value)), campaign, lead_id
        if sort == "received_at":
            return f"CAST({literal(datetime.fromisoformat(value).isoformat())} AS TIMESTAMPTZ)", campaign, lead_id
        return literal(value), campaign, lead_id
    except (ValueError, TypeError):
        raise _no_such_page() from None


def _no_such_page() -> HTTPException:
    return HTTPException(404, "there is no such page: the cursor is not one of this list; start again without it")

"""What the pages show, read with SQL that is masked without read-pii. A page of leads is found by narrow columns first and only then read, so that a million
leads cost no more than what is sorted.

Does not belong here: HTML (see `pages`), the steps of a lead (see `lead_assets.explaining`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from lead_assets.contracts import TABLES, SignalRow
from lead_assets.service.enriching import literal
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.questions import ask

PAGE = 50
SORTS = {
    "received": ("Newest", "l.received_at", "DESC"),
    "oldest": ("Oldest", "l.received_at", "ASC"),
    "score": ("Highest score", "COALESCE(s.score, -1)", "DESC"),
    "lowest": ("Lowest score", "COALESCE(s.score, -1)", "ASC"),
    "company": ("Company, A to Z", "LOWER(COALESCE(l.company, ''))", "ASC"),
}
"""Name in the URL → what it is called, what it sorts by, and in which order. Nothing else of a URL becomes a name in SQL."""
FILTERS = {
    "campaign": ("l", "campaign_id"),
    "tier": ("s", "tier"),
    "owner": ("d", "owner"),
    "country": ("l", "country_code"),
    "domain": ("l", "company_domain"),
}
"""Name in the URL → table and column that must have exactly this value."""
QUEUES = {
    "rejects": ("intake.rejected_payloads", "received_at", "Payloads that no shape could read, or that hold no valid lead."),
    "quarantine": ("classification.quarantine", "quarantined_at", "Model answers that broke their contract."),
    "dead-letters": ("delivery.dead_letters", "died_at", "Deliveries that were given up."),
}
"""Name in the URL → table, the column that it is sorted by, and what it holds."""
_JOINS = {
    "s": " LEFT JOIN scoring.scores AS s ON s.campaign_id = l.campaign_id AND s.lead_id = l.lead_id",
    "d": " LEFT JOIN routing.decisions AS d ON d.campaign_id = l.campaign_id AND d.lead_id = l.lead_id",
}


@dataclass(frozen=True)
class LeadsWanted:
    """A page of leads as a URL asks for it. `values` by name of FILTERS; `after`: the cursor of the page before."""

    values: dict[str, str]
    search: str = ""
    sort: str = "received"
    after: str = ""


@dataclass(frozen=True)
class LeadsPage:
    """`total`: leads that meet the filters. `following`: the cursor of the next page, empty on the last one."""

    rows: list[dict[str, Any]]
    total: int
    following: str


def campaigns(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of marts.campaign_funnel."""
    return ask(warehouse, "SELECT * FROM marts.campaign_funnel ORDER BY campaign_id").to_dicts()


def tiers(warehouse: Warehouse) -> list[str]:
    return ask(warehouse, "SELECT DISTINCT tier FROM scoring.scores ORDER BY tier")["tier"].to_list()


def leads(warehouse: Warehouse, wanted: LeadsWanted, *, pii: bool) -> LeadsPage:
    """A page of leads. Without `pii`, a search looks at no personal data. Raises ValueError for a cursor that is not one."""
    _, by, order = SORTS[wanted.sort]
    where = [f"{FILTERS[name][0]}.{FILTERS[name][1]} = {literal(value)}" for name, value in wanted.values.items() if value]
    if wanted.search:
        columns = ("l.lead_id", "l.company", "l.company_domain", *(("l.full_name", "l.email_normalized") if pii else ()))
        where.append("(" + " OR ".join(f"STRPOS(LOWER({name}), {literal(wanted.search.lower())}) > 0" for name in columns) + ")")
    used = {FILTERS[name][0] for name, value in wanted.values.items() if value}
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    total = ask(warehouse, f"SELECT COUNT(*) AS n FROM identity.leads AS l{_joined(used)}{condition}", pii=pii)["n"][0]
    if wanted.after:
        value, campaign, lead_id = _unpacked(wanted.after)
        typed = {"received_at": f"CAST({literal(value)} AS TIMESTAMPTZ)", "score": f"CAST({literal(value)} AS DOUBLE)"}
        said = next((sql for name, sql in typed.items() if name in by), literal(value))
        where.append(
            f"({by}, l.campaign_id, l.lead_id) {'<' if order == 'DESC' else '>'} ({said}, {literal(campaign)}, {literal(lead_id)})"
        )
        condition = f" WHERE {' AND '.join(where)}"
    used |= {"s"} if "s.score" in by else set()
    found = ask(
        warehouse,
        f"SELECT {by} AS sorted_by, l.campaign_id, l.lead_id FROM identity.leads AS l{_joined(used)}{condition} "
        f"ORDER BY {by} {order}, l.campaign_id {order}, l.lead_id {order} LIMIT {PAGE + 1}",
        pii=pii,
    ).rows()
    page = found[:PAGE]
    following = _packed(*page[-1]) if len(found) > PAGE else ""
    return LeadsPage(_rows(warehouse, [(campaign, lead) for _, campaign, lead in page], pii=pii), total, following)


def _rows(warehouse: Warehouse, ids: Sequence[tuple[str, str]], *, pii: bool) -> list[dict[str, Any]]:
    if not ids:
        return []
    pairs = ", ".join(f"({literal(campaign)}, {literal(lead)})" for campaign, lead in ids)
    among = ", ".join(sorted({literal(campaign) for campaign, _ in ids}))
    these = f"WHERE campaign_id IN ({among}) AND (campaign_id, lead_id) IN ({pairs})"
    columns = "campaign_id, lead_id, received_at, full_name, name_first, name_last, email_normalized, company, company_domain, title, country_code"
    rows = {(row["campaign_id"], row["lead_id"]): row for row in _dicts(warehouse, f"SELECT {columns} FROM identity.leads {these}", pii)}
    for more in ("score, tier FROM scoring.scores", "owner, path FROM routing.decisions"):
        for row in _dicts(warehouse, f"SELECT campaign_id, lead_id, {more} {these}", pii):
            rows.get((row["campaign_id"], row["lead_id"]), {}).update(row)
    return [rows[each] for each in ids if each in rows]


def lead_row(warehouse: Warehouse, campaign: str, lead: str, *, pii: bool) -> dict[str, Any]:
    """The row of identity.leads; empty if there is none."""
    return next(_dicts(warehouse, f"SELECT * FROM identity.leads WHERE {_is(campaign, lead)}", pii), {})


def kept_instead(warehouse: Warehouse, campaign: str, lead: str) -> str | None:
    """The lead whose duplicate this one is."""
    sql = f"SELECT duplicate_of FROM identity.duplicates WHERE {_is(campaign, lead)} AND duplicate_of <> lead_id ORDER BY received_at DESC LIMIT 1"
    return next((row["duplicate_of"] for row in _dicts(warehouse, sql, False)), None)


def signal_values(warehouse: Warehouse, campaign: str, lead: str, *, pii: bool) -> dict[str, dict[str, Any]]:
    """Signal → what was found, by column of signals.enriched_leads."""
    row = next(_dicts(warehouse, f"SELECT * FROM signals.enriched_leads WHERE {_is(campaign, lead)}", pii), {})
    common = {column.name for column in SignalRow.columns()}
    tables = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
    return {
        contract.table_name(): {
            column.name: row[column.name] for column in contract.columns() if column.name not in common and row.get(column.name) is not None
        }
        for contract in tables
    }


def queue(warehouse: Warehouse, name: str, page: int, *, pii: bool) -> tuple[list[dict[str, Any]], bool]:
    """Rows of a queue, newest first, and whether there are more. `page` counts from 1."""
    table, by, _ = QUEUES[name]
    keys = ", ".join(("campaign_id", *(column for column in ("drop_sha256", "position", "part", "lead_id") if column in _columns(table))))
    sql = f"SELECT * FROM {table} ORDER BY {by} DESC, {keys} LIMIT {PAGE + 1} OFFSET {(page - 1) * PAGE}"
    rows = list(_dicts(warehouse, sql, pii))
    return rows[:PAGE], len(rows) > PAGE


def queue_sizes(warehouse: Warehouse) -> dict[str, int]:
    return {name: ask(warehouse, f"SELECT COUNT(*) AS n FROM {table}")["n"][0] for name, (table, *_) in QUEUES.items()}


def spend(warehouse: Warehouse, days: int = 30) -> list[dict[str, Any]]:
    """day and usd of the newest days on which something was spent, oldest first."""
    sql = f"SELECT day, SUM(cost_usd) AS usd FROM marts.spend_by_day GROUP BY day ORDER BY day DESC LIMIT {days}"
    return list(_dicts(warehouse, sql, False))[::-1]


def governance(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of marts.governance."""
    return list(_dicts(warehouse, "SELECT * FROM marts.governance ORDER BY leads DESC, model, profile, code LIMIT 50", False))


def marked(text: str, quotes: Sequence[str]) -> list[tuple[str, bool]]:
    """The text in pieces, and whether each is (part of) a quote, wherever it stands and in whatever case."""
    low, is_marked = text.lower(), [False] * len(text)
    if len(low) != len(text):  # a few letters are two in lower case
        low = text
    for quote in (each if low is text else each.lower() for each in quotes if each.strip()):
        at = low.find(quote)
        while at >= 0:
            is_marked[at : at + len(quote)] = [True] * len(quote)
            at = low.find(quote, at + len(quote))
    pieces: list[tuple[str, bool]] = []
    for letter, mark in zip(text, is_marked, strict=True):
        if pieces and pieces[-1][1] == mark:
            pieces[-1] = (pieces[-1][0] + letter, mark)
        else:
            pieces.append((letter, mark))
    return pieces


def _dicts(warehouse: Warehouse, sql: str, pii: bool) -> Iterator[dict[str, Any]]:
    return ask(warehouse, sql, pii=pii).iter_rows(named=True)


def _columns(table: str) -> set[str]:
    return {column.name for column in TABLES[table].columns()}


def _is(campaign: str, lead: str) -> str:
    return f"campaign_id = {literal(campaign)} AND lead_id = {literal(lead)}"


def _joined(used: set[str]) -> str:
    return "".join(join for name, join in _JOINS.items() if name in used)


def _packed(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def _unpacked(cursor: str) -> tuple[str, str, str]:
    value, campaign, lead_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    return str(value), str(campaign), str(lead_id)

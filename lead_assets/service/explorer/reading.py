"""What the pages show, read with SQL that is masked without read-pii. A page of leads comes from the copy in memory (see `listing`) where there is one;
otherwise it is found by narrow columns first and only then read.

Does not belong here: HTML (see `pages`), the steps of a lead (see `lead_assets.explaining`).
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import TABLES, Lead, SignalRow, SimilarAccount, Table
from lead_assets.core.table_formats import encode
from lead_assets.ledger.ledger import Ledger
from lead_assets.service.enriching import literal
from lead_assets.service.explorer.choosing import choices
from lead_assets.service.explorer.listing import SHOWN, Listing
from lead_assets.stores.warehouse.base import PartitionMissing, Warehouse
from lead_assets.stores.warehouse.questions import ask, masked_row

PAGE = 50
LISTED = (*SHOWN, "score", "tier", "owner", "path")
"""Columns that each row of the list has; others are read for the page that shows them."""
_WHO = ("campaign_id", "lead_id", "full_name", "email_normalized")
_FEW = 200
"""Leads that are looked for by their ids; of more, all of their campaigns are read."""
SORTS = {
    "received": ("Newest", "l.received_at", "DESC", "received_at"),
    "oldest": ("Oldest", "l.received_at", "ASC", "received_at"),
    "score": ("Highest score", "COALESCE(s.score, -1)", "DESC", "by_score"),
    "lowest": ("Lowest score", "COALESCE(s.score, -1)", "ASC", "by_score"),
    "company": ("Company, A to Z", "LOWER(COALESCE(l.company, ''))", "ASC", "by_company"),
}
"""Name in the URL → what it is called, what it sorts by, in which order, and that column's name in the copy. Nothing else of a URL becomes a name in SQL."""
FILTERS = {
    "campaign": ("l", "campaign_id"),
    "tier": ("s", "tier"),
    "owner": ("d", "owner"),
    "country": ("l", "country_code"),
    "domain": ("l", "company_domain"),
}
"""Name in the URL → table and column that must have exactly this value."""
FACETS = ("tier", "owner", "campaign", "country")
"""Names of FILTERS whose most frequent values are shown with their counts."""
MOST_OF_A_FACET, MOST_IN_A_FILE = 8, 100_000
QUEUES = {
    "rejects": ("intake.rejected_payloads", "received_at", "Payloads that no shape could read, or that hold no valid lead."),
    "quarantine": ("classification.quarantine", "quarantined_at", "Model answers that broke their contract."),
    "dead-letters": ("delivery.dead_letters", "died_at", "Deliveries that were given up."),
}
"""Name in the URL → table, the column that it is sorted by, and what it holds."""
_KINDS = {
    "rejects": {"campaign": "campaign_id", "reason": "code"},
    "quarantine": {"campaign": "campaign_id", "reason": "code"},
    "dead-letters": {"campaign": "campaign_id", "reason": "reason", "to": "destination"},
}
"""Queue → word in the URL → the column that it is about: what is replayed together."""
MOST_OF_A_CLUSTER = 50
_JOINS = {
    "s": " LEFT JOIN scoring.scores AS s ON s.campaign_id = l.campaign_id AND s.lead_id = l.lead_id",
    "d": " LEFT JOIN routing.decisions AS d ON d.campaign_id = l.campaign_id AND d.lead_id = l.lead_id",
}


@dataclass(frozen=True)
class LeadsWanted:
    """A page of leads as a URL asks for it. `values` by name of FILTERS; `after`: the cursor of the page before; `columns`: names of `choosing.choices`."""

    values: dict[str, str]
    search: str = ""
    sort: str = "received"
    after: str = ""
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class LeadsPage:
    """`total`: leads that meet the filters. `following`: the cursor of the next page, empty on the last one. `facets`: by name of FILTERS, the most frequent
    values among these leads and how many have each; empty without the copy in memory."""

    rows: list[dict[str, Any]]
    total: int
    following: str
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """One person: `members` and what people decided, each lead with its row of identity.leads as far as it is there; `size`: all members."""

    person: str | None
    members: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    size: int


def campaigns(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of marts.campaign_funnel."""
    return ask(warehouse, "SELECT * FROM marts.campaign_funnel ORDER BY campaign_id").to_dicts()


def filters_of(warehouse: Warehouse, listing: Listing | None = None) -> tuple[list[str], list[str]]:
    """The campaigns and the tiers that leads can be filtered by."""
    if listing is not None and listing.is_ready:
        return listing.different("campaign_id"), listing.different("tier")
    tiers = ask(warehouse, "SELECT DISTINCT tier FROM scoring.scores ORDER BY tier")["tier"].to_list()
    return [row["campaign_id"] for row in campaigns(warehouse)], tiers


def leads(warehouse: Warehouse, wanted: LeadsWanted, *, pii: bool, listing: Listing | None = None) -> LeadsPage:
    """A page of leads. Without `pii`, a search looks at no personal data. Raises ValueError for a cursor that is not one."""
    found = _listed(listing, wanted, pii=pii) if listing is not None and listing.is_fresh() else _asked(warehouse, wanted, pii=pii)
    _add_columns(warehouse, found.rows, wanted.columns, pii=pii)
    return found


def _add_columns(warehouse: Warehouse, rows: Sequence[dict[str, Any]], columns: Sequence[str], *, pii: bool) -> None:
    """Give the rows what else is to be shown of their leads: of each table what stands in the files of their campaigns."""
    wanted: dict[type[Table], list[str]] = {}
    for name in columns:
        if name not in LISTED:
            wanted.setdefault(choices()[name].table, []).append(name)
    by_lead = {(row["campaign_id"], row["lead_id"]): row for row in rows}
    for contract, names in wanted.items():
        for row in rows:
            row.update(dict.fromkeys(names))
        made = set(warehouse.partitions(contract))
        campaigns = sorted({campaign for campaign, _ in by_lead} & made)
        if not campaigns:
            continue
        some = f" WHERE lead_id IN ({', '.join(literal(lead) for _, lead in by_lead)})" if len(by_lead) <= _FEW else ""
        sql = f"SELECT campaign_id, lead_id, {', '.join(names)} FROM {contract.table}{some}"
        with contextlib.suppress(PartitionMissing):  # made again at this moment: the next page has it
            for more in ask(warehouse, sql, pii=pii, partitions=campaigns).iter_rows(named=True):
                by_lead.get((more["campaign_id"], more["lead_id"]), {}).update(more)


def _listed(listing: Listing, wanted: LeadsWanted, *, pii: bool) -> LeadsPage:
    _, _, order, by = SORTS[wanted.sort]
    where, values = _in_the_copy(wanted, pii=pii)
    total, counted = listing.counted([FILTERS[name][1] for name in FACETS], _where(where), values, MOST_OF_A_FACET)
    facets = {name: counts for name in FACETS if (counts := counted[FILTERS[name][1]])}
    if wanted.after:
        text, campaign, lead_id = _unpacked(wanted.after)
        value = datetime.fromisoformat(text) if by == "received_at" else float(text) if by == "by_score" else text
        sign = "<" if order == "DESC" else ">"
        # Not as a comparison of rows, which DuckDB makes one by one.
        where.append(f"({by} {sign} ? OR ({by} = ? AND (campaign_id {sign} ? OR (campaign_id = ? AND lead_id {sign} ?))))")
        values += [value, value, campaign, campaign, lead_id]
    sorting = [f"{name} {order}" for name in (by, "campaign_id", "lead_id")]
    found = listing.page(_where(where), values, sorting, PAGE + 1, pii=pii)
    page = found[:PAGE]
    following = ""
    if len(found) > PAGE:
        last = page[-1]
        following = _packed(last["sorted_by"], last["campaign_id"], last["lead_id"])
    return LeadsPage(page, total, following, facets)


def _in_the_copy(wanted: LeadsWanted, *, pii: bool) -> tuple[list[str], list[Any]]:
    where = [f"{FILTERS[name][1]} = ?" for name, value in wanted.values.items() if value]
    values: list[Any] = [value for value in wanted.values.values() if value]
    if wanted.search:
        where.append(f"CONTAINS({'searched_with_pii' if pii else 'searched'}, ?)")
        values.append(wanted.search.lower())
    return where, values


def names_of_all(
    warehouse: Warehouse, wanted: LeadsWanted, most: int, *, pii: bool, listing: Listing | None = None
) -> list[tuple[str, str]]:
    """campaign_id and lead_id of the leads that meet the filters, in their order, at most so many."""
    _, by, order, copied = SORTS[wanted.sort]
    if listing is not None and listing.is_fresh():
        where, values = _in_the_copy(wanted, pii=pii)
        sorting = [f"{name} {order}" for name in (copied, "campaign_id", "lead_id")]
        return [(row["campaign_id"], row["lead_id"]) for row in listing.names(_where(where), values, sorting, most)]
    where, used = _conditions(wanted, pii=pii)
    used |= {"s"} if "s.score" in by else set()
    sql = (
        f"SELECT l.campaign_id, l.lead_id FROM identity.leads AS l{_joined(used)} {_where(where)} "
        f"ORDER BY {by} {order}, l.campaign_id {order}, l.lead_id {order} LIMIT {most}"
    )
    return list(ask(warehouse, sql, pii=pii).iter_rows())


def these_leads(warehouse: Warehouse, names: Sequence[tuple[str, str]], columns: Sequence[str], *, pii: bool) -> list[dict[str, Any]]:
    """Rows of the list for leads that somebody ticked; those that are gone are not among them."""
    rows = _rows(warehouse, names, pii=pii)
    _add_columns(warehouse, rows, columns, pii=pii)
    return rows


def leads_file(warehouse: Warehouse, listing: Listing, wanted: LeadsWanted, columns: Sequence[str], *, pii: bool) -> bytes:
    """The leads that meet the filters, in their order, as CSV, at most MOST_IN_A_FILE leads, formulas neutralised: who it is and `columns`, or those of the
    list."""
    _, _, order, by = SORTS[wanted.sort]
    where, values = _in_the_copy(wanted, pii=pii)
    found = listing.page(_where(where), values, [f"{name} {order}" for name in (by, "campaign_id", "lead_id")], MOST_IN_A_FILE, pii=pii)
    _add_columns(warehouse, found, columns, pii=pii)
    return file_of(found, columns)


def file_of(found: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    """Rows of the list as CSV."""
    names = list(dict.fromkeys([*_WHO, *columns])) if columns else list(LISTED)
    schema = {name: choices()[name].spec.dtype for name in names}
    return encode(pl.DataFrame([{name: row.get(name) for name in names} for row in found], schema=schema), "csv")


def _asked(warehouse: Warehouse, wanted: LeadsWanted, *, pii: bool) -> LeadsPage:
    _, by, order, _ = SORTS[wanted.sort]
    where, used = _conditions(wanted, pii=pii)
    condition = f" {_where(where)}"
    total = ask(warehouse, f"SELECT COUNT(*) AS n FROM identity.leads AS l{_joined(used)}{condition}", pii=pii)["n"][0]
    if wanted.after:
        value, campaign, lead_id = _unpacked(wanted.after)
        typed = {"received_at": f"CAST({literal(value)} AS TIMESTAMPTZ)", "score": f"CAST({literal(value)} AS DOUBLE)"}
        said = next((sql for name, sql in typed.items() if name in by), literal(value))
        where.append(
            f"({by}, l.campaign_id, l.lead_id) {'<' if order == 'DESC' else '>'} ({said}, {literal(campaign)}, {literal(lead_id)})"
        )
        condition = f" {_where(where)}"
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


def _conditions(wanted: LeadsWanted, *, pii: bool) -> tuple[list[str], set[str]]:
    """Conditions in SQL, and the tables that they use beside the leads."""
    where = [f"{FILTERS[name][0]}.{FILTERS[name][1]} = {literal(value)}" for name, value in wanted.values.items() if value]
    if wanted.search:
        columns = ("l.lead_id", "l.company", "l.company_domain", *(("l.full_name", "l.email_normalized") if pii else ()))
        where.append("(" + " OR ".join(f"STRPOS(LOWER({name}), {literal(wanted.search.lower())}) > 0" for name in columns) + ")")
    return where, {FILTERS[name][0] for name, value in wanted.values.items() if value}


def _rows(warehouse: Warehouse, ids: Sequence[tuple[str, str]], *, pii: bool) -> list[dict[str, Any]]:
    if not ids:
        return []
    pairs = ", ".join(f"({literal(campaign)}, {literal(lead)})" for campaign, lead in ids)
    among = ", ".join(sorted({literal(campaign) for campaign, _ in ids}))
    these = f"WHERE campaign_id IN ({among}) AND (campaign_id, lead_id) IN ({pairs})"
    columns = "campaign_id, lead_id, received_at, full_name, name_first, name_last, email_normalized, company, company_domain, title, country_code"
    found = _dicts(warehouse, f"SELECT {columns} FROM identity.leads {these}", pii)
    rows = {(row["campaign_id"], row["lead_id"]): dict.fromkeys(LISTED) | row for row in found}
    for more in ("score, tier FROM scoring.scores", "owner, path FROM routing.decisions"):
        for row in _dicts(warehouse, f"SELECT campaign_id, lead_id, {more} {these}", pii):
            rows.get((row["campaign_id"], row["lead_id"]), {}).update(row)
    return [rows[each] for each in ids if each in rows]


def kept_instead(warehouse: Warehouse, campaign: str, lead: str) -> str | None:
    """The lead whose duplicate this one is."""
    sql = f"SELECT duplicate_of FROM identity.duplicates WHERE {_is(campaign, lead)} AND duplicate_of <> lead_id ORDER BY received_at DESC LIMIT 1"
    return next((row["duplicate_of"] for row in _dicts(warehouse, sql, False)), None)


def signal_values(enriched: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Signal → what was found, by column, of a row of signals.enriched_leads."""
    common = {column.name for column in SignalRow.columns()}
    tables = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
    return {
        contract.table_name(): {
            column.name: enriched[column.name]
            for column in contract.columns()
            if column.name not in common and enriched.get(column.name) is not None
        }
        for contract in tables
    }


def similar_accounts(warehouse: Warehouse, campaign: str, account: str) -> list[dict[str, Any]]:
    """Rows of lookalike.similarities, the most similar first."""
    where = f"campaign_id = {literal(campaign)} AND account_key = {literal(account)}"
    return _of_campaign(warehouse, f"SELECT * FROM lookalike.similarities WHERE {where} ORDER BY rank", SimilarAccount, campaign)


def cluster(warehouse: Warehouse, ledger: Ledger, campaign: str, lead: str, *, pii: bool) -> Cluster:
    """The leads of any campaign that are the same person as this one, by the register, and what people decided about it."""
    member, register = f"{campaign}/{lead}", ledger.identities
    row = next(iter(register.known("person", [member])), None)
    if row is None:
        return Cluster(None, [], [], 0)
    members = [each.member for each in register.members("person", [row[1]])]
    decided = [each for each in register.decisions("person") if member in (each.one, each.other)]
    shown = members[:MOST_OF_A_CLUSTER]
    by_campaign: dict[str, list[str]] = {}
    for each in {*shown, *(other for pair in decided[:MOST_OF_A_CLUSTER] for other in (pair.one, pair.other))}:
        name, _, its_lead = each.partition("/")
        by_campaign.setdefault(name, []).append(its_lead)
    rows: dict[str, dict[str, Any]] = {}
    for name, ids in by_campaign.items():
        among = ", ".join(literal(each) for each in ids)
        sql = (
            f"SELECT campaign_id, lead_id, full_name, email_normalized, company, received_at FROM identity.leads WHERE lead_id IN ({among})"
        )
        rows |= {f"{found['campaign_id']}/{found['lead_id']}": found for found in _of_campaign(warehouse, sql, Lead, name, pii=pii)}
    missing = {"full_name": None, "email_normalized": None, "company": None, "received_at": None}

    def of(each: str) -> dict[str, Any]:
        name, _, its_lead = each.partition("/")
        return rows.get(each, {"campaign_id": name, "lead_id": its_lead, **missing}) | {"member": each}

    decisions = [{"other": of(each.other if each.one == member else each.one), "same": each.same} for each in decided[:MOST_OF_A_CLUSTER]]
    return Cluster(row[1], [of(each) for each in shown], decisions, len(members))


def _of_campaign(warehouse: Warehouse, sql: str, contract: type[Table], campaign: str, *, pii: bool = True) -> list[dict[str, Any]]:
    """Rows of a SELECT over one table of one campaign; none if it was never made."""
    try:
        rows = warehouse.query(sql, [contract], [campaign]).to_dicts()
    except PartitionMissing:
        return []
    return rows if pii else [masked_row(contract, row) for row in rows]


def queue(warehouse: Warehouse, name: str, page: int, *, pii: bool) -> tuple[list[dict[str, Any]], bool]:
    """Rows of a queue, newest first, and whether there are more. `page` counts from 1."""
    table, by, _ = QUEUES[name]
    keys = ", ".join(("campaign_id", *(column for column in ("drop_sha256", "position", "part", "lead_id") if column in _columns(table))))
    sql = f"SELECT * FROM {table} ORDER BY {by} DESC, {keys} LIMIT {PAGE + 1} OFFSET {(page - 1) * PAGE}"
    rows = list(_dicts(warehouse, sql, pii))
    return rows[:PAGE], len(rows) > PAGE


def queue_sizes(warehouse: Warehouse) -> dict[str, int]:
    return {name: ask(warehouse, f"SELECT COUNT(*) AS n FROM {table}")["n"][0] for name, (table, *_) in QUEUES.items()}


def queue_kinds(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    """campaign, reason, to (dead letters only) and how many of a queue's rows are of that kind, most first: what can be replayed together."""
    table, *_ = QUEUES[name]
    columns = _KINDS[name]
    said = ", ".join(f"{column} AS {word}" for word, column in columns.items())
    sql = f"SELECT {said}, COUNT(*) AS n FROM {table} GROUP BY {', '.join(columns.values())} ORDER BY n DESC, {', '.join(columns)} LIMIT {PAGE}"
    return list(_dicts(warehouse, sql, False))


def queued(warehouse: Warehouse, name: str, given: Mapping[str, str]) -> int:
    """How many of a queue's rows are of a kind."""
    where = " AND ".join(f"{column} = {literal(given[word])}" for word, column in _KINDS[name].items())
    count: int = ask(warehouse, f"SELECT COUNT(*) AS n FROM {QUEUES[name][0]} WHERE {where}")["n"][0]
    return count


def size_of(warehouse: Warehouse, campaign: str) -> int:
    """How many leads a campaign has."""
    count: int = warehouse.query("SELECT COUNT(*) AS n FROM identity.leads", [Lead], [campaign])["n"][0]
    return count


def spend(warehouse: Warehouse, days: int = 30) -> list[dict[str, Any]]:
    """day and usd of the newest days on which something was spent, oldest first."""
    sql = f"SELECT day, SUM(cost_usd) AS usd FROM marts.spend_by_day GROUP BY day ORDER BY day DESC LIMIT {days}"
    return list(_dicts(warehouse, sql, False))[::-1]


def throughput(warehouse: Warehouse, hours: int = 48) -> list[dict[str, Any]]:
    """hour and leads that arrived in it, of the hours up to the newest with a lead, oldest first."""
    sql = (
        "SELECT DATE_TRUNC('hour', received_at) AS hour, COUNT(*) AS leads FROM intake.raw_leads "
        f"GROUP BY DATE_TRUNC('hour', received_at) ORDER BY hour DESC LIMIT {hours}"
    )
    counted = {row["hour"]: row["leads"] for row in _dicts(warehouse, sql, False)}
    if not counted:
        return []
    each = [max(counted) - timedelta(hours=back) for back in range(hours)]
    return [{"hour": hour, "leads": counted.get(hour, 0)} for hour in reversed(each)]


def coverage(warehouse: Warehouse) -> list[dict[str, Any]]:
    """signal, leads, found, failed and stale over all campaigns, by name."""
    sums = ", ".join(f"SUM({name}) AS {name}" for name in ("leads", "found", "not_found", "not_worth_it", "failed", "stale"))
    return list(_dicts(warehouse, f"SELECT signal, {sums} FROM marts.signal_coverage GROUP BY signal ORDER BY signal", False))


def first_touch(warehouse: Warehouse) -> list[dict[str, Any]]:
    """owner, leads, touched, waiting, breaches and the longest wait in minutes, over all campaigns; most breaches first."""
    sql = (
        "SELECT owner, SUM(leads) AS leads, SUM(touched) AS touched, SUM(waiting) AS waiting, SUM(breaches) AS breaches, "
        "MAX(longest_minutes) AS longest_minutes FROM marts.time_to_first_touch GROUP BY owner ORDER BY breaches DESC, waiting DESC, owner LIMIT 20"
    )
    return list(_dicts(warehouse, sql, False))


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


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _joined(used: set[str]) -> str:
    return "".join(join for name, join in _JOINS.items() if name in used)


def _packed(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([str(value) for value in values])).decode().rstrip("=")


def _unpacked(cursor: str) -> tuple[str, str, str]:
    value, campaign, lead_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    return str(value), str(campaign), str(lead_id)

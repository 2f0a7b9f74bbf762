"""The answers of `lead-assets route`, `reroute` and `owners`.

Does not belong here: routing (see `lead_assets.routing`), or printing (see `show_routed`).
"""

from __future__ import annotations

import csv
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from lead_assets.core.document import read_bytes
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord, unknown
from lead_assets.ledger.assignments_model import LeadToRoute, Move, Moved
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.opened import opened_ledger
from lead_assets.routing import explain as explaining
from lead_assets.routing import moving
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.stored import chosen_again, tried, with_scores
from lead_assets.routing.table import ROUTING, content_of, load_routing_table, table_from
from lead_assets.stores.opened import campaigns_of, warehouse_of

_SHOWN = 20
"""Leads that an answer lists; it counts them all."""


def explain(settings: Settings, lead_id: str, campaigns: Sequence[str] | None) -> dict[str, Any]:
    """Why a lead has its owner. Raises UnknownWord for a lead that was not routed, or one of several campaigns."""
    with opened_ledger(settings) as ledger:
        routed = ledger.routed(campaigns_of(settings, campaigns)).filter(pl.col("lead_id") == lead_id)
        if routed.is_empty():
            raise UnknownWord(f"no lead '{lead_id}' was routed: see the column lead_id of routing.decisions, and --campaign")
        if routed.height > 1:
            raise UnknownWord(
                f"'{lead_id}' is a lead of {routed.height} campaigns ({', '.join(sorted(routed['campaign_id']))}): add --campaign"
            )
        row = routed.row(0, named=True)
        way = orjson.loads(ledger.ways([row["way"]])[row["way"]])
        content = ledger.routing_table(way["table"]) if way.get("table") else None
        changes = ledger.owner_history(row["account_key"])
        account = ledger.assigned([row["account_key"]]).get(row["account_key"])
    rules = explaining.on_the_way(way, table_from(content)) if content is not None else []
    return {
        "campaign_id": row["campaign_id"],
        "lead_id": lead_id,
        "account_key": row["account_key"],
        "owner": row["owner"],
        "team": way.get("team"),
        "path": way.get("path"),
        "authority": way["authority"],
        "rule": way["territory"],
        "reason": way["reason"],
        "assigned_at": row["routed_at"],
        "sla_due_at": row["due_at"],
        "passed_over": way.get("passed_over", []),
        "tried": rules,
        "routing_table": way.get("table"),
        "routing_table_in_force": content_of(settings)[0],
        "account_owner": account.owner if account is not None else None,
        "changes": [change._asdict() for change in changes if change.lead_id in (None, lead_id)],
    }


def what_if(settings: Settings, rules: Path, campaigns: Sequence[str] | None) -> dict[str, Any]:
    """What another routing file would have done with the leads that were routed."""
    table = ROUTING.parse(read_bytes(rules.read_bytes(), str(rules)))
    with opened_ledger(settings) as ledger:
        return {"rules": str(rules), **tried(settings, warehouse_of(settings), ledger, table, campaigns)}


def reroute(
    settings: Settings, *, campaigns: Sequence[str] | None, owner: str | None, why: str, by: str | None, dry_run: bool
) -> dict[str, Any]:
    """Choose again, by the rules in force, for the open leads of campaigns or of an owner."""
    move = Move("reroute", _who(by), why)
    with opened_ledger(settings) as ledger:
        if owner is not None:
            _known_owner(ledger, settings, owner)
        moved = _rerouted(settings, ledger, campaigns, owner, move, dry_run=dry_run)
    return _moves(moved, dry_run=dry_run) | {"campaigns": list(campaigns or []), "owner": owner}


def leave(settings: Settings, owner: str, *, to: str | None, why: str, by: str | None, dry_run: bool) -> dict[str, Any]:
    """Move everything that a leaver has: to one person, or by the rules in force, which must not give them leads any more."""
    table = load_routing_table(settings)
    move = Move("leave", _who(by), why)
    person = table.people.get(owner)
    if to is None and person is not None and person.active and not person.left:
        raise UnknownWord(
            f"'{owner}' still gets leads by routing.yaml: set left: true there first, so that the rules choose others, or name one with --to"
        )
    with opened_ledger(settings) as ledger:
        _known_owner(ledger, settings, owner)
        accounts = ledger.accounts_of(owner)
        if to is not None:
            moving.check_receiver(to, table)
            moved = _given(ledger, table, settings, owner, to, move, dry_run=dry_run)
        else:
            moved = _rerouted(settings, ledger, None, owner, move, dry_run=dry_run)
            if not dry_run:
                for account in ledger.accounts_of(owner):
                    ledger.release_account(account, move)
    return _moves(moved, dry_run=dry_run) | {"owner": owner, "to": to, "accounts": len(accounts)}


def transfer(settings: Settings, account: str, to: str, *, why: str, by: str | None) -> dict[str, Any]:
    """Give an account and its open leads to somebody."""
    table = load_routing_table(settings)
    moving.check_receiver(to, table)
    move = Move("transfer", _who(by), why)
    with opened_ledger(settings) as ledger:
        _known_account(ledger, account)
        way = moving.way_of(move, to, table, content_of(settings)[0])
        moved = ledger.transfer(account, to, move, way)
    return _moves(moved, dry_run=False) | {"account": account, "to": to}


def release(settings: Settings, account: str, *, why: str, by: str | None) -> dict[str, Any]:
    """Take an account from its owner: its next lead decides anew."""
    with opened_ledger(settings) as ledger:
        _known_account(ledger, account)
        before = ledger.release_account(account, Move("release", _who(by), why))
    return {"account": account, "before": before}


def history(settings: Settings, account: str) -> dict[str, Any]:
    """Who owns an account, and every change."""
    with opened_ledger(settings) as ledger:
        _known_account(ledger, account)
        held = ledger.assigned([account]).get(account)
        changes = ledger.owner_history(account)
    owner = None if held is None else {"owner": held.owner, "since": held.assigned_at, "because": held.reason}
    return {"account": account, "owner": owner, "changes": [change._asdict() for change in changes]}


def people(settings: Settings) -> dict[str, Any]:
    """Everybody who can own leads: open leads, accounts, and whether they get new ones."""
    table = load_routing_table(settings)
    with opened_ledger(settings) as ledger:
        routed = ledger.routed_ever()
        now = ledger.now()
        accounts = {owner: len(ledger.accounts_of(owner)) for owner in table.people}
    open_leads = routed.filter(pl.col("closed_at").is_null(), pl.col("routed_at") >= now - table.open_for)
    counted = dict(open_leads.group_by("owner").len().iter_rows())
    rows = []
    for person in table.owners:
        away = person.calendar.away_until(now)
        state = "left" if person.left else "inactive" if not person.active else f"away until {away}" if away is not None else "active"
        limit = None if person.capacity is None else person.capacity.open
        rows.append({"owner": person.id, "state": state, "open": counted.get(person.id, 0), "most": limit, "accounts": accounts[person.id]})
    unknown_owners = sorted(set(counted) - set(table.people))
    return {"owners": rows, "not_in_the_table": [{"owner": owner, "open": counted[owner]} for owner in unknown_owners]}


def import_crm(settings: Settings, file: Path) -> dict[str, Any]:
    """Record who owns accounts in the CRM, and which are customers: a CSV with account (a domain or an account key), owner, customer.

    Raises ValueError for a file without these columns.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        names = {name.strip().lower(): name for name in reader.fieldnames or ()}
        key = next((names[name] for name in ("account", "account_key", "domain") if name in names), None)
        if key is None or not {"owner", "customer"} & set(names):
            raise ValueError(f"{file}: it needs a column account (or domain), and owner, customer or both: name them so in the first line")
        lines = [line for line in reader if line[key]]
    accounts = _accounts([line[key].strip() for line in lines])
    rows = [
        (account, _text(line, names.get("owner")), _yes(line, names.get("customer"))) for account, line in zip(accounts, lines, strict=True)
    ]
    with opened_ledger(settings) as ledger:
        ledger.note_crm(rows)
    return {
        "path": str(file),
        "accounts": len(rows),
        "owners": sum(1 for row in rows if row[1]),
        "customers": sum(1 for row in rows if row[2]),
    }


def _accounts(texts: Sequence[str]) -> list[str]:
    """The account keys of domains, addresses of websites, or account keys."""
    from lead_assets.identity.companies import company_domains

    sites, nothing = pl.Series(texts, dtype=pl.String), pl.Series([None] * len(texts), dtype=pl.String)
    found = company_domains(sites, nothing, nothing)
    return [domain or text.lower() for domain, text in zip(found, texts, strict=True)]


def _text(line: dict[str, str], name: str | None) -> str | None:
    return (line.get(name) or "").strip() or None if name is not None else None


def _yes(line: dict[str, str], name: str | None) -> bool | None:
    text = (_text(line, name) or "").lower()
    return None if not text else text in ("yes", "true", "1", "y", "customer")


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _known_account(ledger: Ledger, account: str) -> None:
    if not ledger.assigned([account]) and not ledger.owner_history(account):
        raise UnknownWord(f"no account '{account}' has or had an owner: see the column account_key of routing.decisions")


def _known_owner(ledger: Ledger, settings: Settings, owner: str) -> None:
    if owner not in load_routing_table(settings).people and ledger.routed_of(owner).is_empty() and not ledger.accounts_of(owner):
        raise unknown("no owner", owner, load_routing_table(settings).people)


def _rerouted(
    settings: Settings, ledger: Ledger, campaigns: Sequence[str] | None, owner: str | None, move: Move, *, dry_run: bool
) -> list[Moved]:
    routed = ledger.routed_of(owner) if owner is not None else ledger.routed(campaigns_of(settings, campaigns))
    warehouse = warehouse_of(settings)
    return chosen_again(settings, warehouse, ledger, routed, with_scores(settings, warehouse, campaigns), move, dry_run=dry_run)


def _given(ledger: Ledger, table: RoutingTable, settings: Settings, owner: str, to: str, move: Move, *, dry_run: bool) -> list[Moved]:
    way = moving.way_of(move, to, table, content_of(settings)[0])
    theirs = ledger.routed_of(owner).filter(pl.col("closed_at").is_null())
    leads = [LeadToRoute(*row) for row in theirs.select("campaign_id", "lead_id", "account_key").iter_rows()]
    if dry_run:
        return [Moved(*lead, owner, to) for lead in leads]
    return ledger.hand_over(owner, to, move, way)


def _moves(moved: Sequence[Moved], *, dry_run: bool) -> dict[str, Any]:
    counted: dict[tuple[str, str], int] = {}
    for each in moved:
        counted[each.before, each.after] = counted.get((each.before, each.after), 0) + 1
    return {
        "dry_run": dry_run,
        "moved": len(moved),
        "between": [{"before": before, "after": after, "leads": leads} for (before, after), leads in sorted(counted.items())],
        "campaigns_moved": sorted({each.campaign_id for each in moved}),
        "leads": [each._asdict() for each in moved[:_SHOWN]],
    }

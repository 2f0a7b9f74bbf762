"""Who owns each lead and account, chosen and kept in one transaction, so that pools stay fair and full people stay full with any number of processes.

Does not belong here: whom to choose (see `lead_assets.routing`, whose `Choose` runs inside the transaction).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.assignments_model import (
    Assignment,
    Change,
    Choose,
    Chosen,
    Held,
    InCrm,
    LeadToRoute,
    Load,
    Move,
    Moved,
    RoutingState,
    Since,
)
from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.schema import assignments, crm_accounts, identities, owner_changes, rotas, routed_leads, routing_tables, ways

if TYPE_CHECKING:
    import polars as pl


_ASSIGNMENT = ("account_key", "owner", "territory", "rule", "reason", "fallback", "lead_id", "campaign_id", "assigned_at")


def route(tx: Tx, leads: Sequence[LeadToRoute], choose: Choose, table: tuple[str, str]) -> None:
    """Give an owner to each lead that has none. `table`: the digest and content of the routing table in use."""
    has_owner = _routed(tx, leads)
    new = [index for index, lead in enumerate(leads) if (lead.campaign_id, lead.lead_id) not in has_owner]
    if new:
        accounts = {leads[index].account_key for index in new}
        _keep(tx, leads, choose(_standing(tx, accounts), new), table)


def _routed(tx: Tx, leads: Sequence[LeadToRoute]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for campaign, ids in _by_campaign(lead[:2] for lead in leads).items():
        where = (routed_leads.c.campaign_id == campaign) & tx.among(routed_leads.c.lead_id, ids)
        found |= {(campaign, row[0]) for row in tx.raw_rows(sa.select(routed_leads.c.lead_id).where(where))}
    return found


def _by_campaign(leads: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Campaign → ids of its leads."""
    found: dict[str, list[str]] = {}
    for campaign, lead in leads:
        found.setdefault(campaign, []).append(lead)
    return found


def _standing(tx: Tx, accounts: Collection[str]) -> RoutingState:
    a, c, i = assignments.c, crm_accounts.c, identities.c
    held = sa.select(a.account_key, a.owner, a.campaign_id, a.reason, a.territory, a.rule, a.fallback).where(
        tx.among(a.account_key, accounts)
    )
    crm = sa.select(c.account_key, c.owner, c.customer).where(tx.among(c.account_key, accounts))
    of_company = _of_one_company(tx, accounts)
    return RoutingState(
        now=tx.now,
        accounts=of_company.held | {row[0]: Held(row[1], row[2], row[3], row[4], row[5], bool(row[6])) for row in tx.raw_rows(held)},
        crm=of_company.crm | {row[0]: InCrm(row[1], None if row[2] is None else bool(row[2])) for row in tx.raw_rows(crm)},
        rotas=dict(tx.raw_rows(sa.select(rotas.c.name, rotas.c.state))),
        loads=lambda since: _loads(tx, since),
        companies=dict(tx.raw_rows(sa.select(i.member, i.entity_id).where(i.kind == "account", tx.among(i.member, accounts)))),
    )


class _OfCompany(NamedTuple):
    held: dict[str, Held]
    crm: dict[str, InCrm]


def _of_one_company(tx: Tx, accounts: Collection[str]) -> _OfCompany:
    """What is known of accounts by other domains and names of the same company (see `identities`): its first owner, and what the CRM says of it."""
    own, other = identities.alias(), identities.alias()
    same = sa.and_(own.c.kind == "account", other.c.kind == "account", own.c.entity_id == other.c.entity_id, own.c.member != other.c.member)
    asked = tx.among(own.c.member, accounts)
    a, c = assignments.c, crm_accounts.c
    held = (
        sa.select(own.c.member, a.owner, a.campaign_id, a.reason, a.territory, a.rule, a.fallback)
        .join_from(own, other, same)
        .join(assignments, a.account_key == other.c.member)
        .where(asked)
        # The first one comes last, and stays in the mapping.
        .order_by(a.assigned_at.desc(), a.account_key.desc())
    )
    crm = (
        sa.select(own.c.member, c.owner, c.customer)
        .join_from(own, other, same)
        .join(crm_accounts, c.account_key == other.c.member)
        .where(asked)
        .order_by(sa.func.coalesce(c.customer, sa.false()), c.account_key.desc())
    )
    return _OfCompany(
        {row[0]: Held(row[1], row[2], row[3], row[4], row[5], bool(row[6])) for row in tx.raw_rows(held)},
        {row[0]: InCrm(row[1], None if row[2] is None else bool(row[2])) for row in tx.raw_rows(crm)},
    )


def _loads(tx: Tx, since: Mapping[str, Since]) -> dict[str, Load]:
    r = routed_leads.c
    found = {}
    for owner, from_when in since.items():
        given = sa.select(sa.func.count()).where(r.owner == owner, r.routed_at >= from_when.given)
        still = sa.select(sa.func.count()).where(r.owner == owner, r.routed_at >= from_when.open, r.closed_at.is_(None))
        found[owner] = Load(tx.raw_rows(given)[0][0], tx.raw_rows(still)[0][0])
    return found


def _keep(tx: Tx, leads: Sequence[LeadToRoute], chosen: Chosen, table: tuple[str, str]) -> None:
    now = tx.now_us
    columns = ("campaign_id", "lead_id", "account_key", "owner", "way", "due_at", "routed_at", "closed_at")
    rows = [(*leads[index], owner, way, due, now, None) for index, owner, way, due in chosen.choices]
    # In the order of the key: ten thousand places in a large index cost more than the rows.
    tx.insert_all(routed_leads, columns, sorted(rows))
    given = [(a.account_key, a.owner, a.territory, a.rule, a.reason, a.fallback, a.lead_id, a.campaign_id, now) for a in chosen.accounts]
    tx.insert_all(assignments, _ASSIGNMENT, sorted(given))
    _keep_ways(tx, chosen, table)


def _keep_ways(tx: Tx, chosen: Chosen, table: tuple[str, str]) -> None:
    if chosen.ways:
        rows = [{"key": key, "said": said} for key, said in chosen.ways.items()]
        tx.execute(tx.insert(ways).on_conflict_do_nothing(), rows)
    if chosen.rotas:
        statement = tx.insert(rotas)
        newer = statement.on_conflict_do_update(index_elements=["name"], set_={"state": statement.excluded.state})
        tx.execute(newer, [{"name": name, "state": state} for name, state in chosen.rotas.items()])
    digest, content = table
    tx.execute(tx.insert(routing_tables).on_conflict_do_nothing(), [{"digest": digest, "content": content, "first_used_at": tx.now_us}])


def routed(tx: Tx, campaigns: Sequence[str]) -> pl.DataFrame:
    """All routed leads of the campaigns: campaign_id, lead_id, account_key, owner, way, due_at, routed_at, closed_at."""
    return _frame(tx, routed_leads.c.campaign_id, campaigns)


def routed_of(tx: Tx, owner: str) -> pl.DataFrame:
    """All routed leads of an owner, with the columns of `routed`."""
    return _frame(tx, routed_leads.c.owner, [owner])


def routed_ever(tx: Tx) -> pl.DataFrame:
    """All routed leads, with the columns of `routed`."""
    return _frame(tx, None, ())


def _frame(tx: Tx, column: sa.Column[Any] | None, values: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    names = ("campaign_id", "lead_id", "account_key", "owner", "way", "due_at", "routed_at", "closed_at")
    statement = sa.select(*(routed_leads.c[name] for name in names))
    rows = tx.raw_rows(statement if column is None else statement.where(tx.among(column, values)))
    times = {"due_at", "routed_at", "closed_at"}
    schema = {name: pl.Int64() if name in times else pl.String() for name in names}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in sorted(times))


def said_ways(tx: Tx, keys: Collection[str]) -> dict[str, str]:
    """How leads were routed, as JSON, by key."""
    return dict(tx.raw_rows(sa.select(ways.c.key, ways.c.said).where(tx.among(ways.c.key, keys))))


def table_content(tx: Tx, digest: str) -> str | None:
    rows = tx.rows(sa.select(routing_tables.c.content).where(routing_tables.c.digest == digest))
    return str(rows[0][0]) if rows else None


def changes_of(tx: Tx, campaigns: Sequence[str]) -> dict[str, int]:
    """Per campaign, the id of the last change of one of its leads' owners; 0 if there was none."""
    c = owner_changes.c
    statement = sa.select(c.campaign_id, sa.func.max(c.id)).where(tx.among(c.campaign_id, campaigns)).group_by(c.campaign_id)
    return dict.fromkeys(campaigns, 0) | dict(tx.raw_rows(statement))


def history(tx: Tx, account_key: str) -> list[Change]:
    """Every change of an account's owner and of its leads', oldest first."""
    c = owner_changes.c
    columns = (c.changed_at, c.kind, c.account_key, c.campaign_id, c.lead_id, c.owner_before, c.owner_after, c.changed_by, c.why)
    rows = tx.raw_rows(sa.select(*columns).where(c.account_key == account_key).order_by(c.id))
    return [Change(from_us(row[0]), *row[1:]) for row in rows]


def reroute(tx: Tx, leads: Sequence[LeadToRoute], choose: Choose, table: tuple[str, str], move: Move, *, dry_run: bool) -> list[Moved]:
    """Choose again for these open leads and their accounts, as if they had no owner. A lead that gets the same owner stays as it is.

    With `dry_run` nothing is kept.
    """
    before = _open_among(tx, leads)
    open_ones = [index for index, lead in enumerate(leads) if lead[:2] in before]
    standing = _standing(tx, {leads[index].account_key for index in open_ones})
    held = dict(standing.accounts)
    # As if they had no owner: neither the accounts, nor the leads in their owners' loads.
    standing.accounts = {}
    standing.loads = lambda since: {owner: _without(load, since[owner], before, owner) for owner, load in _loads(tx, since).items()}
    chosen = choose(standing, open_ones)
    moving = [choice for choice in chosen.choices if before[leads[choice.at][:2]][0] != choice.owner]
    moved = [Moved(*leads[choice.at], before[leads[choice.at][:2]][0], choice.owner) for choice in moving]
    if not dry_run:
        _reassign(
            tx, [each for each in chosen.accounts if each.account_key not in held or held[each.account_key].owner != each.owner], held, move
        )
        _set_owners(tx, [(*leads[choice.at][:2], choice.owner, choice.way, choice.due_us) for choice in moving])
        _keep_ways(tx, chosen, table)
        _note(tx, move, [(each.account_key, each.campaign_id, each.lead_id, each.before, each.after) for each in moved])
    return moved


def _open_among(tx: Tx, leads: Sequence[LeadToRoute]) -> dict[tuple[str, str], tuple[str, int]]:
    """Owner and time of routing of the leads that are open."""
    r = routed_leads.c
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for campaign, ids in _by_campaign(lead[:2] for lead in leads).items():
        where = (r.campaign_id == campaign) & tx.among(r.lead_id, ids) & r.closed_at.is_(None)
        found |= {(campaign, row[0]): (row[1], row[2]) for row in tx.raw_rows(sa.select(r.lead_id, r.owner, r.routed_at).where(where))}
    return found


def _without(load: Load, since: Since, leads: Mapping[tuple[str, str], tuple[str, int]], owner: str) -> Load:
    own = [routed_at for whose, routed_at in leads.values() if whose == owner]
    return Load(load.given - sum(at >= since.given for at in own), load.open - sum(at >= since.open for at in own))


def transfer(tx: Tx, account_key: str, owner: str, move: Move, way: tuple[str, str]) -> list[Moved]:
    """Give an account and its open leads to an owner. `way`: key and JSON of how. What is due stays due."""
    r = routed_leads.c
    where = (r.account_key == account_key) & r.closed_at.is_(None) & (r.owner != owner)
    rows = tx.raw_rows(sa.select(r.campaign_id, r.lead_id, r.owner, r.due_at).where(where).order_by(r.campaign_id, r.lead_id))
    moved = [Moved(row[0], row[1], account_key, row[2], owner) for row in rows]
    held = assigned(tx, [account_key])
    first = moved[0] if moved else Moved("", "", account_key, "", owner)
    assignment = _by_hand(tx, account_key, owner, move, first.campaign_id, first.lead_id)
    if account_key not in held or held[account_key].owner != owner:
        _reassign(tx, [assignment], held, move)
    _give(tx, moved, [row[3] for row in rows], way, move)
    return moved


def hand_over(tx: Tx, owner: str, to: str, move: Move, way: tuple[str, str]) -> list[Moved]:
    """Give all accounts and open leads of an owner to another. What is due stays due."""
    r = routed_leads.c
    where = (r.owner == owner) & r.closed_at.is_(None)
    rows = tx.raw_rows(sa.select(r.campaign_id, r.lead_id, r.account_key, r.due_at).where(where).order_by(r.campaign_id, r.lead_id))
    moved = [Moved(row[0], row[1], row[2], owner, to) for row in rows]
    held = assigned(tx, accounts_of(tx, owner))
    _reassign(tx, [_by_hand(tx, key, to, move, each.campaign_id, each.lead_id) for key, each in held.items()], held, move)
    _give(tx, moved, [row[3] for row in rows], way, move)
    return moved


def _by_hand(tx: Tx, account_key: str, owner: str, move: Move, campaign_id: str, lead_id: str) -> Assignment:
    return Assignment(
        account_key, owner, move.kind, move.kind, f"{move.kind} by {move.by}: {move.why}", False, lead_id, campaign_id, tx.now
    )


def _give(tx: Tx, moved: Sequence[Moved], due: Sequence[int | None], way: tuple[str, str], move: Move) -> None:
    _set_owners(tx, [(each.campaign_id, each.lead_id, each.after, way[0], when) for each, when in zip(moved, due, strict=True)])
    tx.execute(tx.insert(ways).on_conflict_do_nothing(), [{"key": way[0], "said": way[1]}])
    _note(tx, move, [(each.account_key, each.campaign_id, each.lead_id, each.before, each.after) for each in moved])


def release(tx: Tx, account_key: str, move: Move) -> str | None:
    """Take an account from its owner: its next lead decides anew, and its leads stay with whoever has them. Returns the owner it had."""
    held = assigned(tx, [account_key]).get(account_key)
    if held is None:
        return None
    tx.execute(sa.delete(assignments).where(assignments.c.account_key == account_key))
    _note(tx, move, [(account_key, None, None, held.owner, None)])
    return held.owner


def accounts_of(tx: Tx, owner: str) -> list[str]:
    """The accounts of an owner, sorted."""
    statement = sa.select(assignments.c.account_key).where(assignments.c.owner == owner).order_by(assignments.c.account_key)
    return [row[0] for row in tx.raw_rows(statement)]


def note_crm(tx: Tx, rows: Iterable[tuple[str, str | None, bool | None]], *, fill: bool = False) -> None:
    """Record what the CRM says: (account_key, owner there, whether it is a customer) each. None leaves what is known, and with `fill` so does anything."""
    c = crm_accounts.c
    statement = tx.insert(crm_accounts)
    newer = statement.excluded
    values = [{"account_key": key, "owner": owner, "customer": customer, "seen_at": tx.now_us} for key, owner, customer in rows]
    if values:
        first, second = (c, newer) if fill else (newer, c)
        kept = {"owner": sa.func.coalesce(first.owner, second.owner), "customer": sa.func.coalesce(first.customer, second.customer)}
        tx.execute(statement.on_conflict_do_update(index_elements=["account_key"], set_=kept | {"seen_at": newer.seen_at}), values)


def close(tx: Tx, ended: Iterable[tuple[str, str]], open_again: Iterable[tuple[str, str]]) -> None:
    """Record that leads, (campaign_id, lead_id) each, need nothing more from their owner: they count as open no longer, and stay where they are. Those that
    are open again count once more."""
    r = routed_leads.c
    for leads, changes, closed_at in ((ended, r.closed_at.is_(None), tx.now_us), (open_again, r.closed_at.is_not(None), None)):
        for campaign, ids in _by_campaign(leads).items():
            where = (r.campaign_id == campaign) & tx.among(r.lead_id, ids) & changes
            tx.execute(sa.update(routed_leads).where(where).values(closed_at=closed_at))


def assigned(tx: Tx, account_keys: Sequence[str]) -> dict[str, Assignment]:
    """The owners of the given accounts, where there is one."""
    a = assignments.c
    columns = (a.account_key, a.owner, a.territory, a.rule, a.reason, a.fallback, a.lead_id, a.campaign_id, a.assigned_at)
    rows = tx.raw_rows(sa.select(*columns).where(tx.among(a.account_key, account_keys)))
    return {r[0]: Assignment(r[0], r[1], r[2], r[3], r[4], bool(r[5]), r[6], r[7], from_us(r[8])) for r in rows}


def _reassign(tx: Tx, given: Sequence[Assignment], held: Mapping[str, Held | Assignment], move: Move) -> None:
    tx.execute(sa.delete(assignments).where(tx.among(assignments.c.account_key, [each.account_key for each in given])))
    rows = [(a.account_key, a.owner, a.territory, a.rule, a.reason, a.fallback, a.lead_id, a.campaign_id, tx.now_us) for a in given]
    tx.insert_all(assignments, _ASSIGNMENT, rows)
    _note(tx, move, [(a.account_key, None, None, held[a.account_key].owner if a.account_key in held else None, a.owner) for a in given])


def _set_owners(tx: Tx, rows: Sequence[tuple[str, str, str, str, int | None]]) -> None:
    if not rows:
        return
    r = routed_leads.c
    statement = sa.update(routed_leads).where(r.campaign_id == sa.bindparam("of_campaign"), r.lead_id == sa.bindparam("of_lead"))
    names = ("of_campaign", "of_lead", "owner", "way", "due_at")
    values = [dict(zip(names, row, strict=True)) | {"routed_at": tx.now_us} for row in rows]
    setting: dict[str, Any] = {name: sa.bindparam(name) for name in ("owner", "way", "due_at", "routed_at")}
    tx.execute(statement.values(setting), values)


def _note(tx: Tx, move: Move, rows: Sequence[tuple[str, str | None, str | None, str | None, str | None]]) -> None:
    last = tx.raw_rows(sa.select(sa.func.coalesce(sa.func.max(owner_changes.c.id), 0)))[0][0]
    columns = ("id", "changed_at", "kind", "account_key", "campaign_id", "lead_id", "owner_before", "owner_after", "changed_by", "why")
    tx.insert_all(
        owner_changes, columns, [(last + n, tx.now_us, move.kind, *row, move.by, move.why) for n, row in enumerate(rows, start=1)]
    )

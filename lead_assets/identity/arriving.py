"""Companies of leads that have just arrived: which known account each is, before its leads are routed, so that they inherit the account's owner.

The home-wide tables come after the campaigns, and an owner is for good. So a campaign's new companies are compared with the known ones at once, by the same
keys and weights, and with each other, and registered; the next run of the home-wide tables looks at all of them together.
"""

from __future__ import annotations

import polars as pl

from lead_assets.identity.naming import named
from lead_assets.identity.records import ACCOUNT_COLUMNS, RecordKind, account_kind, account_members, account_records
from lead_assets.identity.rules import IdentityRules
from lead_assets.identity.standing import Weighing, linked_again
from lead_assets.ledger.identities import Identities


def introduce(leads: pl.DataFrame, rules: IdentityRules, register: Identities, known: pl.DataFrame) -> int:
    """Register the companies of `leads` (columns of identity.leads) that are a known account (`known`: rows of identity.account_members), or that are one
    with another one of them. Returns how many."""
    records = account_records(leads)
    registered = {row[0] for row in register.known("account", records["member"].to_list())}
    new = records.filter(~pl.col("member").is_in(list(registered)))
    kind = account_kind(rules)
    found = _accounts_of(new, known, kind, register) if new.height and known.height else []
    register.record("account", found)
    together = _together(new.filter(~pl.col("member").is_in([row[0] for row in found])), kind, register)
    rows = [row[:2] for row in register.known("account", records["member"].to_list())]
    companies = pl.DataFrame(rows, schema={"member": pl.String, "entity_id": pl.String}, orient="row")
    with_alias(leads.with_columns(company=account_members(leads)), companies, register)
    return len(found) + together


def with_alias(leads: pl.DataFrame, companies: pl.DataFrame, register: Identities) -> None:
    """Register the account keys of people without a company domain, whose company's name belongs to an account with a domain, as that account's: ownership asks
    by account key. `leads`: account_key, company (member); `companies`: member, entity_id."""
    alone = leads.filter(pl.col("account_key").str.starts_with("person:") & pl.col("company").str.starts_with("name:"))
    wanted = alone.select("account_key", member="company").join(companies.select("member", "entity_id"), on="member").unique("account_key")
    if wanted.is_empty():
        return
    entities = wanted["entity_id"].unique().to_list()
    with_domain = {row.entity_id: row.since for row in register.members("account", entities) if ":" not in row.member}
    known = {row[0]: row[1] for row in register.known("account", wanted["account_key"].to_list())}
    rows = [
        (key, entity, with_domain[entity])
        for key, entity in wanted.select("account_key", "entity_id").sort("account_key").iter_rows()
        if entity in with_domain and known.get(key) != entity
    ]
    register.record("account", rows)


def _accounts_of(new: pl.DataFrame, known: pl.DataFrame, kind: RecordKind, register: Identities) -> list[tuple[str, str, int]]:
    """Member, account and since when, of the new companies that are a known one: the likeliest."""
    together = pl.concat([known.select("member", *_OF_TABLE), new.select("member", *_OF_TABLE)])
    nodes = together.with_columns(place=pl.coalesce("country", "city", "postcode"))
    pairs = _pairs(nodes, known.height, kind)
    weighed = Weighing(nodes, kind).weigh(pairs["known"].to_numpy(), pairs["new"].to_numpy(), at_least=kind.accept)
    members = nodes["member"]
    apart = {frozenset((each.one, each.other)) for each in register.decisions("account") if not each.same}
    account_of = dict(known.select("member", "account_id").iter_rows())
    since = {row.entity_id: row.since for row in register.members("account", list(set(account_of.values())))} if weighed.height else {}
    found: dict[str, tuple[str, str, int]] = {}
    for left, right, _ in weighed.sort("weight", "row_l", "row_r", descending=[True, False, False]).iter_rows():
        one, other = members[left], members[right]
        account = account_of[one]
        if other not in found and account in since and frozenset((one, other)) not in apart:
            found[other] = (other, account, since[account])
    return sorted(found.values())


def _together(new: pl.DataFrame, kind: RecordKind, register: Identities) -> int:
    """Register the new companies that are one with another new one. Returns how many."""
    if new.height < 2:
        return 0
    members = linked_again(new, kind, register.decisions("account"), None).members
    several = members.filter(pl.len().over("cluster") > 1)
    return named(several, "account", register, None).height if several.height else 0


_OF_TABLE = [name for name in ACCOUNT_COLUMNS if name != "place"]


def _pairs(nodes: pl.DataFrame, known: int, kind: RecordKind) -> pl.DataFrame:
    """Columns known, new: rows that share a key which is not too vague."""
    found = [pl.DataFrame(schema={"known": pl.Int64, "new": pl.Int64})]
    for exprs in kind.keys.values():
        keyed = nodes.select(pl.concat_str(exprs, separator="\x1f").alias("key"), row=pl.int_range(pl.len())).drop_nulls()
        keyed = keyed.filter(pl.len().over("key") <= kind.largest)
        old, new = keyed.filter(pl.col("row") < known), keyed.filter(pl.col("row") >= known)
        found.append(new.join(old, on="key", suffix="_old").select(known="row_old", new="row"))
    return pl.concat(found).unique().sort("known", "new")

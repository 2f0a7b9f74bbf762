"""Who is who over all campaigns: people and accounts, from all leads and what is known of before.

Belongs here: putting the tables together. Does not belong here: linking (`standing`), ids (`naming`), or what is compared (`records`).
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lead_assets.contracts.who import AccountMember, IdentityLink, KnownAccount, KnownPerson, PersonLead, VagueKey
from lead_assets.identity.arriving import with_alias
from lead_assets.identity.naming import named
from lead_assets.identity.records import (
    RecordKind,
    account_kind,
    account_members,
    account_records,
    member_keys,
    person_kind,
    person_records,
)
from lead_assets.identity.rules import IdentityRules
from lead_assets.identity.standing import Clusters, KnownLinks, linked_again
from lead_assets.ledger.identities import EntityKind, Identities


class Before(NamedTuple):
    """The stored tables, if the same code and rules made them."""

    person_leads: pl.DataFrame
    account_members: pl.DataFrame
    links: pl.DataFrame
    vague_keys: pl.DataFrame


class WhoIsWho(NamedTuple):
    """Frames of the contracts KnownPerson, PersonLead, KnownAccount, AccountMember, IdentityLink and VagueKey; pairs compared, and nodes looked at again."""

    people: pl.DataFrame
    person_leads: pl.DataFrame
    accounts: pl.DataFrame
    account_members: pl.DataFrame
    links: pl.DataFrame
    vague_keys: pl.DataFrame
    compared: int
    looked_at_again: int


def who_is_who(leads: pl.DataFrame, rules: IdentityRules, register: Identities, before: Before | None = None) -> WhoIsWho:
    """From all leads of the home (`records.LEAD_COLUMNS`). The order of the rows does not matter."""
    leads = leads.sort("campaign_id", "lead_id").pipe(lambda sorted_: sorted_.with_columns(company=account_members(sorted_)))
    people, persons = _linked(person_records(leads), person_kind(rules), register, _known(before, "person"))
    of_companies = account_records(leads, leads["company"])
    accounts, companies = _linked(of_companies, account_kind(rules), register, _known(before, "account"))
    person_leads = _person_leads(leads, persons, companies)
    won = leads["outcome"].str.strip_chars().str.to_lowercase() == "won"
    facts = leads.with_columns(person_leads["person_id"], person_leads["account_id"], won=won.fill_null(False))
    known_accounts = _accounts(facts, companies)
    with_alias(facts, companies, register)
    return WhoIsWho(
        _people(facts, known_accounts),
        person_leads,
        known_accounts,
        companies.select("member", account_id="entity_id", node="node")
        .join(of_companies, on="member", how="left")
        .select(AccountMember.polars_schema().names()),
        pl.concat([_links(people, persons, "person"), _links(accounts, companies, "account")]),
        pl.concat([_vague(people, "person"), _vague(accounts, "account")]),
        people.looked_at + accounts.looked_at,
        people.touched + accounts.touched,
    )


def _linked(records: pl.DataFrame, kind: RecordKind, register: Identities, before: KnownLinks | None) -> tuple[Clusters, pl.DataFrame]:
    """Clusters, and their members with entity_id."""
    found = linked_again(records, kind, register.decisions(kind.name), before)
    return found, named(found.members, kind.name, register, before)


def _known(before: Before | None, kind: EntityKind) -> KnownLinks | None:
    if before is None:
        return None
    if kind == "person":
        members = before.person_leads.select(member_keys(before.person_leads), "node", entity_id="person_id")
    else:
        members = before.account_members.select("member", "node", entity_id="account_id")
    links = before.links.filter(pl.col("kind") == kind).select("one", "other", "weight", "by_key")
    large = before.vague_keys.filter(pl.col("kind") == kind).select("block", key="key_name", rows="records")
    return KnownLinks(members, links, large)


def _person_leads(leads: pl.DataFrame, persons: pl.DataFrame, companies: pl.DataFrame) -> pl.DataFrame:
    # Members come back in the order of the leads.
    frame = leads.select("campaign_id", "lead_id", member="company").with_columns(persons["node"], person_id=persons["entity_id"])
    joined = frame.join(companies.select("member", account_id="entity_id"), on="member", how="left", maintain_order="left")
    return joined.select(PersonLead.polars_schema().names())


def _people(facts: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    name = pl.concat_str("name_first", "name_last", separator=" ", ignore_nulls=True).replace("", None)
    customers = accounts.filter("customer")["account_id"].implode()
    ordered = facts.select(
        *("person_id", "account_id", "campaign_id", "lead_id", "received_at", "email_normalized"),
        full_name=name,
        won=pl.col("won") | pl.col("account_id").is_in(customers).fill_null(False),
    ).sort("received_at", "campaign_id", "lead_id")
    return (
        ordered.group_by("person_id")
        .agg(
            pl.col("full_name", "account_id").drop_nulls().last(),
            email=pl.col("email_normalized").drop_nulls().last(),
            leads=pl.len(),
            campaigns=pl.col("campaign_id").n_unique(),
            emails=pl.col("email_normalized").drop_nulls().n_unique(),
            first_campaign_id=pl.col("campaign_id").first(),
            first_lead_id=pl.col("lead_id").first(),
            first_received_at=pl.col("received_at").first(),
            last_received_at=pl.col("received_at").last(),
            customer=pl.col("won").any(),
        )
        .select(KnownPerson.polars_schema().names())
    )


def _accounts(facts: pl.DataFrame, companies: pl.DataFrame) -> pl.DataFrame:
    domain = ~pl.col("member").str.starts_with("name:")
    of_members = (
        companies.sort("since", "member")
        .group_by("entity_id", maintain_order=True)
        .agg(
            account_key=pl.coalesce(pl.col("member").filter(domain).first(), pl.col("member").first()),
            domains=pl.col("member").filter(domain).sort(),
            members=pl.len(),
        )
    )
    named_leads = facts.drop_nulls("account_id")
    names = (
        named_leads.drop_nulls("company_clean")
        .group_by("account_id", name="company_clean")
        .len()
        .sort("account_id", -pl.col("len").cast(pl.Int64), "name")
        .unique("account_id", keep="first")
    )
    of_leads = named_leads.group_by("account_id").agg(
        leads=pl.len(),
        people=pl.col("person_id").n_unique(),
        campaigns=pl.col("campaign_id").n_unique(),
        first_received_at=pl.col("received_at").min(),
        customer=pl.col("won").any(),
    )
    return (
        of_leads.join(of_members, left_on="account_id", right_on="entity_id", how="left")
        .join(names.drop("len"), on="account_id", how="left")
        .select(KnownAccount.polars_schema().names())
    )


def _links(found: Clusters, members: pl.DataFrame, kind: EntityKind) -> pl.DataFrame:
    entity = members.select("node", "entity_id").unique("node", keep="any")
    both = found.links.join(entity, left_on="one", right_on="node").join(entity, left_on="other", right_on="node", suffix="_r")
    return both.with_columns(kind=pl.lit(kind), accepted=pl.col("entity_id") == pl.col("entity_id_r")).select(
        IdentityLink.polars_schema().names()
    )


def _vague(found: Clusters, kind: EntityKind) -> pl.DataFrame:
    return found.large.select(pl.lit(kind).alias("kind"), key_name="key", block="block", records="rows", compared="compared").select(
        VagueKey.polars_schema().names()
    )

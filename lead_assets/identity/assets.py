"""The assets of the identity room."""

import hashlib

import polars as pl

from lead_assets.contracts import (
    WHOLE_HOME,
    AccountMember,
    Duplicate,
    IdentityLink,
    KnownAccount,
    KnownPerson,
    Lead,
    PersonLead,
    RawLead,
    SuppressedLead,
    VagueKey,
)
from lead_assets.kit.checks import Check, Verdict, adds_up, stored_counts
from lead_assets.kit.conditions import after_the_campaigns
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import figures_by, made_by_this_code, tables

_NORMALISED = (
    "email_normalized",
    "company_domain",
    "country_code",
    "state_code",
    "phone_e164",
    "seniority",
    "possible_duplicates",
    "shared_domain",
)


def conserves(step: Step) -> dict[str, Verdict]:
    counts = stored_counts(step.warehouse, step.partitions, received=RawLead, leads=Lead, duplicate=Duplicate, suppressed=SuppressedLead)
    return adds_up(counts, "received", "leads", "duplicate", "suppressed")


def suppressions(step: Step, _: str) -> str:
    """All suppressions: which ones apply is only known once the leads are read."""
    if "suppressions" not in step.memo:
        step.memo["suppressions"] = step.ledger.suppressions()
    return hashlib.sha256(step.memo["suppressions"].write_ndjson().encode()).hexdigest()


@tables(
    Lead,
    Duplicate,
    SuppressedLead,
    reads={"raw_leads": RawLead},
    logic=["lead_assets.identity", "lead_assets.core"],
    outside=suppressions,
    checks=[Check(Lead, "conserves", "In the stored tables, raw leads = leads + duplicates + suppressed.", conserves, blocking=True)],
)
def identity__leads(step: Step, raw_leads: pl.DataFrame) -> list[Made]:
    from lead_assets.identity.arriving import introduce
    from lead_assets.identity.resolve import resolve
    from lead_assets.identity.rules import load_identity_rules

    resolved = resolve(raw_leads, step.memo.get("suppressions"), step.ledger.suppression_hash)
    # Rows do not depend on it, so it is no input: what is known of companies goes into the register, which routing asks for owners.
    known = step.warehouse.read(AccountMember) if step.warehouse.partitions(AccountMember) else AccountMember.empty()
    introduce(resolved.leads, load_identity_rules(step.settings), step.ledger.identities, known)
    normalised = figures_by(resolved.leads, **{f"with_{name}": pl.col(name).count() for name in _NORMALISED})
    return [Made(resolved.leads, normalised), Made(resolved.duplicates), Made(resolved.suppressed)]


def identity_decisions(step: Step, _: str) -> list[object]:
    """What people decided about who is who."""
    return [step.ledger.identities.decisions("person"), step.ledger.identities.decisions("account")]


@tables(
    KnownPerson,
    PersonLead,
    KnownAccount,
    AccountMember,
    IdentityLink,
    VagueKey,
    name="identity__people",
    whole={Lead: None},
    logic=["lead_assets.identity", "lead_assets.linking", "lead_assets.core"],
    rules=["identity.yaml"],
    outside=identity_decisions,
    condition=after_the_campaigns(),
)
def people(step: Step) -> list[Made]:
    from lead_assets.identity.records import LEAD_COLUMNS
    from lead_assets.identity.rules import load_identity_rules
    from lead_assets.identity.who import Before, who_is_who

    kept = (PersonLead, AccountMember, IdentityLink, VagueKey)
    before = Before(*(step.warehouse.read(contract) for contract in kept)) if made_by_this_code(step, *kept) else None
    leads = step.query(f"SELECT {', '.join(LEAD_COLUMNS)} FROM identity.leads", [Lead])
    found = who_is_who(leads, load_identity_rules(step.settings), step.ledger.identities, before)
    work = {"compared": found.compared, "looked_at_again": found.looked_at_again, "all_again": before is None}
    several = {"in_several_campaigns": found.people.filter(pl.col("campaigns") > 1).height, "leads": leads.height}
    return [
        Made(found.people, {WHOLE_HOME: several | work}),
        Made(found.person_leads),
        Made(found.accounts, {WHOLE_HOME: {"domains": int(found.accounts["domains"].list.len().sum())}}),
        Made(found.account_members),
        Made(found.links, {WHOLE_HOME: {"accepted": int(found.links["accepted"].sum())}}),
        Made(found.vague_keys),
    ]

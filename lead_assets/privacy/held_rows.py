"""Rows about a person: their leads, the names that ledger and outbox have for them, and tables without their rows.

Does not belong here: who they are (see `person`), or values that mention them in others' rows (see `masking`).
"""

from __future__ import annotations

import polars as pl

from lead_assets.contracts import Lead, Table
from lead_assets.delivery.facts import person_of
from lead_assets.privacy.person import DataSubject
from lead_assets.signals.subjects import subject
from lead_assets.stores.warehouse.base import ContractViolation, Warehouse
from lead_assets.vendors.offer import SubjectKind

_SUBJECTS: tuple[SubjectKind, ...] = ("email", "contact", "person_profile")


def subjects_of(warehouse: Warehouse, person: DataSubject) -> tuple[set[str], set[str]]:
    """The subjects that calls about them have, and the accounts that are theirs alone."""
    known = set(warehouse.partitions(Lead))
    partitions = [campaign for campaign in person.campaigns if campaign in known]
    leads = warehouse.read(Lead, partitions).join(leads_of(person), on=["campaign_id", "lead_id"], how="semi")
    found = leads.select(subject(kind).alias(kind) for kind in _SUBJECTS)
    subjects = {value for name in found.columns for value in found[name].drop_nulls()}
    accounts = {key for key in leads["account_key"] if key.startswith("person:")}
    return subjects | person.emails, accounts


def persons_of(person: DataSubject) -> dict[str, str | None]:
    """What the outbox calls them → the e-mail address, where it is made of one."""
    found: dict[str, str | None] = {person_of(None, campaign, lead): None for campaign, lead in person.leads}
    return found | {person_of(email, "", ""): email for email in sorted(person.emails)}


def leads_of(person: DataSubject) -> pl.DataFrame:
    """Columns campaign_id, lead_id."""
    return pl.DataFrame(person.leads, schema={"campaign_id": pl.String, "lead_id": pl.String}, orient="row")


def is_of_leads(contract: type[Table]) -> bool:
    return {"campaign_id", "lead_id"} <= set(contract.polars_schema())


def without(contract: type[Table], rows: pl.DataFrame, leads: pl.DataFrame, drops: pl.DataFrame) -> pl.DataFrame:
    """A table's rows without those of leads (campaign_id, lead_id) and of payloads (campaign_id, drop_sha256 and, as far as known, position and part)."""
    left = rows.join(leads, on=["campaign_id", "lead_id"], how="anti", maintain_order="left") if is_of_leads(contract) else rows
    if set(drops.columns) <= set(rows.columns):
        left = left.join(drops, on=drops.columns, how="anti", maintain_order="left")
    return left


def rewrite(warehouse: Warehouse, contract: type[Table], rows: pl.DataFrame, key: str) -> None:
    """Replace a partition, which the next run makes again. One that an earlier release made, before the table had columns that must have values, is emptied."""
    try:
        warehouse.write(contract, rows, [key])
    except ContractViolation:
        warehouse.write(contract, contract.empty(), [key])

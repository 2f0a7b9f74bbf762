"""What destinations may be told about a routed lead: a closed list of facts, without nulls and blanks.

Does not belong here: which of them a destination gets (see the allow-lists in rules/delivery.yaml).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import polars as pl

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.delivery.fields import KEYS, OF_BRIEF, OF_CLASSIFICATION, OF_ENRICHED, OF_LEAD, OF_ROUTING, OF_SCORE
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.outbox_model import person_hash
from lead_assets.vendors.sending import OwnerContact, RoutedLead

_KEYS = list(KEYS)


_OF_OWNER = ("account_key", "owner_email", "owner_crm_id", "sla_due_at")
_SAID = ("notes", "source", "company", "title", "property_address", "property_type")
_SAID_NUMBERS = ("loan_amount_requested", "purchase_price", "estimated_arv")


def routed_leads(
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    summaries: pl.DataFrame,
    rules: DeliveryRules,
) -> list[RoutedLead]:
    """One per row of routing.decisions, sorted by campaign and lead. The frames follow the contracts RoutingDecision, Lead, EnrichedLead, Classification,
    Score and Summary. Raises ValueError if an earlier release wrote them, without what is to be sent by now."""
    company = pl.coalesce("company_clean", "company").alias("company")
    wide = (
        decisions.select(*_KEYS, *OF_ROUTING, pl.col("reason").alias("routing_reason"), *_OF_OWNER)
        .join(leads.select(*_KEYS, company, _said(), *(pl.col(ours).alias(name) for name, ours in OF_LEAD.items())), on=_KEYS, how="left")
        .join(enriched.select(*_KEYS, *OF_ENRICHED), on=_KEYS, how="left")
        .join(classifications.select(*_KEYS, *OF_CLASSIFICATION), on=_KEYS, how="left")
        .join(scores.select(*_KEYS, *OF_SCORE), on=_KEYS, how="left")
        .join(summaries.select(*_KEYS, *(pl.col(theirs).alias(name) for name, theirs in OF_BRIEF.items())), on=_KEYS, how="left")
        .sort(_KEYS)
    )
    if wide["route_score"].has_nulls() or wide["path"].has_nulls():
        raise ValueError(
            "the tables were written by an earlier release, without what decides where a lead goes: run lead-assets run --all first"
        )
    return list(_each(wide, rules))


def _said() -> pl.Expr:
    """What the lead itself said, however it was written."""
    texts = (pl.col(name).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars() for name in _SAID)
    said = (*texts, *(pl.col(name).cast(pl.String) for name in _SAID_NUMBERS))
    return pl.concat_str([value.fill_null("") for value in said], separator="\n").alias("_said")


_OWN = ("campaign_id", "lead_id", "email", "account_key", "owner", "owner_email", "owner_crm_id", "path", "route_score", "tier", "_said")
_TIMES = ("received_at", "sla_due_at", "enriched_at")


def _each(wide: pl.DataFrame, rules: DeliveryRules) -> Iterator[RoutedLead]:
    shown = wide.select(_unless_blank(name, dtype) for name, dtype in wide.schema.items() if name not in (*_OF_OWNER, "_said"))
    # Column by column, which takes polars half as long as rows.
    facts = {name: shown[name].to_list() for name in shown.columns}
    own = [facts[name] if name in _TIMES and name in facts else wide[name].to_list() for name in (*_OWN, *_TIMES)]
    names = shown.columns
    contacts: dict[tuple[str, str | None, str | None], OwnerContact] = {}
    for row, values in zip(zip(*own, strict=True), zip(*facts.values(), strict=True), strict=True):
        campaign, lead_id, email, account, owner, owner_email, crm_id, path, route_score, tier, said, received_at, due_at, enriched_at = row
        if (reached := (owner, owner_email, crm_id)) not in contacts:
            contacts[reached] = rules.contact(*reached)
        yield RoutedLead(
            campaign_id=campaign,
            lead_id=lead_id,
            person=person_of(email, campaign, lead_id),
            account=account,
            facts={name: value for name, value in zip(names, values, strict=True) if value is not None},
            owner=owner,
            contact=contacts[reached],
            path=path,
            high_priority=route_score >= rules.high_priority and path == "route",
            received_at=received_at,
            due_by=due_at or received_at + rules.first_touch[tier],
            # When it was judged, from the ledger: a rebuild gives the same.
            revisit_at=enriched_at + rules.nurture,
            said=hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        )


def person_of(email_normalized: str | None, campaign_id: str, lead_id: str) -> str:
    """The hash that stands for a person in the outbox: of the e-mail, or of the lead if it has none."""
    return person_hash(email_normalized.lower() if email_normalized else f"{campaign_key(campaign_id)}/{lead_id}")


_SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))


def _unless_blank(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column, without texts of spaces and empty lists."""
    value = pl.col(name)
    if dtype == pl.String:
        return pl.when(value.str.strip_chars(_SPACES) != "").then(value)
    return pl.when(value.list.len() > 0).then(value) if isinstance(dtype, pl.List) else value

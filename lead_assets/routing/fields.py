"""What a territory can ask about a lead: the fields of `when` in rules/routing.yaml, and the column behind each.

Belongs here: one declaration per field; add one here to route by it. Does not belong here: the table that uses them (`table`), or the
matching (`territories`). No field is personal data, because the reason for a decision repeats its value.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score, Table
from lead_assets.core.columns import map_distinct
from lead_assets.core.values import headcount_band


@dataclass(frozen=True)
class RoutingField:
    """One field of `when`.

    `columns` are tried in order: the first that is not null is the lead's value. `values` are all possible values, if the contract
    lists them, so that a misspelt one is an error instead of a territory that never matches.
    """

    name: str
    kind: Literal["text", "number", "region"]
    words: str
    """Its name in reasons, before the value."""
    columns: tuple[tuple[type[Table], str], ...]

    @property
    def values(self) -> frozenset[str] | None:
        contract, column = self.columns[0]
        for part in (contract.model_fields[column].annotation, *typing.get_args(contract.model_fields[column].annotation)):
            if typing.get_origin(part) is Literal:
                return frozenset(typing.get_args(part))
        return None

    def value(self) -> pl.Expr:
        """The lead's value as text (number fields: as Float64); null if the lead has none."""
        if self.kind == "number":
            return pl.coalesce([_number(contract, column) for contract, column in self.columns])
        return pl.coalesce([pl.col(column).str.strip_chars() for _, column in self.columns])


def _number(contract: type[Table], column: str) -> pl.Expr:
    if contract.polars_schema()[column].is_numeric():
        return pl.col(column).cast(pl.Float64)
    return pl.col(column).map_batches(_lower_bounds, return_dtype=pl.Float64, is_elementwise=True)


def _lower_bounds(stated: pl.Series) -> pl.Series:
    """A band counts as its lower bound: "10,001+" as 10001, "10k+" as 10000. "< 5000" has none, and meets no condition on size."""
    return map_distinct(stated, lambda text: headcount_band(text)[0], pl.Float64)


FIELDS: dict[str, RoutingField] = {
    field.name: field
    for field in (
        RoutingField("region", "region", "country", ((Lead, "country_code"), (Lead, "state_code"))),
        RoutingField("country_code", "text", "country", ((Lead, "country_code"),)),
        RoutingField("state_code", "text", "state", ((Lead, "state_code"),)),
        RoutingField("campaign_id", "text", "campaign", ((Lead, "campaign_id"),)),
        RoutingField("adapter", "text", "payload of shape", ((Lead, "adapter"),)),
        RoutingField("source", "text", "source", ((Lead, "source"),)),
        RoutingField("email_kind", "text", "mailbox kind", ((Lead, "email_kind"),)),
        RoutingField("company_domain", "text", "company", ((Lead, "company_domain"),)),
        RoutingField("seniority", "text", "seniority", ((Lead, "seniority"),)),
        RoutingField("department", "text", "department", ((Lead, "department"),)),
        RoutingField("property_type", "text", "property type", ((Lead, "property_type"),)),
        RoutingField("industry", "text", "industry", ((EnrichedLead, "company_industry"), (Lead, "industry"))),
        RoutingField("profile", "text", "profile", ((Classification, "profile"),)),
        RoutingField("loan_type", "text", "loan type", ((Classification, "loan_type"),)),
        RoutingField("investor_experience", "text", "investor experience", ((Classification, "investor_experience"),)),
        RoutingField("icp_fit", "text", "fit", ((Classification, "icp_fit"),)),
        RoutingField("persona", "text", "persona", ((Classification, "persona"),)),
        RoutingField("buying_stage", "text", "buying stage", ((Classification, "buying_stage"),)),
        RoutingField("tier", "text", "tier", ((Score, "tier"),)),
        # The first is what the lead's own form says and never changes; the second prefers a provider's value, which may change.
        RoutingField("company_size", "number", "stated company size", ((Lead, "company_size"),)),
        RoutingField("headcount", "number", "headcount", ((EnrichedLead, "headcount_min"), (Lead, "company_size"))),
        RoutingField("loan_amount_requested", "number", "loan amount", ((Lead, "loan_amount_requested"),)),
        RoutingField("urgency_score", "number", "urgency", ((Classification, "urgency_score"),)),
        RoutingField("score", "number", "score", ((Score, "score"),)),
    )
}
"""All fields of `when`, by name."""

KEYS: dict[str, type[Table]] = {
    "campaign_id": Lead,
    "lead_id": Lead,
    "account_key": Lead,
    "received_at": Lead,
    "drop_sha256": Lead,
    "position": Lead,
    "tier": Score,
    "score": Score,
}
"""The columns that a decision always needs."""


PLACES: dict[str, type[Table]] = {"country_source": Lead, "state_source": Lead, "region": Lead}
"""What a reason says of a place beside its code, and the region of a country other than the US and Canada."""


def routing_schema() -> pl.Schema:
    """Columns and types of the frame to route: the keys and every column behind a field."""
    wanted = {**KEYS, **PLACES, **{column: contract for field in FIELDS.values() for contract, column in field.columns}}
    return pl.Schema({column: contract.polars_schema()[column] for column, contract in wanted.items()})

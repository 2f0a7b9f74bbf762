"""What a territory can ask about a lead: the fields of `when` in rules/routing.yaml, and the column behind each.

Belongs here: one declaration per field; add one here to route by it under another name than its column's. Every other column of identity.leads is a field, too.
Does not belong here: the table that uses them (`model`), or the matching (`matching`). A value that is personal data, or that a stranger typed, is shown only
if the table itself names it, because decisions repeat it.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score, Table
from lead_assets.contracts.base import Column
from lead_assets.core.columns import map_distinct
from lead_assets.core.values import headcount_band

Kind = Literal["text", "number", "region", "yes_no", "words", "other"]


@dataclass(frozen=True)
class RoutingField:
    """One field of `when`.

    `columns` are tried in order: the first that is not null is the lead's value. A field without columns is found out when the lead is routed, from the ledger
    or the table. `values` are all possible values, if they are known, so that a misspelt one is an error instead of a territory that never matches.
    """

    name: str
    kind: Kind
    words: str
    """Its name in reasons, before the value."""
    columns: tuple[tuple[type[Table], str], ...] = ()
    private: bool = False
    """Personal data."""

    @property
    def values(self) -> frozenset[str] | None:
        if self.kind == "yes_no":
            return frozenset(("yes", "no"))
        if not self.columns:
            return None
        contract, column = self.columns[0]
        for part in (contract.model_fields[column].annotation, *typing.get_args(contract.model_fields[column].annotation)):
            if typing.get_origin(part) is Literal:
                return frozenset(typing.get_args(part))
        return None

    @property
    def in_ledger(self) -> bool:
        """Whether only the ledger knows its value."""
        return self.name in IN_LEDGER

    @property
    def shown(self) -> bool:
        """Whether any value may be repeated: it comes from a list or from us, and not from whoever filled in a form."""
        return not self.private and (self.kind in ("number", "yes_no") or self.values is not None or self.name in _OURS)

    def value(self) -> pl.Expr:
        """The lead's value as text (number fields: as Float64); null if the lead has none."""
        if self.kind == "number":
            return pl.coalesce([_number(contract, column) for contract, column in self.columns])
        if self.kind == "yes_no":
            return pl.coalesce([pl.when(column).then(pl.lit("yes")).when(~pl.col(column)).then(pl.lit("no")) for _, column in self.columns])
        if self.kind == "words":
            return pl.coalesce([pl.col(column).list.eval(pl.element().str.to_lowercase()) for _, column in self.columns])
        if self.kind == "other":
            return pl.coalesce([pl.when(pl.col(column).is_not_null()).then(pl.lit("known")) for _, column in self.columns])
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
        RoutingField("path", "text", "path", ((Score, "path"),)),
        # Not columns: from the table (segment, named_account) or from the ledger, when the lead is routed.
        RoutingField("segment", "text", "segment"),
        RoutingField("named_account", "yes_no", "named account"),
        RoutingField("existing_owner", "text", "existing owner"),
        RoutingField("customer", "yes_no", "customer"),
        # The first is what the lead's own form says and never changes; the second prefers a provider's value, which may change.
        RoutingField("company_size", "number", "stated company size", ((Lead, "company_size"),)),
        RoutingField("headcount", "number", "headcount", ((EnrichedLead, "headcount_min"), (Lead, "company_size"))),
        RoutingField("loan_amount_requested", "number", "loan amount", ((Lead, "loan_amount_requested"),)),
        RoutingField("urgency_score", "number", "urgency", ((Classification, "urgency_score"),)),
        RoutingField("score", "number", "score", ((Score, "score"),)),
    )
}
"""The fields of `when` with a name of their own; `field` also knows every other column of identity.leads."""

IN_LEDGER = ("existing_owner", "customer")
_OURS = ("country_code", "state_code", "campaign_id", "adapter", "profile", "company_domain", "segment", "existing_owner")


@cache
def field(name: str) -> RoutingField | None:
    """A field by name; None if there is none."""
    if name in FIELDS:
        return FIELDS[name]
    declared = Lead.model_fields.get(name)
    if declared is None:
        return None
    dtype = Lead.polars_schema()[name]
    kind: Kind = "other"
    if dtype == pl.String:
        kind = "text"
    elif dtype.is_numeric():
        kind = "number"
    elif dtype == pl.Boolean:
        kind = "yes_no"
    elif dtype == pl.List(pl.String):
        kind = "words"
    private = any(isinstance(each, Column) and each.pii is not None for each in declared.metadata)
    return RoutingField(name, kind, name.replace("_", " "), ((Lead, name),), private)


@cache
def field_names() -> tuple[str, ...]:
    return tuple(sorted({*FIELDS, *Lead.model_fields}))


KEYS: dict[str, type[Table]] = {
    "campaign_id": Lead,
    "lead_id": Lead,
    "account_key": Lead,
    "received_at": Lead,
    "drop_sha256": Lead,
    "position": Lead,
    "tier": Score,
    "score": Score,
    "path": Score,
}
"""The columns that a decision always needs."""


PLACES: dict[str, type[Table]] = {"country_source": Lead, "state_source": Lead, "region": Lead}
"""What a reason says of a place beside its code, and the region of a country other than the US and Canada."""


def routing_schema(asked: Iterable[str] = ()) -> pl.Schema:
    """Columns and types of the frame to route: the keys and every column behind a field, and behind the fields `asked` for besides."""
    fields = [*FIELDS.values(), *(found for name in asked if (found := field(name)) is not None)]
    wanted = {**KEYS, **PLACES, **{column: contract for each in fields for contract, column in each.columns}}
    return pl.Schema({column: contract.polars_schema()[column] for column, contract in wanted.items()})

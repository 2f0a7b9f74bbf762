"""Who owns a lead: the owner of its account.

Belongs here: turning proposals into decisions through the ledger. Does not belong here: what the table proposes (`territories`) or how the ledger
stores assignments (`lead_assets.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from lead_assets.contracts import RoutingDecision
from lead_assets.ledger.assignments_model import Assignment, Proposal
from lead_assets.routing.table import RoutingTable
from lead_assets.routing.territories import propose

Assign = Callable[[Sequence[Proposal]], Mapping[str, Assignment]]
"""Offers proposals to the ledger; returns each account's owner: an earlier assignment wins."""


def decide(leads: pl.DataFrame, table: RoutingTable, assign: Assign) -> pl.DataFrame:
    """Rows of routing.decisions for a frame of `routing_schema`, sorted by campaign and lead.

    For each account, the first lead to arrive is offered to the ledger; the account's owner then owns all its leads, in every campaign. A decision
    is built from the stored assignment alone, so an account gives the same rows even if the table has changed since, and in any order of leads.
    """
    proposals = propose(leads, table)
    held = assign(_first_of_each_account(proposals))
    without = proposals.filter(~pl.col("account_key").is_in(list(held)))
    if without.height:
        raise ValueError(
            f"routing: the ledger returned no assignment for {without['account_key'].n_unique()} of the accounts offered to it"
        )
    decided = proposals.select("campaign_id", "lead_id", "account_key", "tier", "score").join(_frame(held), on="account_key", how="left")
    columns = RoutingDecision.polars_schema()
    return decided.with_columns(_reason()).select(columns.names()).cast(columns).sort("campaign_id", "lead_id")


def _first_of_each_account(proposals: pl.DataFrame) -> list[Proposal]:
    """The first to arrive; position and ids break ties, so the order of the frame does not matter."""
    order = ["received_at", "drop_sha256", "position", "campaign_id", "lead_id"]
    columns = ["account_key", "owner", "territory", "rule", "reason", "fallback", "lead_id", "campaign_id"]
    first = proposals.sort(order).unique("account_key", keep="first", maintain_order=True).select(columns)
    return [Proposal(**row) for row in first.iter_rows(named=True)]


def _frame(held: Mapping[str, Assignment]) -> pl.DataFrame:
    schema = {
        "account_key": pl.String(),
        "owner": pl.String(),
        "territory": pl.String(),
        "rule": pl.String(),
        "held_reason": pl.String(),
        "fallback": pl.Boolean(),
        "held_lead": pl.String(),
        "held_campaign": pl.String(),
        "assigned_at": pl.Datetime("us", "UTC"),
    }
    rows = [
        (a.account_key, a.owner, a.territory, a.rule, a.reason, a.fallback, a.lead_id, a.campaign_id, a.assigned_at) for a in held.values()
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _reason() -> pl.Expr:
    """The assignment's own reason for the lead that brought in the account; for the others, that the account already had an owner, and since when."""
    brought_it = (pl.col("lead_id") == pl.col("held_lead")) & (pl.col("campaign_id") == pl.col("held_campaign"))
    follows = pl.concat_str(pl.lit("account already owned, from campaign "), "held_campaign", pl.lit(": "), "held_reason")
    return pl.when(brought_it).then("held_reason").otherwise(follows).alias("reason")

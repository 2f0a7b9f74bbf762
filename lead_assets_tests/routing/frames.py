"""Frames of leads to route, and a minimal in-memory ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.core.document import read_document
from lead_assets.ledger.assignments_model import Assignment, Proposal
from lead_assets.routing.fields import routing_schema
from lead_assets.routing.table import ROUTING, RoutingTable

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def routable(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `routing_schema`: what a row does not say is null, but for the keys, which are made up in order."""
    keys = [
        {
            "campaign_id": "fall",
            "lead_id": f"lead-{index}",
            "account_key": f"company-{index}.example",
            "received_at": NOON,
            "drop_sha256": "a" * 64,
            "position": index,
            "part": 1,
            "tier": "warm",
            "score": 50.0,
        }
        for index, _ in enumerate(rows, start=1)
    ]
    return pl.DataFrame([key | row for key, row in zip(keys, rows, strict=True)], schema=routing_schema(), orient="row")


def table(text: str) -> RoutingTable:
    return ROUTING.parse(read_document(text, "routing.yaml"))


class Memory:
    """Assignments as the ledger keeps them: the first proposal of an account stays, with the time it came."""

    def __init__(self) -> None:
        self.held: dict[str, Assignment] = {}
        self.offers: list[list[Proposal]] = []

    def assign(self, proposals: Sequence[Proposal]) -> dict[str, Assignment]:
        self.offers.append(list(proposals))
        for proposal in proposals:
            at = NOON + timedelta(seconds=len(self.held))
            self.held.setdefault(proposal.account_key, Assignment(**vars(proposal), assigned_at=at))
        return {proposal.account_key: self.held[proposal.account_key] for proposal in proposals}

"""Frames of leads to route, and routing them without a ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from lead_assets.core.document import read_document
from lead_assets.routing.choose import Chooser
from lead_assets.routing.fields import routing_schema
from lead_assets.routing.matching import match
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.rehearse import Rehearsal
from lead_assets.routing.table import ROUTING, digested

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def routable(*rows: dict[str, Any], asked: tuple[str, ...] = ()) -> pl.DataFrame:
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
            "path": "route",
        }
        for index, _ in enumerate(rows, start=1)
    ]
    return pl.DataFrame([key | row for key, row in zip(keys, rows, strict=True)], schema=routing_schema(asked), orient="row")


def table(text: str) -> RoutingTable:
    return ROUTING.parse(read_document(text, "routing.yaml"))


def chosen(leads: pl.DataFrame, by: RoutingTable, standing: Rehearsal | None = None, at: datetime = NOON) -> list[dict[str, Any]]:
    """How each lead is routed, in the order of arrival, with its lead_id and owner."""
    chooser = Chooser(by, "digest", match(leads, by))
    rows = (standing or Rehearsal()).route(chooser, [at] * leads.height)
    return [json.loads(row["said"]) | {"lead_id": row["lead_id"], "owner": row["owner"]} for row in rows.iter_rows(named=True)]


def content(by: RoutingTable) -> tuple[str, str]:
    """Digest and content of a table, as far as tests need them."""
    return digested(by.model_dump(mode="json"))

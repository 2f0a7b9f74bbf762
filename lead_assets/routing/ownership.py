"""Decisions: the owner of each lead, as the ledger holds it.

Belongs here: having leads routed, and rows of routing.decisions from what the ledger kept. Does not belong here: whom the table proposes (`choose`) or how the
ledger stores it (`lead_assets.ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import RoutingDecision
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.choose import Chooser
from lead_assets.routing.matching import match
from lead_assets.routing.model import RoutingTable

_KEYS = ["campaign_id", "lead_id"]
_OF_WAY: dict[str, pl.DataType] = {
    "authority": pl.String(),
    "territory": pl.String(),
    "rule": pl.String(),
    "reason": pl.String(),
    "fallback": pl.Boolean(),
    "team": pl.String(),
    "path": pl.String(),
    "facts": pl.String(),
    "passed_over": pl.String(),
    "routing_table": pl.String(),
}


def decide(leads: pl.DataFrame, table: RoutingTable, ledger: Ledger, content: tuple[str, str]) -> pl.DataFrame:
    """Rows of routing.decisions for a frame of `routing_schema`, sorted by campaign and lead. `content`: digest and content of the table.

    Leads that the ledger has no owner for get one, in the order of arrival. A decision is built from what the ledger kept, so a lead gives the same row even if
    the table has changed since, and in any order of leads. What is not kept: a lead's score and its owner's address and CRM id are today's.
    """
    campaigns = sorted(leads["campaign_id"].unique().to_list())
    routed = ledger.routed(campaigns)
    new = leads.join(routed, on=_KEYS, how="anti")
    if new.height:
        chooser = Chooser(table, content[0], match(new, table))
        ledger.route(chooser.leads, chooser, content)
        routed = ledger.routed(campaigns)
    return decisions(leads, routed, ledger, table)


def decisions(leads: pl.DataFrame, routed: pl.DataFrame, ledger: Ledger, table: RoutingTable) -> pl.DataFrame:
    """Rows of routing.decisions for leads that the ledger has routed. Raises ValueError if it lacks one."""
    own = leads.select(*_KEYS, "account_key", "tier", "score", _path="path")
    rows = own.join(routed.drop("account_key"), on=_KEYS, how="left", validate="1:1")
    if lacking := rows["owner"].null_count():
        raise ValueError(f"routing: the ledger has no owner for {lacking} of the leads offered to it")
    ways = _ways(ledger.ways(routed["way"].unique().to_list()))
    people = pl.DataFrame(
        [(owner.id, owner.email, owner.crm_id) for owner in table.owners],
        schema={"owner": pl.String, "owner_email": pl.String, "owner_crm_id": pl.String},
        orient="row",
    )
    wide = rows.join(ways, on="way", how="left").join(people, on="owner", how="left")
    # A decision from before paths were kept has today's.
    wide = wide.with_columns(pl.coalesce("path", "_path").alias("path")).rename({"routed_at": "assigned_at", "due_at": "sla_due_at"})
    columns = RoutingDecision.polars_schema()
    return wide.select(columns.names()).cast(columns).sort(_KEYS)


def _ways(said: Mapping[str, str]) -> pl.DataFrame:
    rows = [(key, *_way(orjson.loads(text)).values()) for key, text in said.items()]
    return pl.DataFrame(rows, schema={"way": pl.String, **_OF_WAY}, orient="row")


def _way(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "authority": said["authority"],
        "territory": said["territory"],
        "rule": said["rule"],
        "reason": said["reason"],
        "fallback": said.get("fallback", said["authority"] == "fallback"),
        "team": said.get("team"),
        "path": said.get("path"),
        "facts": _json(said.get("facts", {})),
        "passed_over": _json(said.get("passed_over", [])),
        "routing_table": said.get("table"),
    }


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

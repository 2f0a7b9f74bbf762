"""Several stored leads at once: enriched for no more than a sum, or routed again; and what became of each, so that none is skipped in silence.

Belongs here: what the explorer's selections and `lead-assets enrich` do. Does not belong here: the way through the rooms (see `enriching`), pages and forms.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.ledger.allowance import Allowance
from lead_assets.ledger.assignments_model import Move
from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import PASSING
from lead_assets.routing.stored import chosen_again
from lead_assets.service.enriching import OneLead, literal, through_together
from lead_assets.service.spending import paid
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import PartitionMissing, Warehouse

LeadName = tuple[str, str]
"""campaign_id and lead_id."""

GONE = "not there any more: erased, merged into another lead, or suppressed"
_AT_ONCE = 32
_EXAMPLES = 5
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What became of leads: `done`, and why → which of the others; `micros`: the price that was reserved for what was bought."""

    done: list[LeadName] = field(default_factory=list)
    others: dict[str, list[LeadName]] = field(default_factory=dict)
    micros: int = 0

    def but(self, why: str, *leads: LeadName) -> None:
        if leads:
            self.others.setdefault(why, []).extend(leads)

    def as_answer(self) -> dict[str, Any]:
        """done, usd, others (why → {leads, examples}): what `lead-assets enrich --json` says."""
        others = {why: {"leads": len(some), "examples": ["/".join(each) for each in some[:_EXAMPLES]]} for why, some in self.others.items()}
        return {"done": len(self.done), "usd": self.micros / 1e6, "others": others}


@dataclass
class Rerouted:
    """`tally.done`: the leads that moved; `ways`: (from, to) → how many of them; `along`: leads beyond those asked for that moved with their account."""

    tally: Tally
    ways: dict[tuple[str, str], int]
    along: int


def stored_leads(warehouse: Warehouse, names: Sequence[LeadName]) -> pl.DataFrame:
    """Those of the leads that identity.leads has, as a frame of contracts.Lead, in their order."""
    schema = Lead.polars_schema()
    campaigns = sorted({campaign for campaign, _ in names} & set(warehouse.partitions(Lead)))
    if not campaigns:
        return Lead.empty()
    ids = ", ".join(sorted({literal(lead) for _, lead in names}))
    try:
        found = warehouse.query(f"SELECT * FROM identity.leads WHERE lead_id IN ({ids})", [Lead], campaigns)
    except PartitionMissing:  # one of them went at this moment
        return stored_leads(warehouse, names)
    wanted = pl.DataFrame(list(names), schema={"campaign_id": pl.String, "lead_id": pl.String}, orient="row")
    found = found.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    return wanted.join(found, on=["campaign_id", "lead_id"], how="inner", maintain_order="left").select(list(schema))


def names_of(leads: pl.DataFrame) -> list[LeadName]:
    return list(leads.select("campaign_id", "lead_id").iter_rows())


def enrich_several(
    leads: pl.DataFrame,
    key: ServiceKey | None,
    max_usd: float,
    *,
    ledger: Ledger,
    settings: Settings,
    archive: Archive,
    warehouse: Warehouse,
) -> Tally:
    """Take leads (rows of identity.leads, each once) through the rooms, all of them together for no more than the sum, and than the key's budget allows. What
    is bought is in the ledger; the tables show it after their campaigns' next run. Without a key only the sum counts."""
    tally = Tally()

    def through(some: pl.DataFrame, view: Ledger) -> Iterator[tuple[LeadName, OneLead | Exception]]:
        found = [OneLead() for _ in range(some.height)]
        try:
            through_together(some, found, ledger=view, settings=settings, archive=archive, warehouse=warehouse)
            yield from zip(names_of(some), found, strict=True)
        except Exception as error:
            if some.height == 1:
                _log.warning("service: a lead of a selection failed: %s", type(error).__name__)
                yield names_of(some)[0], error
            else:
                for alone in some.iter_slices(1):
                    yield from through(alone, view)

    def work(view: Ledger) -> None:
        try:
            for some in leads.iter_slices(_AT_ONCE):
                # Who was forgotten while the others were worked on must not be bought again.
                left = stored_leads(warehouse, names_of(some))
                there = set(names_of(left))
                tally.but(GONE, *(name for name in names_of(some) if name not in there))
                for name, found in through(left, view) if there else ():
                    why = _why_not(found)
                    if why is None:
                        tally.done.append(name)
                    else:
                        tally.but(why, name)
        finally:
            tally.micros = view.allowance.taken_micros if view.allowance is not None else 0

    if key is None:
        work(ledger.within(Allowance(round(max_usd * 1_000_000))))
    else:
        paid(ledger, key, max_usd, work)
    return tally


def reroute_several(
    leads: pl.DataFrame, move: Move, *, settings: Settings, warehouse: Warehouse, ledger: Ledger, dry_run: bool
) -> Rerouted:
    """Choose the owners of leads again by the rules in force; with `dry_run`, only say who they would be."""
    names = names_of(leads)
    campaigns = sorted({campaign for campaign, _ in names})
    routed = ledger.routed(campaigns).join(leads.select("campaign_id", "lead_id"), on=["campaign_id", "lead_id"], how="semi")
    moves = chosen_again(settings, warehouse, ledger, routed, campaigns, move, dry_run=dry_run) if routed.height else []
    moved = {(each.campaign_id, each.lead_id): (each.before, each.after) for each in moves}
    is_closed = {(row["campaign_id"], row["lead_id"]): row["closed_at"] is not None for row in routed.iter_rows(named=True)}
    tally = Tally()
    for name in names:
        if name in moved:
            tally.done.append(name)
        elif name not in is_closed:
            tally.but("not routed yet: a run of the campaign does that", name)
        elif is_closed[name]:
            tally.but("closed: it keeps its owner", name)
        else:
            tally.but("the rules in force choose the same owner", name)
    ways = Counter(moved[name] for name in tally.done)
    return Rerouted(tally, dict(ways.most_common()), len(moved) - len(tally.done))


def _why_not(found: OneLead | Exception) -> str | None:
    """Why a lead is not, or not wholly, enriched."""
    if isinstance(found, Exception):
        return f"failed ({type(found).__name__}): try again"
    if found.quarantine is not None:
        return f"enriched, but the model's answer is in quarantine: {found.quarantine['code']}"
    reasons = set(json.loads((found.enriched or {}).get("miss_reasons") or "{}").values())
    reasons.add((found.classification or {}).get("fallback_reason"))
    if "over_budget" in reasons:
        return "enriched in part: the sum, or a budget, was used up"
    if passing := sorted(reason for reason in reasons if reason in PASSING):
        return f"enriched in part: {', '.join(passing)}"
    return None

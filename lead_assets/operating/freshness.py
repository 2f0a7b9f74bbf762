"""Is each campaign as fresh as declared? The verdict compares data with data: what arrived with what has an owner, and answers with their lifetimes.

When a table was last made does not matter: a run that began before a drop arrived ends after it, and a backfill of an old campaign says nothing about the
others. So late, repeated and out-of-order materializations cannot make a campaign look fresh.

Belongs here: what is known of a campaign, and the verdict. Does not belong here: who is told (see `incidents`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from lead_assets.contracts import (
    TABLES,
    Classification,
    Duplicate,
    EnrichedLead,
    Lead,
    RawLead,
    RejectedPayload,
    RoutingDecision,
    Score,
    SignalRow,
    SuppressedLead,
    Table,
)
from lead_assets.core.settings import Settings
from lead_assets.kit.notes import Note
from lead_assets.kit.tables import hashed
from lead_assets.operating.rules import FreshnessRules
from lead_assets.stores.archive import Archive, time_of
from lead_assets.stores.warehouse.base import Warehouse

PATH: tuple[type[Table], ...] = (RawLead, Lead, EnrichedLead, Classification, Score, RoutingDecision)
"""The way of a lead from a drop to its owner. Each table reads one or more of those before it."""

_WAITING = """
    SELECT r.campaign_id, r.drop_sha256, COUNT(*) AS leads
    FROM intake.raw_leads AS r
    LEFT JOIN (
        SELECT l.campaign_id, l.drop_sha256, l.position, l.part
        FROM identity.leads AS l JOIN routing.decisions AS d ON d.campaign_id = l.campaign_id AND d.lead_id = l.lead_id
        UNION ALL
        SELECT campaign_id, drop_sha256, position, part FROM identity.duplicates
    ) AS done ON done.campaign_id = r.campaign_id AND done.drop_sha256 = r.drop_sha256 AND done.position = r.position AND done.part = r.part
    LEFT JOIN identity.suppressed AS s ON s.campaign_id = r.campaign_id AND s.lead_id = r.lead_id
    WHERE done.campaign_id IS NULL AND s.campaign_id IS NULL
    GROUP BY r.campaign_id, r.drop_sha256
"""
_READ = """
    SELECT DISTINCT campaign_id, drop_sha256 FROM intake.raw_leads
    UNION
    SELECT DISTINCT campaign_id, drop_sha256 FROM intake.rejected_payloads
"""


@dataclass(frozen=True)
class CampaignSeen:
    """What is known of one campaign. Times in UTC."""

    campaign_id: str
    last_drop: datetime
    waiting_since: datetime | None = None
    """Arrival of the oldest drop with a lead that has no decision."""
    behind: str | None = None
    """The first table on the path of a lead that was not made from what the tables before it are now."""
    signals_until: datetime | None = None
    """When the first of the answers shown expires; None: no answer is shown, or none expires."""


@dataclass(frozen=True)
class FreshnessVerdict:
    """`since`: when the expectation was broken first."""

    campaign_id: str
    state: Literal["fresh", "stale", "inactive"]
    why: tuple[str, ...] = ()
    since: datetime | None = None


def judge(seen: CampaignSeen, rules: FreshnessRules, now: datetime) -> FreshnessVerdict:
    """The verdict on one campaign at a time."""
    if now - seen.last_drop > rules.active_for:
        return FreshnessVerdict(seen.campaign_id, "inactive")
    expected = rules.of(seen.campaign_id)
    late: list[tuple[datetime, str]] = []
    waiting = seen.waiting_since or (seen.last_drop if seen.behind else None)
    if waiting is not None and expected.drops_routed_within is not None and (due := waiting + expected.drops_routed_within) <= now:
        at = f": {seen.behind} is behind" if seen.behind else ""
        late.append((due, f"a drop of {_at(waiting)} is not routed yet{at}"))
    if seen.signals_until is not None and expected.signals_expired_within is not None:
        due = seen.signals_until + expected.signals_expired_within
        if due <= now:
            late.append((due, f"answers of providers have expired since {_at(seen.signals_until)}"))
    if not late:
        return FreshnessVerdict(seen.campaign_id, "fresh")
    return FreshnessVerdict(seen.campaign_id, "stale", tuple(said for _, said in late), min(due for due, _ in late))


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def verdicts(
    settings: Settings,
    archive: Archive,
    warehouse: Warehouse,
    rules: FreshnessRules,
    now: datetime,
    only: Sequence[str] | None = None,
) -> list[FreshnessVerdict]:
    """The verdict on every campaign in the archive (or on some of them), in the order of their keys."""
    received = {campaign: names for campaign in only or archive.campaigns() if (names := archive.receipt_names(campaign))}
    active = {campaign: names for campaign, names in received.items() if now - time_of(names[-1]) <= rules.active_for}
    judged = {campaign: FreshnessVerdict(campaign, "inactive") for campaign in received if campaign not in active}
    judged |= {seen.campaign_id: judge(seen, rules, now) for seen in look(settings, archive, warehouse, active)}
    return [judged[campaign] for campaign in received]


def active_campaigns(archive: Archive, rules: FreshnessRules, now: datetime) -> list[str]:
    """Campaigns that something is expected of."""
    last = ((campaign, names[-1]) for campaign in archive.campaigns() if (names := archive.receipt_names(campaign)))
    return [campaign for campaign, name in last if now - time_of(name) <= rules.active_for]


def look(settings: Settings, archive: Archive, warehouse: Warehouse, received: Mapping[str, Sequence[str]]) -> list[CampaignSeen]:
    """What is known of these campaigns. `received`: campaign → the names of its receipts, in order of arrival."""
    notes = {contract: _notes(warehouse, contract, received) for contract in PATH}
    behind = {campaign: _behind(settings, notes, campaign, names) for campaign, names in received.items()}
    waiting = _waiting_since(archive, warehouse, [campaign for campaign, table in behind.items() if table is not None], received)
    until = signals_until(warehouse, received)
    return [
        CampaignSeen(campaign, time_of(names[-1]), waiting.get(campaign), behind[campaign], until.get(campaign))
        for campaign, names in received.items()
    ]


def _notes(warehouse: Warehouse, contract: type[Table], campaigns: Iterable[str]) -> dict[str, Note]:
    found = ((key, Note.read(text)) for key, text in warehouse.notes(contract, list(campaigns)).items())
    return {key: note for key, note in found if note is not None}


def _behind(settings: Settings, notes: Mapping[type[Table], Mapping[str, Note]], campaign: str, receipts: Sequence[str]) -> str | None:
    first = notes[RawLead].get(campaign)
    if first is None or first.made_from.get("outside") != hashed((list(receipts), settings.limits)):
        return RawLead.table
    for contract in PATH[1:]:
        note = notes[contract].get(campaign)
        if note is None or note.made_from.get("limit"):
            return contract.table
        for source in PATH:
            above = notes[source].get(campaign)
            if source.table in note.made_from and (above is None or note.made_from[source.table] != above.content):
                return contract.table
    return None


def _waiting_since(
    archive: Archive, warehouse: Warehouse, campaigns: Sequence[str], received: Mapping[str, Sequence[str]]
) -> dict[str, datetime]:
    """The arrival of the oldest drop with a lead that has no decision, for the campaigns that have one."""
    if not campaigns:
        return {}
    tables: list[type[Table]] = [RawLead, RejectedPayload, Lead, Duplicate, SuppressedLead, RoutingDecision]
    whole = sorted(set(campaigns).intersection(*(warehouse.partitions(contract) for contract in tables)))
    read = set(warehouse.query(_READ, tables[:2], whole).iter_rows()) if whole else set()
    waiting = {(campaign, sha256) for campaign, sha256, _ in warehouse.query(_WAITING, tables, whole).iter_rows()} if whole else set()
    found: dict[str, datetime] = {}
    for campaign in campaigns:
        for receipt in archive.read_receipts(campaign, received[campaign]).values():
            key = (campaign, receipt.sha256)
            if key in waiting or (receipt.records and key not in read):
                found[campaign] = min(found.get(campaign, receipt.received_at), receipt.received_at)
    return found


def signals_until(warehouse: Warehouse, campaigns: Iterable[str]) -> dict[str, datetime]:
    """When the first answer shown expires, by campaign."""
    found: dict[str, float] = {}
    for contract in TABLES.values():
        if issubclass(contract, SignalRow):
            for campaign, note in _notes(warehouse, contract, campaigns).items():
                if note.until is not None:
                    found[campaign] = min(found.get(campaign, note.until), note.until)
    return {campaign: datetime.fromtimestamp(until, UTC) for campaign, until in found.items()}

"""Serves single leads to many requests at once: those that come together go through the rooms together, and an answer is kept as long as everything that it was
made from is the same.

An answer is made from the lead's row, the rules, the ledger's answers and route, and (for a signal that is not worth its price) the campaign's other leads. The
graph keeps its partitions by the same rule. Looking whether all of it is the same takes one small read for all requests that wait.

Does not belong here: the way through the rooms (see `enriching`), what may be spent (see `paying`), HTTP.
"""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from lead_assets.contracts import TABLES
from lead_assets.core.campaign_keys import inbound_key
from lead_assets.core.settings import Settings
from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.versions import Head
from lead_assets.rules.check import rules_stamp
from lead_assets.service.enriching import OneLead, read_leads, through_together
from lead_assets.service.spending import paid
from lead_assets.service.together import Together
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse

_MOST_KEPT = 20_000
_TOGETHER = 32
_BUYING_AT_ONCE = 16
_PATIENCE_SECONDS = 0.3
_GATHER_SECONDS = 0.005
_STAMP_SECONDS = 1.0


@dataclass(frozen=True)
class _Kept:
    """An answer and what it was made from."""

    row: dict[str, Any]
    found: OneLead
    rules: object
    home: tuple[int, int, int]
    heads: dict[str, Head]
    routed: tuple[object, ...] | None
    others: dict[str, str]
    until: float


class _Wanted(NamedTuple):
    key: ServiceKey
    max_usd: float | None
    leads: pl.DataFrame
    found: OneLead


class ServiceDesk:
    """The desk of one process."""

    def __init__(self, settings: Settings, ledger: Ledger, archive: Archive, warehouse: Warehouse) -> None:
        self._settings, self._ledger, self._archive, self._warehouse = settings, ledger, archive, warehouse
        self._reading = Together(self._read_group, "reading", most=_TOGETHER, gather=_GATHER_SECONDS)
        self._enriching = Together(
            self._group, "enriching", most=_TOGETHER, groups=_BUYING_AT_ONCE, patience=_PATIENCE_SECONDS, gather=_GATHER_SECONDS
        )
        self._checking = Together(self._check, "checking", most=1_000)
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._bodies: OrderedDict[tuple[bytes, str], tuple[object, pl.DataFrame, OneLead]] = OrderedDict()
        self._stamp: tuple[float, object] = (0.0, None)

    def close(self) -> None:
        for each in (self._reading, self._enriching, self._checking):
            each.close()

    def forget(self) -> None:
        """Keep nothing: somebody was erased."""
        self._kept.clear()
        self._bodies.clear()

    async def read(self, body: bytes) -> tuple[pl.DataFrame, OneLead]:
        """As `enriching.read_lead`."""
        leads, found = await self._reading.do(body)
        return leads, found

    async def remembered(self, body: bytes) -> OneLead | None:
        """The answer to a body that was received and answered by this process before, if nothing has changed since."""
        known = self._bodies.get(_body_key(body))
        if known is None or known[0] != self._rules():
            return None
        return await self._still(known[1].row(0, named=True))

    def remember(self, body: bytes, leads: pl.DataFrame, found: OneLead) -> None:
        """What was read from a body that is safe."""
        _put(self._bodies, _body_key(body), (self._rules(), leads, found))

    async def through(self, key: ServiceKey, leads: pl.DataFrame, found: OneLead, max_usd: float | None) -> OneLead:
        """The one lead through the rooms, within the money of the request and its key; or what was kept, if it is what would come out."""
        kept = await self._still(leads.row(0, named=True))
        if kept is not None:
            for name in ("lead", "signals", "enriched", "classification", "score", "decision"):
                setattr(found, name, getattr(kept, name))
            return found
        return await self._enriching.do(_Wanted(key, max_usd, leads, found))

    async def _still(self, row: dict[str, Any]) -> OneLead | None:
        kept = self._kept.get((row["campaign_id"], row["lead_id"]))
        if kept is None or kept.row != row:
            return None
        if await self._checking.do(kept):
            return copy.copy(kept.found)
        self._kept.pop((row["campaign_id"], row["lead_id"]), None)
        return None

    def _check(self, group: Sequence[_Kept]) -> Sequence[bool | Exception]:
        keys = {key for kept in group for key in kept.heads}
        leads = {(kept.row["campaign_id"], kept.row["lead_id"]) for kept in group}
        now, rules = self._ledger.versions(keys, leads), self._rules()
        moment = self._ledger.now().timestamp()
        nothing: Head = (None, None)
        return [
            kept.rules == rules
            and kept.home == now.home
            and moment < kept.until
            and kept.routed == now.routed.get((kept.row["campaign_id"], kept.row["lead_id"]))
            and all(now.heads.get(key, nothing) == head for key, head in kept.heads.items())
            and (not kept.others or kept.others == self._others(kept.found))
            for kept in group
        ]

    def _read_group(self, bodies: Sequence[bytes]) -> Sequence[tuple[pl.DataFrame, OneLead] | Exception]:
        given = [(body, None) for body in bodies]
        now = datetime.now(UTC)
        try:
            return read_leads(given, now=now, ledger=self._ledger, settings=self._settings)
        except Exception:
            if len(bodies) == 1:
                raise
        # One body that cannot be read must not refuse the others.
        answers: list[tuple[pl.DataFrame, OneLead] | Exception] = []
        for each in given:
            try:
                answers += read_leads([each], now=now, ledger=self._ledger, settings=self._settings)
            except Exception as error:
                answers.append(error)
        return answers

    def _group(self, group: Sequence[_Wanted]) -> Sequence[OneLead | Exception]:
        answers: dict[int, OneLead | Exception] = {}
        rest = list(enumerate(group))
        while rest:
            first = rest[0][1]
            together: dict[tuple[str, str], int] = {}
            for number, wanted in rest:
                # Who has a limit of their own is served alone; of one lead, one request at a time.
                row = (wanted.leads["campaign_id"][0], wanted.leads["lead_id"][0])
                is_alike = wanted is first or (wanted.key.key_id == first.key.key_id and wanted.max_usd is None and first.max_usd is None)
                if is_alike and row not in together:
                    together[row] = number
            chosen = sorted(together.values())
            try:
                self._through([group[number] for number in chosen])
                answers |= {number: group[number].found for number in chosen}
            except Exception as error:
                if len(chosen) == 1:
                    answers[chosen[0]] = error
                else:
                    answers |= {number: self._alone(group[number]) for number in chosen}
            rest = [(number, wanted) for number, wanted in rest if number not in answers]
        return [answers[number] for number in range(len(group))]

    def _alone(self, wanted: _Wanted) -> OneLead | Exception:
        try:
            self._through([wanted])
        except Exception as error:
            return error
        return wanted.found

    def _through(self, group: Sequence[_Wanted]) -> None:
        rules, before = self._rules(), self._ledger.versions((), ())
        leads = pl.concat([wanted.leads for wanted in group])
        paid(
            self._ledger,
            group[0].key,
            group[0].max_usd,
            lambda ledger: through_together(
                leads,
                [wanted.found for wanted in group],
                ledger=ledger,
                settings=self._settings,
                archive=self._archive,
                warehouse=self._warehouse,
            ),
        )
        self._keep([wanted.found for wanted in group], rules, before.home, before.last)

    def _keep(self, found: Sequence[OneLead], rules: object, home: tuple[int, int, int], last: int) -> None:
        """Keep the answers for which nothing was bought or changed meanwhile."""
        moment = self._ledger.now().timestamp()
        good = [one for one in found if one.lead is not None and one.decision is not None and one.until > moment]
        if not good:
            return
        now = self._ledger.versions(
            {key for one in good for key in one.keys}, {(one.lead["campaign_id"], one.lead["lead_id"]) for one in good if one.lead}
        )
        for one in good:
            row = one.lead or {}
            heads = {key: now.heads.get(key, (None, None)) for key in one.keys}
            if any(number is not None and number > last for head in heads.values() for number in head):
                continue
            routed = now.routed.get((row["campaign_id"], row["lead_id"]))
            if routed is None or routed[0] != (one.decision or {}).get("owner"):
                continue
            kept = _Kept(row, copy.copy(one), rules, home, heads, routed, self._others(one), one.until)
            _put(self._kept, (row["campaign_id"], row["lead_id"]), kept)

    def _others(self, one: OneLead) -> dict[str, str]:
        """What is noted of the tables of signals that count as the campaign's other leads have them."""
        campaign = (one.lead or {})["campaign_id"]
        return {name: note for name in one.not_worth_it for note in self._warehouse.notes(TABLES[f"signals.{name}"], [campaign]).values()}

    def _rules(self) -> object:
        at, stamp = self._stamp
        if time.monotonic() - at > _STAMP_SECONDS:
            stamp = rules_stamp(self._settings)
            self._stamp = (time.monotonic(), stamp)
        return stamp


def _body_key(body: bytes) -> tuple[bytes, str]:
    """Without a campaign of its own, a body belongs to that of its day."""
    return sha256(body).digest(), inbound_key(datetime.now(UTC))


def _put(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST_KEPT:
        kept.popitem(last=False)

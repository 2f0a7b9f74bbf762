"""Routes leads without the ledger: what a table would do, from the beginning or from a given standing.

Belongs here: the ledger's side of routing, in memory. Does not belong here: choosing (`choose`), or comparing with what happened (`what_if`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby

import polars as pl

from lead_assets.ledger.assignments_model import Held, InCrm, Load, RoutingState, Since
from lead_assets.routing.choose import Chooser

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rehearsal:
    """A standing that remembers what was given away in it."""

    def __init__(self, accounts: Mapping[str, Held] | None = None, crm: Mapping[str, InCrm] | None = None) -> None:
        self.accounts = dict(accounts or {})
        self.crm = dict(crm or {})
        self.rotas: dict[str, str] = {}
        self._given: dict[str, list[int]] = {}
        """By owner, when leads were given, in order."""
        self._closed: dict[str, list[tuple[int, int]]] = {}
        """By owner, when leads were given and closed."""

    def route(self, chooser: Chooser, at: Sequence[datetime], closed: Sequence[datetime | None] = ()) -> pl.DataFrame:
        """Routes the chooser's leads in their order, each at its time: campaign_id, lead_id, account_key, owner, way, said, due_at, routed_at.

        A lead counts as open until it was `closed`, if it was.
        """
        rows = []
        start = 0
        for now, group in groupby(at):
            indices = range(start, start := start + len(list(group)))
            moment = _us(now)
            chosen = chooser(RoutingState(now, self.accounts, self.crm, self.rotas, partial(self._loads, moment)), indices)
            for assignment in chosen.accounts:
                a = assignment
                self.accounts[a.account_key] = Held(a.owner, a.campaign_id, a.reason, a.territory, a.rule, a.fallback)
            self.rotas |= chosen.rotas
            for choice in chosen.choices:
                self._given.setdefault(choice.owner, []).append(moment)
                if closed and (end := closed[choice.at]) is not None:
                    self._closed.setdefault(choice.owner, []).append((moment, _us(end)))
                rows.append((*chooser.leads[choice.at], choice.owner, choice.way, chosen.ways[choice.way], choice.due_us, moment))
        names = ("campaign_id", "lead_id", "account_key", "owner", "way", "said", "due_at", "routed_at")
        schema = {name: pl.Int64() if name.endswith("_at") else pl.String() for name in names}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in ("due_at", "routed_at"))

    def _loads(self, now: int, since: Mapping[str, Since]) -> dict[str, Load]:
        found = {}
        for owner, begins in since.items():
            times = self._given.get(owner, [])
            ended = sum(given >= begins.open and end <= now for given, end in self._closed.get(owner, ()))
            found[owner] = Load(len(times) - bisect_left(times, begins.given), len(times) - bisect_left(times, begins.open) - ended)
        return found


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

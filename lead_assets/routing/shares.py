"""Whose turn it is in a pool: at every point each person has been given their exact share to within one lead.

The exact share of a person is the sum, over the leads given so far, of weight / sum of the weights of all who could take that lead. The lag is that share
minus the leads given. A person may get the next lead if that does not put them a whole lead ahead, and must get it before they are a whole lead behind; of
those who may, the one who must get it soonest does. (R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32, 1980, shows that lags below
one are always possible; M. Balinski and P. Young's quota method and J. Still's, 1975 and 1979, and the Pfair schedules of S. Baruah et al., "Proportionate
progress", Algorithmica 15, 1996, choose in this way.) nginx's smooth weighted round robin gives to whoever has the largest lag, and so lets people with
small weights wait for more than a lead.

Why it always works: each lead a person is owed is a unit of work with a first and a last turn, all whole numbers, and the soonest last turn first is optimal
for those. By turn t, floor(lag + t·share) leads of each person are due and ceil(lag + t·share) are allowed, so all is well as long as the first sum to at
most t and the second to at least t. Where the lags sum to 0 they do, and everything repeats after as many turns as the weights sum to.

A roster that changes (somebody joins, is away, full, or has left) goes on with the lags that people had, and whoever comes back has the lag they left
with. No rule that does not know the future can keep the sums of all shares within one lead then: of four equals, let each of two leave right after their
turn, and one of the other two is 13/12 of a lead behind. So `changed` asks whether the lags can still be made good in time. Usually they can; otherwise
what the people here are owed together, or have too much, is shared out among them by weight, and if that is not enough, their lags are halved until it is:
that much is written off. So the lag stays below one at every point, across all changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

_STEPS = 1000
"""Lags are whole numbers of 1/(1000 · sum of weights) of a lead: exact while a roster stays, rounded when it changes."""
_MOST_TURNS = 5000
"""In a pool whose turns repeat only after more than that, nobody keeps a lag when the roster changes: looking ahead would take too long."""


@dataclass
class PoolShares:
    """The members of a pool and their lags. `take` chooses the next one and counts the lead."""

    weights: dict[str, int]
    """Weight of each person who can take leads now, times `_STEPS`."""
    lags: dict[str, int] = field(default_factory=dict)
    """Share minus leads given, in leads times the sum of `weights`."""
    away: dict[str, float] = field(default_factory=dict)
    """The lags of those who cannot take leads now, in leads."""

    @classmethod
    def of(cls, weights: Mapping[str, int]) -> PoolShares:
        """A pool that has given nothing yet. Weights are whole numbers from 1, in the order that decides between equals."""
        return cls({person: weight * _STEPS for person, weight in weights.items()}, dict.fromkeys(weights, 0))

    @property
    def whole(self) -> int:
        """One lead, in the unit of the lags."""
        return sum(self.weights.values())

    def take(self) -> str:
        """The person whose turn it is. Raises ValueError if there is nobody."""
        whole = self.whole
        chosen, soonest, owed = "", 0, 0
        lags = self.lags
        for person, weight in self.weights.items():
            lag = lags[person]
            if lag + weight > 0:
                last_turn = -((lag - whole) // weight)
                if not chosen or last_turn < soonest or (last_turn == soonest and lag > owed):
                    chosen, soonest, owed = person, last_turn, lag
        if not chosen:
            raise ValueError("a pool without people has no turn")
        for person, weight in self.weights.items():
            lags[person] += weight
        lags[chosen] -= whole
        return chosen

    def same_roster(self, weights: Mapping[str, int]) -> bool:
        """Whether these are the people and weights that it has now."""
        return {person: weight * _STEPS for person, weight in weights.items()} == self.weights

    def changed(self, weights: Mapping[str, int]) -> PoolShares:
        """The pool with another roster."""
        before = self.whole
        known = self.away | {person: lag / before for person, lag in self.lags.items()}
        after = PoolShares.of(weights)
        after.away = {person: lag for person, lag in known.items() if person not in weights}
        if not weights:
            return after
        whole = after.whole
        kept = {person: known.get(person, 0.0) for person in weights}
        after.lags = {person: round(lag * whole) for person, lag in kept.items()}
        if after.fits():
            return after
        rest = sum(kept.values())
        level = {person: lag - rest * after.weights[person] / whole for person, lag in kept.items()}
        for halves in range(5):
            after.lags = _summing_to_zero({person: lag * whole / 2**halves for person, lag in level.items()})
            if after.fits():
                return after
        after.lags = dict.fromkeys(weights, 0)
        return after

    def fits(self) -> bool:
        """Whether everybody can be kept within one lead of their share from here on, as long as the roster stays."""
        whole = self.whole
        if any(abs(lag) >= whole for lag in self.lags.values()):
            return False
        if not any(self.lags.values()):
            return True
        people = [(self.lags[person], weight) for person, weight in self.weights.items()]
        turns = whole // math.gcd(*self.weights.values())
        if turns > _MOST_TURNS:
            return False
        for turn in range(1, turns + 1):
            owed = [lag + turn * weight for lag, weight in people]
            if sum(max(0, each // whole) for each in owed) > turn or sum(-(-each // whole) for each in owed) < turn:
                return False
        return True


def _summing_to_zero(lags: Mapping[str, float]) -> dict[str, int]:
    found = {person: int(lag) for person, lag in lags.items()}
    over = sum(found.values())
    for person in found:
        if over:
            step = 1 if over < 0 else -1
            found[person] += step
            over += step
    return found

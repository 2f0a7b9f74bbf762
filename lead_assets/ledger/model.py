"""The ledger's vocabulary: a want (something to buy), a reply (what the vendor said), an answer (what is journaled).

Belongs here: the plain values that rooms and the ledger exchange. Does not belong here: SQL (see `journal`) or buying (see `purchase`).
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import orjson

from lead_assets.contracts.base import canonical_json
from lead_assets.contracts.signals import State

T = TypeVar("T")

PASSING = frozenset({"provider_error", "rate_limited", "timeout"})
"""Temporary reasons for an unknown. The next run asks the vendor again at once: it may be back, and while it is not, its circuit
blocks the calls."""

KEPT_OUT = "kept_out"
"""Reason why nothing is bought about somebody who is suppressed."""

SCORE_MODEL = "score_model"
LOOKALIKE_INDEX = "lookalike_index"
"""The names of artifacts that are pinned (see `pins`)."""

MICROS = 1_000_000
"""The ledger counts money in whole micro-dollars."""


class NewerLedgerError(RuntimeError):
    """A newer release has opened this ledger; this one would not understand what it wrote."""


def to_usd(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)


def to_micros(usd: Decimal | float | str) -> int:
    return round(Decimal(str(usd)) * MICROS)


@dataclass(frozen=True)
class Lifetimes:
    """How long an answer stays fresh, by state. Unknown is never treated as "no": it is asked again after minutes, or at once for a reason in PASSING."""

    found: timedelta
    not_found: timedelta
    unknown: timedelta = timedelta(minutes=5)

    def of(self, state: State) -> timedelta:
        lifetime: timedelta = getattr(self, state)
        return lifetime


@dataclass(frozen=True)
class Want:
    """One thing to buy, once: an operation on a subject with parameters.

    `operation` is provider-qualified, e.g. "pipe0.company:overview@2" or "anthropic.messages"; `subject` e.g. "acme.com" or a lead's content hash;
    `parameters` is everything else that affects the answer (config, prompt hash, model). Equal (operation, subject, parameters) is one purchase.
    `payload` is what the caller needs to make the call; it is neither hashed nor stored.
    """

    provider: str
    operation: str
    subject: str
    price_micros: int
    """The most the call can cost; reserved before the call."""
    campaign_id: str
    lifetimes: Lifetimes
    parameters: dict[str, Any] = field(default_factory=dict, hash=False)
    payload: Any = field(default=None, hash=False, compare=False)

    @functools.cached_property
    def key(self) -> str:
        """The purchase's key in the ledger: 32 hex digits."""
        return AnswerKeys(self.operation, self.parameters).of(self.subject)


class AnswerKeys:
    """Makes the keys of purchases that differ in their subject alone: a tenth of the time that a `Want` takes for it."""

    def __init__(self, operation: str, parameters: dict[str, Any]) -> None:
        self._what = operation, parameters
        try:
            self._before = orjson.dumps([operation])[:-1] + b","
            self._after = b"," + orjson.dumps(parameters, default=str, option=_KEY_OPTIONS) + b"]"
        except TypeError:  # integers above 64 bits, lone surrogates
            self._before = b""

    def of(self, subject: str) -> str:
        try:
            text = self._before + orjson.dumps(subject) + self._after if self._before else self._otherwise(subject)
        except TypeError:
            text = self._otherwise(subject)
        return hashlib.sha256(text).hexdigest()[:32]

    def _otherwise(self, subject: str) -> bytes:
        operation, parameters = self._what
        return canonical_json([operation, subject, parameters]).encode("utf-8", "surrogatepass")


_KEY_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Reply:
    """A vendor's reply to one want."""

    state: State
    reason: str | None = None
    """Why it is not_found or unknown."""
    body: Any = None
    """The raw, JSON-serialisable answer for this subject; journaled unchanged and parsed again on every rebuild."""
    cost_micros: int = 0
    vendor_ref: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Answer:
    """A journaled reply. `bought` is True only for the purchase that made the call."""

    key: str
    state: State
    reason: str | None
    body: Any
    cost_micros: int
    answered_at: datetime | None
    """When the vendor answered; None if it was not asked (over budget, paused, no key, …)."""
    campaign_id: str
    """The campaign that paid."""
    vendor_ref: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    stale: bool = False
    bought: bool = False

    def is_fresh(self, lifetimes: Lifetimes, now: datetime) -> bool:
        return self.answered_at is not None and now - self.answered_at < lifetimes.of(self.state)

    def read(self, parser: Callable[[Any], T]) -> T:
        """What `parser` makes of the body, which is not kept: to hold thousands of bodies takes three times as long as to read them."""
        return parser(self.body)


class History(NamedTuple):
    """The newest journaled answers for a key: the last valid one, and the last failure to get one."""

    known: Answer | None = None
    unknown: Answer | None = None

    @property
    def best(self) -> Answer | None:
        return self.known or self.unknown

    def serve(self, lifetimes: Lifetimes, now: datetime) -> Answer | None:
        """The answer to use without buying, or None if it must be bought. An unknown never hides an older found, which is served as stale."""
        if self.known and self.known.is_fresh(lifetimes, now):
            return self.known
        if self.unknown and self.unknown.reason not in PASSING and self.unknown.is_fresh(lifetimes, now):
            return replace(self.known, stale=True) if self.known else self.unknown
        return None

    def remember(self, lifetimes: Lifetimes) -> Answer | None:
        """The answer to use, of any age, for runs that must not spend.

        Depends on the journal alone, so that a rebuild gives the same today and in a year: an answer is stale if, after it expired, somebody tried
        and failed to get a newer one. That nobody has asked since does not make it stale.
        """
        if self.known is None or self.known.answered_at is None:
            return self.unknown
        tried = self.unknown.answered_at if self.unknown else None
        outlived = tried is not None and tried - self.known.answered_at >= lifetimes.of(self.known.state)
        return replace(self.known, stale=True) if outlived else self.known


_LASTING = frozenset({"no_key", "not_bought"})
"""Reasons for misses that last until the settings change or somebody buys."""


def stands_until(lifetimes: Lifetimes, answer: Answer | None, *, buying: bool = True) -> float:
    """Until when asking again gives the same result, in seconds since the epoch; infinity if time does not matter.

    `buying`: whether expired answers would be bought again.
    """
    if answer is None or answer.answered_at is None:
        return math.inf if answer is None or answer.reason in _LASTING else 0.0
    if answer.stale or answer.state == "unknown":
        return 0.0 if buying else math.inf
    return (answer.answered_at + lifetimes.of(answer.state)).timestamp()


def missed(want: Want, reason: str) -> Answer:
    """The answer to a want for which no vendor was asked, with the reason."""
    return Answer(
        key=want.key,
        state="unknown",
        reason=reason,
        body=None,
        cost_micros=0,
        answered_at=None,
        campaign_id=want.campaign_id,
    )


Intent = Callable[[int], str]
"""Makes the text journaled with the claims of one request until the vendor's id exists, from the number of its wants."""

UNSENT = "unsent"
"""The intent of a caller that reports when its request leaves (`Ledger.sending`): until then the claim cannot have been billed."""


@dataclass(frozen=True)
class Granted:
    """A want that is now ours to buy, with its price reserved. If it has a `vendor_ref`, the work was already started: fetch it, never submit again.
    `fresh`: the reference is an intent made with this claim; nothing was started yet."""

    want: Want
    vendor_ref: str | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Claimed:
    """The result of claiming wants: each is in exactly one of the first four."""

    granted: list[Granted]
    busy: list[Want]
    """Currently being bought by somebody else: wait for their answer."""
    answered: dict[str, Answer]
    """Bought by somebody else in the meantime, by key."""
    refused: dict[str, str]
    """Reasons why wants cannot be bought, by key: over_budget, paused, kept_out (suppressed), provider_error while the provider's circuit is
    open."""
    uncertain: frozenset[str] = frozenset()
    """Keys for which a dead holder's call was found and counted as uncertain; their wants are granted or refused as usual."""
    blocked: frozenset[str] = frozenset()
    """Buckets that are blocked because the vendor said "too fast"."""

    @property
    def paused(self) -> list[str]:
        return [key for key, reason in self.refused.items() if reason == "paused"]


@dataclass
class Spent:
    """What a purchase cost one campaign: the one named in its wants."""

    hits: int = 0
    """Answered from the ledger, whichever process bought the answer."""
    bought: int = 0
    """Answered by the vendor, for this purchase."""
    cost_micros: int = 0
    uncertain: int = 0
    """Calls that may have been billed but whose answer was lost."""
    latencies_ms: list[int] = field(default_factory=list)
    """Latency of each answered request. A request for several campaigns counts for each of them."""

    def add(self, other: Spent) -> None:
        self.hits += other.hits
        self.bought += other.bought
        self.add_cost(other)

    def add_cost(self, other: Spent) -> None:
        """Add everything from the other except its answers."""
        self.cost_micros += other.cost_micros
        self.uncertain += other.uncertain
        self.latencies_ms += other.latencies_ms


@dataclass(frozen=True)
class Settlement:
    """The end of a claimed want: the vendor's reply and its cost. `uncertain`: the call got no answer but may have been billed."""

    want: Want
    reply: Reply
    answered_at: datetime
    latency_ms: int = 0
    uncertain: bool = False


@dataclass(frozen=True)
class Rate:
    """At most `limit` slots in any `per` seconds. Up to `burst` of them may come at once; the rest are spread out so that no window, wherever it
    starts, contains more than `limit`."""

    limit: int
    per: float
    burst: int = 1

    @property
    def interval(self) -> float:
        """Seconds between slots: 3 % slower than the limit, so that a slot may be used up to `tolerance` late."""
        return self.per / max(self.limit * 0.97 - self.burst + 1, 0.01)

    @property
    def tolerance(self) -> float:
        """Seconds by which a slot may be used late. A later slot must be given up, or a window could contain too many."""
        return self.per * 0.025

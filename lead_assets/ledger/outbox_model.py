"""The outbox's vocabulary: what is to be sent, an entry that is being worked on, and what became of it.

Belongs here: plain values that the delivery room, vendors and the ledger exchange. Does not belong here: SQL (see `outbox`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

SendState = Literal["waiting", "sending", "sent", "confirmed", "uncertain", "failed", "dead", "held"]
"""waiting: to be sent. sending: the request may have left. sent: the destination took it and works on it. confirmed: it says that it has it. uncertain: the
answer was lost, so that it may have it. failed: it did not take it and is asked again. dead: given up, until somebody replays it. held: not to be sent for
now, `reason` says why."""

OPEN: tuple[SendState, ...] = ("waiting", "sending", "sent", "uncertain", "failed")
"""States in which the destination has still to be asked."""


def person_hash(identity: str) -> str:
    """What the ledger keeps of a person: a hash of the normalised e-mail address, or of another identity of theirs."""
    return hashlib.sha256(f"person:{identity}".encode()).hexdigest()[:32]


def field_hash(value: Any) -> str:
    """What the ledger keeps of a value that a destination has."""
    return hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


NEWEST_EDITION = 3
"""The highest edition of a message's content. Raise it with a step of the ledger's (see `schema.HEAD`), even one that changes no table: a release that does
not know the edition would send again whatever this one sent, and refuses the ledger for the step."""


def edition(content: str) -> str:
    """What a message's content says of how it was made: "2" in "2:ab12"; contents of different editions cannot be compared."""
    return content.rpartition(":")[0]


def is_news(told: str, content: str) -> bool:
    """Whether a message with this content is another one than the one that was told. What stands behind a / is how it is put: what has not left yet is put
    anew, and nobody is told again for that."""
    return edition(told) == edition(content) and not is_told(told, content)


def is_told(told: str, content: str) -> bool:
    """Whether the message that was told is this one, however it is put."""
    return told.partition("/")[0] == content.partition("/")[0]


class LazyBody(Mapping[str, Any]):
    """A body that is made when it is first looked at: nearly all of what is planned is there already, and then only its `content` counts."""

    __slots__ = ("_made", "_make", "_of")

    def __init__(self, make: Callable[..., Mapping[str, Any]], *of: Any) -> None:
        self._make, self._of = make, of
        self._made: Mapping[str, Any] | None = None

    @property
    def _body(self) -> Mapping[str, Any]:
        if self._made is None:
            self._made = self._make(*self._of)
        return self._made

    def __getitem__(self, name: str) -> Any:
        return self._body[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._body)

    def __len__(self) -> int:
        return len(self._body)


@dataclass(slots=True, kw_only=True)  # not frozen: fifty thousand are planned at once, and a frozen one takes four times as long to make
class ToSend:
    """One thing to send. A lead has at most one of each `kind` per destination; another `content` is another send."""

    destination: str
    kind: str
    campaign_id: str
    lead_id: str
    person: str
    """`person_hash` of whom it is about."""
    content: str
    """Hash of what makes it another message, e.g. of its body; with the number of an edition before it, if a release has changed what is hashed."""
    body: Mapping[str, Any]
    """What the destination's client needs; deleted once it is confirmed."""
    lane: str = ""
    """Entries of one lane share a rate, e.g. a Slack channel."""
    owner: str | None = None
    """The person it is for, if it is for one."""
    reaches: bool = False
    """Whether the person it is about receives something: such sends are counted."""
    as_of: datetime
    """How new its values are: an older lead does not overwrite those of a newer one."""
    not_before: datetime | None = None
    due_by: datetime | None = None
    """When it is too late."""
    after: str | None = None
    """Another kind that must be confirmed first, for the same lead and destination."""

    @property
    def slot(self) -> tuple[str, str, str, str]:
        return (self.destination, self.campaign_id, self.lead_id, self.kind)


@dataclass(frozen=True)
class Mirror:
    """What a destination has of a person: field → (`field_hash`, as of when in microseconds), and its own id for the person."""

    fields: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    vendor_id: str | None = None

    def has(self, name: str, value: Any) -> bool:
        return name in self.fields and self.fields[name][0] == field_hash(value)


@dataclass(frozen=True)
class Parcel:
    """An entry that a worker holds."""

    id: int
    key: str
    destination: str
    kind: str
    campaign_id: str
    lead_id: str
    person: str
    body: Mapping[str, Any]
    lane: str
    owner: str | None
    reaches: bool
    as_of_us: int
    state: SendState
    attempts: int
    uncertain: int
    """Attempts whose outcome nobody knows."""
    first_sent_at: datetime | None
    vendor_ref: str | None
    mirror: Mirror = field(default_factory=Mirror)

    def changed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the destination does not have, without those that it has from a newer lead."""
        known = self.mirror.fields
        return {
            name: value
            for name, value in values.items()
            if name not in known or (known[name][0] != field_hash(value) and known[name][1] <= self.as_of_us)
        }


@dataclass(frozen=True)
class Sent:
    """An entry that has left: by what a destination can find it again."""

    destination: str
    kind: str
    campaign_id: str
    lead_id: str
    person: str
    key: str
    lane: str
    vendor_ref: str | None


@dataclass(frozen=True)
class Fate:
    """What became of a parcel."""

    state: SendState
    reason: str | None = None
    """A code, never data."""
    retry_after: float | None = None
    """Seconds after which to ask again; None leaves it to the schedule. For `sent`: when to look again."""
    vendor_ref: str | None = None
    wrote: Mapping[str, Any] = field(default_factory=dict)
    """Values that the destination now has."""
    vendor_id: str | None = None
    forget: bool = False
    """The destination no longer has the person: what we believed of it is void."""
    free: bool = False
    """Not an attempt: it did not leave, or it was not its turn."""


@dataclass(frozen=True)
class Policy:
    """When sends wait. `after`: seconds before the second, third … attempt; then the entry is dead."""

    after: tuple[float, ...] = (60.0, 300.0, 1800.0, 7200.0, 21600.0)
    most_per_person: int | None = None
    person_days: float = 7.0


@dataclass(frozen=True)
class Planned:
    """What became of intents."""

    new: int = 0
    changed: int = 0
    same: int = 0
    withdrawn: int = 0

"""The note stored with each partition: the hash of its rows, what they were made from, and what its materialization showed.

A partition that would be made from the same again, according to its note, is neither computed nor written. The warehouse stores the text without reading it;
it disappears with the partition.

Belongs here: the note, and whether it is still valid. Does not belong here: when a step asks (see `tables`), or how notes are stored (see the warehouses).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

CONTENT = "lead_assets/content"
"""Metadata of a materialization: the hash of the partition's rows, which is its data version."""

_PREFIX = 16
"""Hex digits of a ledger key kept in a note: 64 bits, so that among a million keys a collision happens in one of 36 million homes."""


@dataclass(frozen=True)
class Served:
    """Which ledger answers a partition shows, and until when it would show the same ones."""

    keys: frozenset[str]
    """Prefixes of the keys that were looked for, answered or not."""
    until: float
    """When an answer expires or a miss may be retried, in seconds since the epoch; infinity if never."""
    recalled: frozenset[str] = frozenset()
    """Prefixes of keys that the step only looked for and would not have bought, of any partition: another run may have bought them meanwhile."""


@dataclass(frozen=True)
class Note:
    content: str
    """Hash of the rows: `stores.warehouse.base.digests`."""
    rows: int
    made_from: dict[str, str | None]
    """Hashes of what the rows depend on: "code" (contract, logic, rules), each input by table name, "limit", "buy", "world", "outside". An
    input without a note has no hash, and then nobody can tell whether the rows would be the same."""
    figures: dict[str, Any] = field(default_factory=dict)
    sealed: bool = False
    """Whether all checks have passed since the partition was written."""
    until: float | None = None
    last_call: int | None = None
    """The newest call in the ledger when its answers were served; None for a partition without answers."""
    keys: str = ""

    @classmethod
    def read(cls, text: str) -> Note | None:
        """The note, or None if the text is not a note of this version."""
        try:
            return cls(**orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError):
            return None

    def text(self) -> str:
        return orjson.dumps(self, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def differs(note: Note, made_from: dict[str, str | None]) -> list[str]:
    """The parts of `made_from` that have changed since the partition was made, or that cannot be compared.

    What a run that may buy has made, one that may not would not make better."""
    if made_from.get("buy") == "never" and note.made_from.get("buy") == "always":
        made_from = made_from | {"buy": "always"}
    names = [*made_from, *(name for name in note.made_from if name not in made_from)]
    return [name for name in names if made_from.get(name) is None or made_from[name] != note.made_from.get(name)]


def with_served(note: Note, served: Served, last_call: int) -> Note:
    packed = base64.b64encode(bytes.fromhex("".join(sorted(served.keys)))).decode()
    until = None if served.until == float("inf") else served.until
    return replace(note, until=until, last_call=last_call, keys=packed)


def last_reflected(served: Served, last_call: int, called_meanwhile: Mapping[str, int]) -> int:
    """The newest call that the rows certainly reflect. `called_meanwhile`: the first calls, by key, that others made while the step was at work."""
    missed = [call for key, call in called_meanwhile.items() if prefix(key) in served.recalled and prefix(key) in served.keys]
    return min([last_call, *(call - 1 for call in missed)])


def prefix(key: str) -> str:
    return key[:_PREFIX]


def prefixes(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(map(prefix, keys))


def answers_hold(note: Note, *, now: float, last_call: int, called_since: Callable[[int], frozenset[str]], ageless: bool) -> bool:
    """Whether the ledger would serve the same answers as when the note was written.

    `called_since` gives the `prefixes` of the keys of all calls after an id. `ageless`: this run serves answers of any age.
    """
    if note.last_call is None:
        return True
    if not ageless and note.until is not None and now >= note.until:
        return False
    if last_call < note.last_call:
        return False  # a different ledger
    if last_call == note.last_call:
        return True
    return not (called_since(note.last_call) & _unpacked(note.keys))


def overtaken(note: Note, last_calls: Mapping[str, int]) -> bool:
    """Whether a key was called after its answer, or that there was none, was shown. `last_calls`: the newest call by prefix of the key."""
    return note.last_call is not None and any(last_calls.get(key, 0) > note.last_call for key in _unpacked(note.keys))


def _unpacked(keys: str) -> frozenset[str]:
    digits = base64.b64decode(keys).hex()
    return frozenset(digits[start : start + _PREFIX] for start in range(0, len(digits), _PREFIX))

"""Stateless randomness: every draw has a name, and depends only on the seed and that name.

So the sandbox's answers are the same in any process, on any machine and in any order, and a new fact does not change an old one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Named draws for one subject, e.g. `Dice("company", "acme.example").pick("industry", INDUSTRIES)`."""

    __slots__ = ("_seed",)

    def __init__(self, *seed: str) -> None:
        self._seed = "\x1f".join(seed).encode("utf-8", "surrogatepass")

    def number(self, name: str) -> int:
        """A whole number of 64 bits."""
        return int.from_bytes(blake2b(self._seed + b"\x1e" + name.encode(), digest_size=8).digest(), "big")

    def unit(self, name: str) -> float:
        """A number in [0, 1)."""
        return (self.number(name) >> 11) / (1 << 53)

    def chance(self, name: str, probability: float) -> bool:
        return self.unit(name) < probability

    def between(self, name: str, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.number(name) % (high - low + 1)

    def pick(self, name: str, items: Sequence[T]) -> T:
        return items[self.number(name) % len(items)]

    def weighted(self, name: str, weights: Mapping[T, float]) -> T:
        left = self.unit(name) * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return item

    def some(self, name: str, items: Sequence[T], count: int) -> list[T]:
        """`count` distinct items, in their given order."""
        ranked = sorted(range(len(items)), key=lambda index: self.number(f"{name}.{index}"))
        return [items[index] for index in sorted(ranked[:count])]

    def hex(self, name: str, digits: int) -> str:
        return blake2b(self._seed + b"\x1e" + name.encode(), digest_size=32).hexdigest()[:digits]

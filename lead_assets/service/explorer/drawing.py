"""Where the boxes and lines of a column's lineage go: a picture as numbers, which a template writes as SVG.

Sources stand to the left of what is made from them, and what is made from the column to its right, all from the top, where a phone begins; each column is drawn
once.
Does not belong here: the lineage itself (see `lead_assets.kit.columns`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lead_assets.kit.columns import Link

WIDTH, HEIGHT, GAP, ROW = 208, 44, 48, 56
"""Of a box, the space between two columns of boxes, and from one box to the next below."""
_MOST_STEPS = 2
_MOST_BOXES = 14
"""Below one another; the list under the picture has all."""


@dataclass(frozen=True)
class Box:
    name: str
    x: int
    y: int

    @property
    def table(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def column(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Line:
    """From a source to what is made from it, as an SVG path."""

    path: str


@dataclass(frozen=True)
class Drawing:
    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int
    left_out: int
    """Columns that are further away, or too many."""


def draw(column: str, upstream: Sequence[Link], downstream: Sequence[Link]) -> Drawing:
    """The picture of a column's lineage."""
    places = {column: 0}
    for links, sign in ((upstream, -1), (downstream, 1)):
        for link in links:
            name = link.source if sign < 0 else link.column
            if link.distance <= _MOST_STEPS:
                places.setdefault(name, sign * link.distance)
    every = {link.source for link in upstream} | {link.column for link in downstream} | {column}
    levels: dict[int, list[str]] = {}
    for name, level in places.items():
        levels.setdefault(level, []).append(name)
    shown = {level: names[:_MOST_BOXES] for level, names in levels.items()}
    first, height = min(shown), max(len(names) for names in shown.values()) * ROW
    boxes = {
        name: Box(name, (level - first) * (WIDTH + GAP), number * ROW + (ROW - HEIGHT) // 2)
        for level, names in shown.items()
        for number, name in enumerate(names)
    }
    # A line back to the left would cross what it passes; the lists have it.
    pairs = dict.fromkeys((link.source, link.column) for link in (*upstream, *downstream))
    lines = [
        _line(boxes[source], boxes[made]) for source, made in pairs if source in boxes and made in boxes and boxes[source].x < boxes[made].x
    ]
    return Drawing(list(boxes.values()), lines, (max(shown) - first + 1) * (WIDTH + GAP) - GAP, height, len(every) - len(boxes))


def _line(source: Box, made: Box) -> Line:
    x, y, to_x, to_y = source.x + WIDTH, source.y + HEIGHT // 2, made.x, made.y + HEIGHT // 2
    middle = (x + to_x) // 2
    return Line(f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}")

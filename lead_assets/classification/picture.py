"""A confusion matrix as a picture: an SVG in a data URI, which the Dagster UI shows in Markdown (its sanitizer lets `data:` images through).

Belongs here: drawing. Does not belong here: the data (`evaluation`). No plotting library: a matrix is a few dozen rectangles.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

_CELL, _LEFT, _TOP = 64, 150, 70


def confusion_svg(title: str, confusion: Mapping[str, Mapping[str, int]]) -> str:
    """`confusion`: label → answer → count. Rows are labels; the share within the row colours a cell, green if correct, red if wrong."""
    names, truths = list(confusion), [truth for truth, said in confusion.items() if any(said.values())]
    width, height = _LEFT + _CELL * len(names) + 10, _TOP + _CELL * len(truths) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{_LEFT}" y="38" fill="#666666">said →</text>',
        f'<text x="10" y="{_TOP - 8}" fill="#666666">true ↓</text>',
    ]
    for column, name in enumerate(names):
        parts.append(
            f'<text x="{_LEFT + _CELL * column + _CELL / 2}" y="{_TOP - 8}" text-anchor="middle" font-size="10">{escape(name)}</text>'
        )
    for row, truth in enumerate(truths):
        top, total = _TOP + _CELL * row, sum(confusion[truth].values())
        parts.append(f'<text x="{_LEFT - 8}" y="{top + _CELL / 2 + 4}" text-anchor="end">{escape(truth)} ({total})</text>')
        for column, said in enumerate(names):
            count = confusion[truth].get(said, 0)
            colour = "#1a7f37" if truth == said else "#cf222e"
            share = count / total
            left = _LEFT + _CELL * column
            parts.append(
                f'<rect x="{left}" y="{top}" width="{_CELL - 2}" height="{_CELL - 2}" fill="{colour}" fill-opacity="{0.06 + 0.8 * share:.2f}"/>'
            )
            ink = "#ffffff" if share > 0.6 else "#222222"
            parts.append(
                f'<text x="{left + _CELL / 2 - 1}" y="{top + _CELL / 2 + 4}" text-anchor="middle" fill="{ink}" font-size="14">{count}</text>'
            )
    return "".join([*parts, "</svg>"])


def as_markdown(title: str, svg: str) -> str:
    """An image that Markdown viewers show without fetching anything."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"

"""Pictures in a materialization's metadata: SVG in a data URI, which Dagster's UI shows in Markdown without fetching anything.

Transparent, with text in a grey that can be read on white and on black (contrast at least 4 : 1 with both), because an image does not know the UI's theme.
Bars and columns are written here, because every run shows them; they took a third of a backfill's time with matplotlib, which draws the rest: it is
loaded with the first of these, in half a second, and takes 20 ms for each.

Belongs here: kinds of pictures. Does not belong here: what a room shows.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#7d8288"
"""Text and axes."""
BLUE, GREEN, RED, AMBER = "#3b82c4", "#2e9e5b", "#d1495b", "#d98a1f"
_WIDTH, _ROW, _LETTER = 460, 23, 6.6
"""Pixels, of a letter about as many as it needs."""
_MOST_BARS = 20


def bars(title: str, values: Mapping[str, float], *, unit: str = "", colours: Mapping[str, str] | None = None) -> str:
    """Horizontal bars, in the order given, with their values; at most 20, and the rest as one. Returns Markdown."""
    shown = dict(list(values.items())[:_MOST_BARS])
    if rest := list(values.values())[_MOST_BARS:]:
        shown[f"{len(rest)} more"] = sum(rest)
    left = 14 + _LETTER * max(len(_short(name)) for name in [*shown, ""])
    most = max([*map(abs, shown.values()), 0.0]) or 1.0
    room = _WIDTH - left - 14 - _LETTER * max([len(f"{unit}{_number(size)}") for size in shown.values()], default=0)
    height = 30 + _ROW * len(shown)
    lines = [_text(4, 17, title, size=14)]
    for row, (name, size) in enumerate(shown.items()):
        top, length = 28 + _ROW * row, round(max(1.0, room * max(float(size), 0.0) / most), 1)
        lines += [
            _text(left - 6, top + 14, _short(name), anchor="end"),
            f'<rect x="{left:g}" y="{top:g}" width="{length:g}" height="{_ROW - 6:g}" fill="{(colours or {}).get(name, BLUE)}"/>',
            _text(left + length + 5, top + 14, f"{unit}{_number(size)}"),
        ]
    return _drawn(title, height, lines)


def _drawn(title: str, height: float, shapes: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:g}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" fill="{INK}">{"".join(shapes)}</svg>'
    return _as_markdown(title, svg.encode())


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    fill = f' fill="{colour}"' if colour != INK else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}"{fill}>{escape(text)}</text>'


def columns(title: str, values: Mapping[str, float], *, unit: str = "", limit: float | None = None) -> str:
    """One column per name (days), and a line at `limit` (a budget). Returns Markdown."""
    sizes = {name: max(float(size), 0.0) for name, size in values.items()}
    most = max([*sizes.values(), limit or 0.0]) or 1.0
    tick = _tick(most)
    marks = [tick * number for number in range(int(most / tick) + 1)]
    left = 12 + _LETTER * max(len(f"{unit}{_number(mark)}") for mark in marks)
    bottom, scale, width = 162.0, 120 / most, (_WIDTH - left - 8) / max(len(sizes), 1)
    every = max(1, -(-len(sizes) // 6))
    shapes = [_text(4, 17, title, size=14), _line(left, bottom, INK)]
    shapes += [_text(left - 6, bottom + 4 - scale * mark, f"{unit}{_number(mark)}", anchor="end") for mark in marks]
    for number, (name, size) in enumerate(sizes.items()):
        at, height = left + width * (number + 0.1), scale * size
        shapes.append(f'<rect x="{at:.1f}" y="{bottom - height:.1f}" width="{width * 0.8:.1f}" height="{height:.1f}" fill="{BLUE}"/>')
        if number % every == 0:
            shapes.append(_text(round(at + width * 0.4, 1), bottom + 18, name, anchor="middle"))
    if limit is not None:
        at = bottom - scale * limit
        shapes += [_line(left, at, RED, ' stroke-dasharray="6 4"'), _text(left + 6, at - 5, f"limit {unit}{_number(limit)}", colour=RED)]
    return _drawn(title, bottom + 28, shapes)


def _tick(most: float) -> float:
    """A round number, of which at most five fit into the largest value."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * part for part in (0.2, 0.5, 1.0, 2.0) if most / (power * part) <= 5)


def _line(left: float, at: float, colour: str, other: str = "") -> str:
    return f'<line x1="{left:.1f}" y1="{at:.1f}" x2="{_WIDTH - 8}" y2="{at:.1f}" stroke="{colour}"{other}/>'


def matrix(title: str, confusion: Mapping[str, Mapping[str, int]]) -> str:
    """A confusion matrix, label → answer → count: a row per label, coloured by the share within the row, green if right and red if wrong. Returns Markdown."""
    names, truths = list(confusion), [truth for truth, said in confusion.items() if any(said.values())]
    figure, axes = _new(title, 1.1 + 0.5 * max(1, len(truths)))
    for row, truth in enumerate(truths):
        total = sum(confusion[truth].values())
        for column, (said, count) in enumerate(confusion[truth].items()):
            share = count / total
            axes.add_patch(_cell(column, row, GREEN if truth == said else RED, share))
            axes.text(column, row, str(count), ha="center", va="center", color="white" if share > 0.6 else INK)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(truths) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), [_plain(name, 14) for name in names])
    axes.set_yticks(range(len(truths)), [f"{_plain(truth)} ({sum(confusion[truth].values())})" for truth in truths])
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.tick_top()
    axes.set_xlabel("said", color=INK)
    axes.xaxis.set_label_position("top")
    return _markdown(title, figure)


def curves(title: str, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str, y: str, diagonal: bool = False) -> str:
    """Lines, name → (x values, y values): ROC, calibration, lift. `diagonal`: what chance, or a perfect calibration, would be. Returns Markdown."""
    figure, axes = _new(title, 3.2)
    if diagonal:
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    for (name, (xs, ys)), colour in zip(lines.items(), [BLUE, AMBER, GREEN, RED] * 5, strict=False):
        axes.plot(xs, ys, color=colour, linewidth=1.6, marker="o" if len(xs) <= 20 else None, markersize=3.5, label=name)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    if len(lines) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return _markdown(title, figure)


def save_waterfall(path: Path, title: str, steps: Sequence[tuple[str, float]], *, line: float) -> None:
    """A sum, step by step from above, and a line to be reached; written as what the file's ending says (PNG, SVG, PDF)."""
    figure, axes = _new(title, 0.9 + 0.32 * max(1, len(steps)))
    at = 0.0
    for row, (_, size) in enumerate(steps):
        axes.barh(row, size, left=at, height=0.7, color=GREEN if size > 0 else RED)
        axes.annotate(
            f"{size:+.1f}", (max(at, at + size), row), xytext=(4, 0), textcoords="offset points", va="center", color=INK, fontsize=9
        )
        at += size
    axes.axvline(line, color=AMBER, linewidth=1.2, linestyle="--")
    axes.set_yticks(range(len(steps)), [_short(name, 60) for name, _ in steps])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    figure.savefig(path, dpi=150, facecolor="white")


def _new(title: str, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH / 72, height), layout="constrained")
    axes: Axes = figure.subplots()
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(side == "bottom")
        axes.spines[side].set_color(INK)
    return figure, axes


def _cell(column: int, row: int, colour: str, share: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, color=colour, alpha=0.06 + 0.8 * share, linewidth=0)


def _markdown(title: str, figure: Figure) -> str:
    import matplotlib as mpl

    buffer = io.BytesIO()
    # Text stays text, so that it is small, sharp and can be read aloud. No date, and the same ids: the same picture has the same bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lead_assets", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    return _as_markdown(title, buffer.getvalue())


def _as_markdown(title: str, svg: bytes) -> str:
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg).decode()})"


def _plain(name: str, most: int = 34) -> str:
    # matplotlib reads text between dollar signs as mathematics.
    return _short(name, most).replace("$", r"\$")


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _number(size: float) -> str:
    return f"{size:,.0f}" if abs(size) >= 100 or size == int(size) else f"{size:,.2f}"

"""Formats a column's lineage for a terminal. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.tree import Tree

from lead_assets.contracts.base import OUTSIDE

_TITLES = {"upstream": ("is made from", "column", "source"), "downstream": ("what is made from it", "source", "column")}


def lineage(answer: dict[str, Any]) -> None:
    out = Console(highlight=False)
    out.print(f"[bold]{answer['column']}[/]", soft_wrap=True)
    for way, (title, near, far) in _TITLES.items():
        if not answer[way]:
            out.print(f"  {title}: nothing in a table" if way == "upstream" else f"  {title}: nothing")
            continue
        root = Tree(f"[cyan]{title}[/]", guide_style="dim")
        nodes = {answer["column"]: root}
        for link in answer[way]:
            # Each column stands where it was met first; later it is only named.
            known = link[far] in nodes
            outside = f"  [dim]{OUTSIDE[link[far]]}[/]" if link[far] in OUTSIDE else ""
            node = nodes[link[near]].add(f"[dim]{link[far]} ↑[/]" if known else f"{link[far]}{outside}")
            nodes.setdefault(link[far], node)
        out.print(root, soft_wrap=True)

"""`lead-assets identity`: who is who in any table.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer

identity = typer.Typer(no_args_is_help=True, help="Find rows that are one person or one company.")


@identity.callback()
def _group() -> None:
    """Keeps `link` a command of its own while it is the only one."""


@identity.command("link")
def link(
    inputs: Annotated[
        list[Path], typer.Option("--input", help="CSV, Parquet or XLSX; given twice: find each row of the first in the second.")
    ],
    id_column: Annotated[str, typer.Option("--id-col", help="The column that names each row once, in both tables.")],
    roles: Annotated[
        list[str],
        typer.Option("--role", help="COLUMN=name|date|email|phone|postcode|address|company|text|exact; once per column to compare."),
    ],
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet: each pair with its weight and cluster.")],
    clusters: Annotated[Path | None, typer.Option("--clusters", help="CSV or Parquet: the cluster of every row.")] = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", help="Bits a pair must weigh; 0 is as likely as not, each further bit halves the odds of an error."),
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Link rows without labels: what agreement in each column is worth is learned from the table."""
    from lead_assets.cli import linked, show_linked

    answer = linked.link_files(inputs, id_column, roles, out, clusters=clusters, threshold=threshold)
    print_answer(answer, as_json, show_linked.linked)

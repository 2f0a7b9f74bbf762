"""`lead-assets identity`: who is who, in any table and in the home.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer

identity = typer.Typer(no_args_is_help=True, help="Find rows that are one person or one company, and say who is who.")

Named = Annotated[
    str, typer.Argument(help="A lead as CAMPAIGN/LEAD_ID, a person or account by its id, or a company by its domain.", show_default=False)
]


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


@identity.command("merge")
def merge(one: Named, other: Named, as_json: AsJson = False) -> None:
    """Declare two leads, people or companies the same, whatever is said of them. Kept for good."""
    from lead_assets.cli import show_linked, who
    from lead_assets.core.settings import Settings
    from lead_assets.ledger.opened import opened_ledger

    with opened_ledger(Settings()) as ledger:
        print_answer(who.merge(ledger, one, other), as_json, show_linked.merged)


@identity.command("unmerge")
def unmerge(which: Named, as_json: AsJson = False) -> None:
    """Take a lead out of its person, or all leads of a person apart; likewise for companies. Kept for good."""
    from lead_assets.cli import show_linked, who
    from lead_assets.core.settings import Settings
    from lead_assets.ledger.opened import opened_ledger

    with opened_ledger(Settings()) as ledger:
        print_answer(who.unmerge(ledger, which), as_json, show_linked.unmerged)


@identity.command("explain")
def explain(
    one: Named,
    other: Named,
    picture: Annotated[Path | None, typer.Option("--picture", help="PNG, SVG or PDF: the sum as a waterfall.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what speaks for and against two being one, in bits."""
    from lead_assets.cli import show_linked, who
    from lead_assets.core.settings import Settings
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.stores.opened import warehouse_of

    settings = Settings()
    with opened_ledger(settings) as ledger:
        print_answer(who.explain(settings, ledger, warehouse_of(settings), one, other, picture), as_json, show_linked.pair)

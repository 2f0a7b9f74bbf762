"""`lead-assets outcomes`: how leads ended, from any export of a CRM.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer
from lead_assets.core.settings import Settings

outcomes = typer.Typer(no_args_is_help=True, help="Say how leads ended: won, lost or still open.")


@outcomes.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV with any delimiter, Parquet, workbook or JSON; HubSpot's deals as its API answers them."),
    ],
    column_map: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="FIELD=COLUMN, e.g. stage='Deal phase'; fields: stage, won, closed, outcome_at, email, lead_id, domain."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how the file is read, and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store a file of outcomes. The next run matches it to leads by e-mail address, CRM id or company."""
    from lead_assets.cli import outcomes as work
    from lead_assets.cli import show_scores

    columns: dict[str, str] = {}
    for given in column_map or ():
        field, separator, column = given.partition("=")
        if not separator:
            raise typer.BadParameter(f"{given!r}: write FIELD=COLUMN, e.g. email='Contact email'", param_hint="--map")
        columns[field.strip()] = column.strip()
    print_answer(work.import_file(Settings(), path, columns, dry_run=dry_run), as_json, show_scores.imported)

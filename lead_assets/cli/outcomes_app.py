"""`lead-assets outcomes`: how leads ended, from any export of a CRM.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown

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


@outcomes.command()
def fetch(
    source: Annotated[
        list[str] | None, typer.Option("--from", help="Destination; repeatable. Default: all that are on and can tell.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store what a CRM that is a destination knows of won and lost deals. Exit code 1 if one could not be asked."""
    from lead_assets.cli import show_scores
    from lead_assets.delivery.rules import load_delivery_rules
    from lead_assets.operating.inbox import fetch_outcomes
    from lead_assets.stores.opened import archive_of
    from lead_assets.vendors import destinations

    telling = [name for name, vendor in destinations().items() if vendor.destination.tells_outcomes]
    for name in source or ():
        if name not in telling:
            raise unknown("--from", name, telling)
    settings = Settings()
    rows = fetch_outcomes(settings, archive_of(settings), load_delivery_rules(settings), datetime.now(UTC), source)
    print_answer({"destinations": rows}, as_json, show_scores.outcomes_fetched)
    if any(row["why"] for row in rows):
        raise typer.Exit(1)

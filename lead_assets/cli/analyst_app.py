"""The subcommands for analysts: queries, tables, lineage and explanations.

As in `lead_assets.cli.app`, a command reads its options, calls a module of `lead_assets.cli`, and prints what it returned.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer, told_campaigns
from lead_assets.core.settings import Settings

if TYPE_CHECKING:
    import polars as pl

AsCsv = Annotated[bool, typer.Option("--csv", help="Rows as CSV on stdout.")]
Limit = Annotated[int | None, typer.Option("--limit", help="Most rows; 0 for all. Default: 100 in a terminal, all with --json or --csv.")]
Pii = Annotated[
    bool, typer.Option("--pii", help="Show personal data. Otherwise it is masked: an address keeps its domain, other values are ***.")
]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the `lead-assets` command."""
    # A query may begin with a comment, which is no option.
    app.command("sql", context_settings={"ignore_unknown_options": True})(query)
    app.command("show")(show_table)
    app.command()(lineage)
    app.command("explain")(explain_lead)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over tables named schema.table, in SQL that DuckDB and Snowflake share.")],
    limit: Limit = None,
    pii: Pii = False,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Run a SELECT over the tables of the warehouse, DuckDB or Snowflake. Changes nothing."""
    from lead_assets.cli import asking

    most = asking.most(limit, whole=as_json or as_csv)
    _print(asking.frame(Settings(), sql, pii=pii, limit=None if most is None else most + 1), most, as_csv, as_json)


def show_table(
    table: Annotated[str | None, typer.Argument(help="Table, as schema.table, e.g. routing.decisions. Without it: all tables.")] = None,
    limit: Limit = None,
    pii: Pii = False,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Show a table's first rows, or list all tables."""
    from lead_assets.cli import asking, show_rows

    if table is None:
        print_answer(asking.tables(Settings()), as_json, show_rows.tables)
        return
    most = asking.most(limit, whole=as_json or as_csv)
    _print(asking.rows_of(Settings(), table, pii=pii, limit=None if most is None else most + 1), most, as_csv, as_json)


def lineage(
    column: Annotated[str, typer.Argument(help="Column, as schema.table.column, e.g. routing.decisions.owner.")],
    as_json: AsJson = False,
) -> None:
    """Show what a column is made from, and what is made from it."""
    from lead_assets.cli import show_lineage
    from lead_assets.kit import columns

    name = columns.known_column(column)
    links = {"upstream": columns.upstream(name), "downstream": columns.downstream(name)}
    print_answer({"column": name, **{way: [vars(link) for link in found] for way, found in links.items()}}, as_json, show_lineage.lineage)


def explain_lead(
    asked: Annotated[str, typer.Argument(help="E-mail address, lead id, or company (domain, account or name).")],
    campaign: Annotated[str | None, typer.Option("--campaign", callback=told_campaigns, help="Only leads of this campaign.")] = None,
    pii: Pii = False,
    as_json: AsJson = False,
) -> None:
    """Tell everything about a lead: what arrived, how it was read, what was bought and decided, and what was sent. Exit code 1 if nobody is found."""
    from rich.console import Console
    from rich.markdown import Markdown

    from lead_assets.core.campaign_keys import campaign_key
    from lead_assets.explaining.explain import explain
    from lead_assets.explaining.markdown import as_markdown

    answer = explain(Settings(), asked, pii=pii, campaign=campaign_key(campaign) if campaign else None)
    print_answer(answer, as_json, lambda told: Console().print(Markdown(as_markdown(told))))
    if not answer["leads"] and not answer["rejected"]:
        raise typer.Exit(1)


def _print(frame: pl.DataFrame, most: int | None, as_csv: bool, as_json: bool) -> None:
    from lead_assets.cli import asking, show_rows
    from lead_assets.core import table_formats

    if as_csv:
        sys.stdout.buffer.write(table_formats.encode(frame if most is None else frame.head(most), "csv"))
        sys.stdout.buffer.flush()
        return
    print_answer(asking.answer(frame, most), as_json, show_rows.rows)

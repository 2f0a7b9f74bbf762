"""The subcommands about privacy: suppressions, forgetting, export, retention.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, connected_world, print_answer
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown

suppress = typer.Typer(no_args_is_help=True, help="Who must not be processed or contacted; only keyed hashes are stored.")

Country = Annotated[str | None, typer.Option("--country", help="Country of phones written without theirs, e.g. US.")]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the `lead-assets` command."""
    app.add_typer(suppress, name="suppress")
    app.command()(forget)
    app.command("export-person")(export_person)
    app.command()(retain)


@suppress.command("add")
def add_values(
    values: Annotated[list[str], typer.Argument(help="E-mail addresses, phones or domains.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; shown in identity.suppressed. Never name the person.")] = "opted out",
    kind: Annotated[str | None, typer.Option("--kind", help="email, phone or domain; default: what the value looks like.")] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Keep people or companies out from now on. Exit code 1, and nothing stored, if a value cannot be read."""
    from lead_assets.cli import show_privacy
    from lead_assets.core.suppressing import KINDS
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.privacy import lists

    if kind is not None and kind not in KINDS:
        raise unknown("--kind", kind, KINDS)
    with opened_ledger(Settings()) as ledger:
        answer = lists.add(ledger, values, reason=reason, kind=kind, country=country)
    print_answer(answer, as_json, show_privacy.added)
    if answer["unread"]:
        raise typer.Exit(1)


@suppress.command("import")
def import_values(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or Parquet with a column email, phone or domain; or .txt.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; shown in identity.suppressed.")] = "opted out",
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Keep everybody in a file out from now on. Lines that cannot be read are named; the others are stored."""
    from lead_assets.cli import show_privacy
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.privacy import lists

    with opened_ledger(Settings()) as ledger:
        answer = lists.import_file(ledger, file, reason=reason, country=country)
    print_answer(answer, as_json, show_privacy.added)


@suppress.command("fetch")
def fetch_values(
    source: Annotated[
        list[str] | None, typer.Option("--from", help="Destination; repeatable. Default: all that are on and can tell.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keep out whoever has unsubscribed at a destination or whose address bounces there. Exit code 1 if one could not be asked."""
    from lead_assets.cli import show_privacy
    from lead_assets.delivery.rules import load_delivery_rules
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.privacy.fetching import fetch
    from lead_assets.vendors import destinations

    telling = [name for name, vendor in destinations().items() if vendor.destination.tells_opt_outs]
    for name in source or ():
        if name not in telling:
            raise unknown("--from", name, telling)
    settings = Settings()
    with opened_ledger(settings) as ledger:
        rows = fetch(settings, ledger, load_delivery_rules(settings), source)
    print_answer({"destinations": rows}, as_json, show_privacy.fetched)
    if any(row["why"] for row in rows):
        raise typer.Exit(1)


@suppress.command("lift")
def lift_values(
    values: Annotated[list[str], typer.Argument(help="E-mail addresses, phones or domains.")],
    forgotten: Annotated[bool, typer.Option("--forgotten", help="Also whoever asked to be forgotten, and has consented anew.")] = False,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Let people or companies in again. Exit code 1, and nothing lifted, if a value cannot be read."""
    from lead_assets.cli import show_privacy
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.privacy import lists

    with opened_ledger(Settings()) as ledger:
        answer = lists.lift(ledger, values, country=country, forgotten=forgotten)
    print_answer(answer, as_json, show_privacy.lifted)
    if answer["unread"]:
        raise typer.Exit(1)


@suppress.command("show")
def show_values(
    value: Annotated[str | None, typer.Argument(help="An e-mail address, phone or domain; without it, the lists.")] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Show how many are kept out and why; or whether one value is."""
    from lead_assets.cli import show_privacy
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.privacy import lists

    with opened_ledger(Settings()) as ledger:
        answer = lists.shown(ledger, value, country=country)
    print_answer(answer, as_json, show_privacy.suppressions)


def forget(
    person: Annotated[str, typer.Argument(help="E-mail address or phone of the person.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show where they are held, and change nothing.")] = False,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Remove one person from everything that the home holds, keep them out from now on, and prove that nothing is left."""
    from lead_assets.cli import forgetting, show_privacy

    # Connected to its world: made-up contacts of a demo are never looked for at the real HubSpot.
    with connected_world() as settings:
        answer = forgetting.forget(settings, person, dry_run=dry_run, country=country)
    print_answer(answer, as_json, show_privacy.forgotten)


def export_person(
    person: Annotated[str, typer.Argument(help="E-mail address or phone of the person.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the JSON to this file instead of stdout.")] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Everything that is held of one person, as JSON, and where each value came from."""
    import json

    from lead_assets.cli import forgetting, show_privacy

    answer = forgetting.export(Settings(), person, country=country)
    if out is None:
        typer.echo(json.dumps(answer, indent=None if as_json else 1, ensure_ascii=False))
        return
    out.write_text(json.dumps(answer, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print_answer({"path": str(out), "tables": len(answer["tables"]), "answers": len(answer["answers"])}, as_json, show_privacy.exported)


def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what has been kept as long as rules/privacy.yaml says. With `dev` or in production a schedule does so every night."""
    from lead_assets.cli import forgetting, show_privacy

    print_answer(forgetting.retain(Settings(), dry_run=dry_run), as_json, show_privacy.retained)

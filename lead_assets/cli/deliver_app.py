"""`lead-assets deliver`: parses options and prints. Does not belong here: any work (see `deliver`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lead_assets.cli.terminal import AsJson, connected_world, fail_if_not_whole, print_answer, told_campaigns
from lead_assets.core.settings import Settings

deliver = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only this campaign; may be given more than once.")
]
Only = Annotated[list[str] | None, typer.Option("--to", help="Only this destination, e.g. hubspot; may be given more than once.")]


@deliver.callback(invoke_without_command=True)
def send(
    context: typer.Context,
    campaign: Campaigns = None,
    to: Only = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the exact requests as files; send and store nothing. Needs no keys.")
    ] = False,
    sent_too: Annotated[
        bool, typer.Option("--all", help="With --dry-run: as if nothing had been sent yet; without it, what a send would ask now.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files of a dry run.")] = Path("dry-run"),
    patience: Annotated[float, typer.Option("--patience", min=0, help="Seconds to wait for a turn or the next attempt.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Send what waits in the outbox and is due. What is to be sent follows from the campaigns' tables and rules/delivery.yaml."""
    if context.invoked_subcommand is not None:
        return
    from lead_assets.cli import deliver as delivering

    if dry_run:
        answer = delivering.rehearse(Settings(), campaign, to, out, sent_too)
    else:
        with connected_world() as settings:
            answer = delivering.send(settings, campaign, to, patience)
    print_answer(answer, as_json, _show)
    fail_if_not_whole(answer)


@deliver.command()
def replay(
    campaign: Campaigns = None,
    to: Only = None,
    reason: Annotated[
        list[str] | None, typer.Option("--reason", help="Only letters with this reason; may be given more than once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make dead letters due again, after a fix; `deliver` then sends them."""
    from lead_assets.cli import deliver as delivering

    answer = delivering.replay(Settings(), campaign, to, reason)
    print_answer(
        answer, as_json, lambda told: typer.echo(f"{told['replayed']} dead letters are due again: send them with lead-assets deliver")
    )


def _show(answer: dict[str, Any]) -> None:
    for row in answer["rows"]:
        counts = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("destination", "stopped") and value)
        stopped = f" (stopped: {row['stopped']})" if row.get("stopped") else ""
        typer.echo(f"{row['destination']:<12}{counts or 'nothing to send'}{stopped}")
    if "folder" in answer and not any(row["records"] for row in answer["rows"]):
        typer.echo("nothing would be sent now; with --all, the requests of what was sent already are shown, too")
    elif "folder" in answer:
        typer.echo(f"the requests are in {answer['folder']}; nothing was sent")
    elif answer["due"]:
        typer.echo(f"{answer['due']} are due and were not sent: run it again")

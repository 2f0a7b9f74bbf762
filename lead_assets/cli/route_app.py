"""`lead-assets route`, `reroute` and `owners`: whose a lead is, why, and moving it.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer, told_campaigns
from lead_assets.core.settings import Settings

route = typer.Typer(no_args_is_help=True, help="Why a lead has its owner, and what other rules would do.")
owners = typer.Typer(no_args_is_help=True, help="Who owns leads and accounts, and moving them.")

Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only this campaign; may be given more than once.")
]
Why = Annotated[str, typer.Option("--why", help="Kept with the move.")]
By = Annotated[str | None, typer.Option("--by", help="Who moves it; the user of this machine if not given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would move; change nothing.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(route, name="route")
    app.add_typer(owners, name="owners")
    app.command()(reroute)


@route.command("explain")
def explain(lead: Annotated[str, typer.Argument(help="lead_id.")], campaign: Campaigns = None, as_json: AsJson = False) -> None:
    """Show who owns a lead, each condition on the way with the lead's value, and who was passed over and why."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.explain(Settings(), lead, campaign), as_json, show_routed.explained)


@route.command("what-if")
def what_if(
    rules: Annotated[Path, typer.Option("--rules", exists=True, dir_okay=False, help="A routing file that is not in force.")],
    campaign: Campaigns = None,
    as_json: AsJson = False,
) -> None:
    """Replay what was routed by another routing file, and show who gains and who loses what. Changes nothing."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.what_if(Settings(), rules, campaign), as_json, show_routed.what_if)


def reroute(
    campaign: Campaigns = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only leads that this owner has now.")] = None,
    why: Why = "the rules have changed",
    by: By = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Route open leads again by the rules in force, with their accounts. Nothing else ever changes a lead's owner."""
    from lead_assets.cli import routed, show_routed

    if not campaign and owner is None:
        raise typer.BadParameter("give --campaign, --owner or both: leads keep their owner unless somebody asks for them")
    print_answer(routed.reroute(Settings(), campaigns=campaign, owner=owner, why=why, by=by, dry_run=dry_run), as_json, show_routed.moved)


@owners.command("list")
def people(as_json: AsJson = False) -> None:
    """List everybody who can own leads, with their open leads and accounts."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.people(Settings()), as_json, show_routed.people)


@owners.command("history")
def history(account: Annotated[str, typer.Argument(help="account_key: a domain.")], as_json: AsJson = False) -> None:
    """Show who owns an account, and every change."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.history(Settings(), account), as_json, show_routed.history)


@owners.command("transfer")
def transfer(
    account: Annotated[str, typer.Argument(help="account_key: a domain.")],
    to: Annotated[str, typer.Option("--to", help="Owner's id in routing.yaml.")],
    why: Why = "transferred",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Give an account and its open leads to somebody else."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.transfer(Settings(), account, to, why=why, by=by), as_json, show_routed.moved)


@owners.command("release")
def release(
    account: Annotated[str, typer.Argument(help="account_key: a domain.")],
    why: Why = "released",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take an account from its owner: its next lead decides anew. Its leads stay where they are."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.release(Settings(), account, why=why, by=by), as_json, show_routed.released)


@owners.command("leave")
def leave(
    owner: Annotated[str, typer.Argument(help="Owner's id.")],
    to: Annotated[str | None, typer.Option("--to", help="Give everything to this owner; otherwise the rules decide, lead by lead.")] = None,
    why: Why = "has left",
    by: By = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move all accounts and open leads of somebody who leaves."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.leave(Settings(), owner, to=to, why=why, by=by, dry_run=dry_run), as_json, show_routed.moved)


@owners.command("import")
def import_crm(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: account (or domain), owner, customer.")],
    as_json: AsJson = False,
) -> None:
    """Record who owns accounts in the CRM, and which are customers."""
    from lead_assets.cli import routed, show_routed

    print_answer(routed.import_crm(Settings(), file), as_json, show_routed.imported)

"""The subcommands for whoever keeps the graph running: what is wrong, and what is not fresh."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from lead_assets.cli.show import out
from lead_assets.cli.terminal import AsJson, print_answer, told_campaigns
from lead_assets.core.settings import Settings

backfill = typer.Typer(no_args_is_help=True, help="Many campaigns at once. `lead-assets run` does what `backfill plan` says.")

Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only this campaign; may be given more than once.")
]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the `lead-assets` command."""
    app.command()(incidents)
    app.command()(freshness)
    app.add_typer(backfill, name="backfill")


def incidents(as_json: AsJson = False) -> None:
    """List what is wrong now, with the next step: failed runs and checks, budgets nearly used, circuits, quarantine, campaigns that are not fresh.

    The sensor `watch_sensor` finds them, so they are as new as its last tick.
    """
    from lead_assets.ledger.opened import opened_ledger

    settings = Settings()
    with opened_ledger(settings) as ledger:
        found = [
            {"kind": each.kind, "since": each.opened_at.isoformat(timespec="seconds"), **orjson.loads(each.said)}
            for each in ledger.open_incidents()
        ]
    for row in found:
        row["link"] = f"{settings.ui_url.rstrip('/')}{row.pop('path')}"
    print_answer({"incidents": found}, as_json, _show_incidents)


def _show_incidents(answer: dict[str, Any]) -> None:
    if not answer["incidents"]:
        out.print("nothing is wrong, as far as the watch_sensor has seen")
    for row in answer["incidents"]:
        out.print(f"\n{row['since']}  {row['kind']}: {escape(row['what'])}")
        out.print(f"  next: {escape(row['next'])}")
        out.print(f"  {row['link']}", soft_wrap=True)


def freshness(
    campaign: Campaigns = None,
    as_json: AsJson = False,
) -> None:
    """Show for each campaign whether it is as fresh as rules/freshness.yaml expects, and if not, since when and why. Exits with 1 if one is not."""
    from datetime import UTC, datetime

    from lead_assets.operating.freshness import verdicts
    from lead_assets.operating.rules import load_freshness
    from lead_assets.stores.opened import archive_of, campaigns_of, warehouse_of

    settings = Settings()
    wanted = campaigns_of(settings, campaign)
    found = verdicts(settings, archive_of(settings), warehouse_of(settings), load_freshness(settings), datetime.now(UTC), only=wanted)
    rows = [
        {
            "campaign_id": each.campaign_id,
            "state": each.state,
            "why": list(each.why),
            "since": each.since.isoformat(timespec="seconds") if each.since else None,
        }
        for each in found
    ]
    print_answer({"campaigns": rows}, as_json, _show_freshness)
    if any(row["state"] == "stale" for row in rows):
        raise typer.Exit(1)


def _show_freshness(answer: dict[str, Any]) -> None:
    for row in answer["campaigns"]:
        since = f" since {row['since']}" if row["since"] else ""
        out.print(f"{escape(row['campaign_id'])}: {row['state']}{since}{escape(': ' + '; '.join(row['why'])) if row['why'] else ''}")


@backfill.command("plan")
def backfill_plan(campaign: Campaigns = None, as_json: AsJson = False) -> None:
    """Show what a run over campaigns would make again and buy, before anything is spent. Changes nothing and calls nobody."""
    from lead_assets.cli.planning import plan
    from lead_assets.cli.terminal import connected_world
    from lead_assets.rules.check import check_rules

    with connected_world() as settings:
        check_rules(settings)
        answer = plan(settings, campaign)
    print_answer(answer, as_json, _show_plan)


def _show_plan(answer: dict[str, Any]) -> None:
    for row in answer["campaigns"]:
        price = "" if row["usd"] is None else f", ${float(row['usd']):,.4f}"
        out.print(f"{escape(row['campaign_id'])}: {row['missing']} tables missing, {row['out_of_date']} out of date{price}")
    made_up = " (prices of the sandbox's vendors)" if answer["synthetic"] else ""
    out.print(f"\ntogether {answer['runs']:,} runs, {answer['calls']:,} calls, ${float(answer['usd']):,.4f}{made_up}")
    for budget in answer["over_budget"]:
        out.print(
            f"more than is left of the budget {escape(str(budget['scope']))} {escape(str(budget['name']))}: ${budget['free_usd']} free"
        )
    out.print("\nrun it: lead-assets run --all" if answer["runs"] else "\nnothing to do")

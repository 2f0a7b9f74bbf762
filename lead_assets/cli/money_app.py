"""The subcommands about money: costs, estimates, budgets, and deliberate purchases.

As in `lead_assets.cli.app`, a command reads its options, calls a module of `lead_assets.cli`, and prints what it returned.
"""

from __future__ import annotations

from typing import Annotated, cast

import typer

from lead_assets.cli.terminal import AsJson, connected_world, fail_if_not_whole, print_answer, progress_bar, told_campaigns
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown

budget = typer.Typer(no_args_is_help=True, help="Hard spending limits: the price is reserved before each call, so they are never exceeded.")

Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Campaign id; may be given more than once.")
]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the `lead-assets` command."""
    app.command()(estimate)
    app.command()(costs)
    app.add_typer(budget, name="budget")
    app.command()(pause)
    app.command()(resume)
    app.command()(quotas)
    app.command()(refresh)
    app.command()(discover)


def estimate(
    campaign: Campaigns = None,
    all_campaigns: Annotated[bool, typer.Option("--all", help="Every campaign in the archive.")] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what a run would cost, before spending anything. Answers in the ledger cost nothing."""
    if bool(campaign) == all_campaigns:
        raise typer.BadParameter("give --campaign ID (once or more) or --all")
    from lead_assets.cli import show_money
    from lead_assets.estimating.estimate import estimate as expect
    from lead_assets.rules.check import check_rules

    with connected_world() as settings:
        check_rules(settings)
        answer = expect(settings, campaign)
    print_answer(answer, as_json, show_money.estimate)


def costs(
    by: Annotated[list[str] | None, typer.Option("--by", help="campaign, provider, signal, operation or day; may be given twice.")] = None,
    campaign: Campaigns = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, from the ledger's journal."""
    from lead_assets.cli import money, show_money

    if strangers := [name for name in by or () if name not in money.BY]:
        raise unknown("--by", strangers[0], money.BY)
    wanted = [cast(money.CostsBy, name) for name in by or ("provider", "operation")]
    print_answer(money.costs(Settings(), wanted, campaign), as_json, show_money.costs)


# So that "-5" is parsed as an amount, with a clear error, and not as an unknown option.
@budget.command("set", context_settings={"ignore_unknown_options": True})
def set_budget(
    scope: Annotated[str, typer.Argument(help="total, campaign:ID or provider:NAME.")],
    usd: Annotated[str, typer.Argument(help="US dollars; 'none' lifts the limit.")],
    period: Annotated[str, typer.Option("--period", help="day (UTC) or all.")] = "day",
    as_json: AsJson = False,
) -> None:
    """Set a spending limit. What was already spent in the period counts."""
    from lead_assets.cli import money, show_money

    if period not in money.PERIODS:
        raise unknown("--period", period, money.PERIODS)
    try:
        of, limit = money.parse_scope(scope), money.parse_amount(usd)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    print_answer(money.set_budget(Settings(), of, limit, cast(money.Period, period)), as_json, show_money.budgets)


@budget.command("show")
def show_budgets(as_json: AsJson = False) -> None:
    """Show all limits and what currently counts against them."""
    from lead_assets.cli import money, show_money

    print_answer(money.show_budgets(Settings()), as_json, show_money.budgets)


def pause(
    provider: Annotated[str | None, typer.Argument(help="Only this provider; without it, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """The kill switch: block new calls from now on, in every process. Calls in progress finish and are journaled."""
    from lead_assets.cli import money, show_money

    print_answer(money.pause(Settings(), provider), as_json, show_money.stopped)


def resume(
    provider: Annotated[str | None, typer.Argument(help="Only this provider; without it, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lift a pause, and call providers again whose circuit opened after repeated failures."""
    from lead_assets.cli import money, show_money

    print_answer(money.resume(Settings(), provider), as_json, show_money.resumed)


def quotas(as_json: AsJson = False) -> None:
    """Show what is left of the plans, according to the vendors. Asking is free."""
    from lead_assets.cli import show_money
    from lead_assets.vendors.quotas import quotas as ask

    with connected_world() as settings:
        answer = {"quotas": ask(settings)}
    print_answer(answer, as_json, show_money.quotas)


def refresh(
    signal: Annotated[str, typer.Option("--signal", help="Signal, e.g. news.")],
    older_than: Annotated[str, typer.Option("--older-than", help="Age, e.g. 12h, 7d, 2w.")],
    campaign: Campaigns = None,
    as_json: AsJson = False,
) -> None:
    """Buy a signal's older answers again, and materialize the tables that depend on them."""
    from lead_assets.cli import refresh as refreshing
    from lead_assets.cli import show_money
    from lead_assets.core.time_spans import duration

    try:
        age = duration(older_than)
    except ValueError as error:
        raise typer.BadParameter(f"--older-than {older_than}: {error}") from None
    with connected_world() as settings, progress_bar("refresh", as_json) as progress:
        answer = refreshing.refresh(settings, signal, age, campaigns=campaign, progress=progress)
    print_answer(answer, as_json, show_money.refreshed)
    fail_if_not_whole(answer)


def discover(
    query: Annotated[str | None, typer.Option("--query", help="Keywords for the company: industry terms, products, technologies.")] = None,
    location: Annotated[list[str] | None, typer.Option("--location", help="City, state or country; may be given more than once.")] = None,
    industry: Annotated[list[str] | None, typer.Option("--industry", help="May be given more than once.")] = None,
    employees: Annotated[str | None, typer.Option("--employees", help="FROM..TO, e.g. 50..500; either end may be left out.")] = None,
    funding: Annotated[
        list[str] | None, typer.Option("--funding", help="Latest round, e.g. 'Series A'; may be given more than once.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Companies.")] = 20,
    people: Annotated[
        int, typer.Option("--people", min=0, max=25, help="People per company, one credit each; 0 only lists companies.")
    ] = 1,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", callback=told_campaigns, help="Campaign for the results; default: a name derived from the search."),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="Where to search: apollo.")] = "apollo",
    as_json: AsJson = False,
) -> None:
    """Search for companies and their people, and file them as a new campaign. Repeating a search is free while its results are fresh."""
    from lead_assets.cli import discover as discovering
    from lead_assets.cli import show_money
    from lead_assets.vendors.apollo.search import company_filters

    if source != "apollo":
        raise unknown("--source", source, ["apollo"])
    span = _span(employees)
    try:
        filters = company_filters(query=query, locations=location or (), industries=industry or (), employees=span, funding=funding or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with connected_world() as settings:
        answer = discovering.discover(settings, filters, limit=limit, people=people, campaign=campaign)
    print_answer(answer, as_json, show_money.discovered)


def _span(text: str | None) -> tuple[int | None, int | None] | None:
    if text is None:
        return None
    low, dots, high = text.partition("..")
    if (
        not dots
        or not all(end == "" or (end.isascii() and end.isdigit()) for end in (low, high))
        or (low and high and int(low) > int(high))
    ):
        raise typer.BadParameter(f"--employees {text}: give FROM..TO, e.g. 50..500, ..50 or 1000..")
    return (int(low) if low else None, int(high) if high else None)

"""Formats amounts and costs for a terminal. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from lead_assets.cli.show import circuits, out


def costs(answer: dict[str, Any]) -> None:
    names = {"day": "day", "campaign": "campaign_id", "provider": "provider", "operation": "operation", "signal": "signal"}
    columns = [names[by] for by in answer["by"]]
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for name in ("calls", "cost", "uncertain", "tokens in", "tokens out"):
        table.add_column(name, justify="right")
    for row in answer["rows"]:
        figures = (f"{row['calls']:,}", _usd(row["usd"]), _uncertain(row), _count(row["input_tokens"]), _count(row["output_tokens"]))
        table.add_row(*(escape(str(row[column])) for column in columns), *figures)
    table.add_section()
    table.add_row("[bold]all[/]", *[""] * (len(columns) - 1), f"[bold]{answer['calls']:,}[/]", f"[bold]{_usd(answer['usd'])}[/]")
    out.print(table)
    if answer["uncertain_calls"]:
        out.print(f"{_uncertain(answer)}: calls whose answer was lost but which may have been billed")
    _note(answer)


def estimate(answer: dict[str, Any]) -> None:
    table = Table("provider", "operation", "signal", box=None, header_style="bold", pad_edge=False)
    for name in ("to ask", "calls", "cost"):
        table.add_column(name, justify="right")
    for row in answer["rows"]:
        table.add_row(
            row["provider"], row["operation"], row["signal"], f"{row['subjects']:,}", f"{row['calls']:,.0f}", f"≈ {_usd(row['usd'])}"
        )
    table.add_section()
    table.add_row("[bold]all[/]", "", "", "", f"[bold]{answer['calls']:,}[/]", f"[bold]≈ {_usd(answer['usd'])}[/]")
    out.print(table)
    if answer["given"]:
        saved = ", ".join(f"{signal} {count:,}" for signal, count in sorted(answer["given"].items()))
        out.print(f"not bought, because the leads bring it: {saved}")
    for signal, left in answer["not_worth_it"].items():
        why = "; ".join(f"{leads:,} {words}" for words, leads in left["needs"].items())
        out.print(f"{signal}: not worth it for {left['leads']:,} leads, saves ≈ {_usd(left['saved_usd'])}{f' ({why})' if why else ''}")
    for provider in answer["without_key"]:
        out.print(f"{provider}: no key, so nothing will be bought there")
    for budget in answer["over_budget"]:
        out.print(f"[yellow]more than what is left[/] of the budget {budget['scope']} {budget['name']} ({_usd(budget['free_usd'])})")
    _note(answer)


def budgets(answer: dict[str, Any]) -> None:
    table = Table("budget", "period", box=None, header_style="bold", pad_edge=False)
    for name in ("limit", "spent", "reserved", "uncertain", "free"):
        table.add_column(name, justify="right")
    for row in answer["budgets"]:
        amounts = (_usd(row[f"{name}_usd"]) for name in ("limit", "spent", "reserved", "uncertain", "free"))
        table.add_row(f"{row['scope']}:{row['name']}".rstrip(":"), "each day (UTC)" if row["period"] == "day" else "all time", *amounts)
    if answer["budgets"]:
        out.print(table)
    else:
        out.print("no budget is set; set one with: lead-assets budget set total 25 --period day")
    stopped(answer)


def stopped(answer: dict[str, Any]) -> None:
    if answer["paused"]:
        out.print(f"[yellow]paused[/] {', '.join(answer['paused'])}: no new calls; 'lead-assets resume' lifts the pause")
    circuits(answer["circuits"])


def resumed(answer: dict[str, Any]) -> None:
    lifted, closed = answer["resumed"]["paused"], answer["resumed"]["circuits"]
    if lifted:
        out.print(f"no longer paused: {', '.join(lifted)}")
    if closed:
        out.print(f"called again from now on, after repeated failures: {', '.join(closed)}")
    if not lifted and not closed:
        out.print("nothing to resume: no pause to lift, no circuit to close")
    stopped(answer)


def quotas(answer: dict[str, Any]) -> None:
    table = Table("provider", "quota", box=None, header_style="bold", pad_edge=False)
    for name in ("used", "limit", "left"):
        table.add_column(name, justify="right")
    table.add_column("resets on")
    for row in answer["quotas"]:
        if row["reason"]:
            table.add_row(row["provider"], f"no figures: {row['reason']}")
        else:
            figures = ("" if row[name] is None else f"{row[name]:,}" for name in ("used", "limit", "left"))
            table.add_row(row["provider"], escape(str(row["quota"])), *figures, row["resets_on"] or "")
    out.print(table)


def refreshed(answer: dict[str, Any]) -> None:
    subjects, bought = answer["subjects"], answer["bought"]
    out.print(
        f"{answer['signal']}: {bought:,} of {subjects:,} bought again for {_usd(answer['usd'])}, {answer['ledger_hits']:,} recent enough"
    )
    if answer["missed"]:
        out.print("without a value: " + ", ".join(f"{reason} {count:,}" for reason, count in answer["missed"].items()))
    if answer["run_ids"]:
        billed = answer["billed_downstream"]
        out.print(
            f"dependent tables materialized in {len(answer['campaigns'])} campaigns: {billed['calls']:,} calls, {_usd(billed['usd'])}"
        )


def discovered(answer: dict[str, Any]) -> None:
    table = Table("company", "industry", box=None, header_style="bold", pad_edge=False)
    for name in ("employees", "people", "AI adoption"):
        table.add_column(name, justify="right")
    table.add_column("because")
    for row in answer["companies"]:
        employees = "" if row["employees"] is None else f"{row['employees']:,}"
        because = escape("; ".join(row["ai_adoption_reasons"])) or "nothing seen"
        company = escape(f"{row['name'] or ''} ({row['domain']})")
        table.add_row(company, escape(row["industry"] or ""), employees, str(row["people"]), str(row["ai_adoption_score"]), because)
    out.print(table)
    out.print(
        f"\n{len(answer['companies']):,} of {answer['total']:,} companies that match, for {_usd(answer['usd'])} ({answer['calls']:,} calls)"
    )
    for drop in answer["drops"]:
        again = ", already in the archive" if drop["status"] != "ingested" else ""
        out.print(f"{answer['leads']:,} people filed as campaign {drop['campaign_id']}{again}", soft_wrap=True)
        out.print(f"next       lead-assets run --campaign {drop['campaign_id']}", soft_wrap=True)
    if not answer["drops"]:
        out.print("nobody has an address, so nothing was filed")
    quotas(answer)
    _note(answer)


def _note(answer: dict[str, Any]) -> None:
    if answer["synthetic"]:
        out.print("sandbox: no real money was spent")


def _uncertain(row: dict[str, Any]) -> str:
    return f"{row['uncertain_calls']:,} ({_usd(row['uncertain_usd'])})" if row["uncertain_calls"] else ""


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _usd(amount: Any) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.4f}"

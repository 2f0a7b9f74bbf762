"""Formats answers for a terminal. Text for people goes to stdout; nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lead_assets.contracts import TABLES

out = Console(highlight=False)
if out.width < 120:
    # In a narrow or unknown terminal, a wrapped funnel is still easier to read than one with its numbers cut off.
    out = Console(highlight=False, width=120)

_MOST_NAMES = 30
_COUNTS = ("received", "rejected", "duplicate", "suppressed", "leads", "enriched", "classified", "quarantined", "scored", "routed")


def run(answer: dict[str, Any]) -> None:
    funnel(answer["campaigns"])
    if answer["campaigns"]:
        owners(answer["campaigns"])
        delivered(answer["delivered"])
    without_key(answer["without_key"])
    for name, reasons in answer["missed"].items():
        why = ", ".join(f"{reason} {leads}" for reason, leads in reasons.items() if reason not in ("no_key", "not_worth_it"))
        if not why:
            continue
        out.print(f"[yellow]missing[/]  {name}{', answered by rules' if name == 'classification' else ''}: {why} leads; run again later")
    unworthy = ", ".join(f"{name} {reasons['not_worth_it']}" for name, reasons in answer["missed"].items() if "not_worth_it" in reasons)
    if unworthy:
        out.print(f"not worth it for some leads, by `when` in signals.yaml: {unworthy}", soft_wrap=True)
    circuits(answer["circuits"])
    cost(answer)
    out.print(f"warehouse  {answer['warehouse']}", soft_wrap=True)


def demo(answer: dict[str, Any]) -> None:
    out.print("[bold]lead_assets demo[/]: all provider answers below come from the sandbox and are synthetic.\n")
    run(answer)
    whole = [f"{name} {answer['tables'][name]['rows']}" for name, contract in TABLES.items() if contract.grain == "home"]
    out.print(f"over all campaigns  rows of {', '.join(whole)}", soft_wrap=True)
    out.print("\n[bold]Next[/]")
    for title, command in answer["next"]:
        out.print(f"  {title}\n    [cyan]{escape(command)}[/]", soft_wrap=True)


def ingested(answer: dict[str, Any]) -> None:
    table = Table("file", "campaign", "rows", "rejected", "status", box=None, header_style="bold")
    for drop in answer["drops"]:
        table.add_row(escape(drop["path"]), drop["campaign_id"], str(drop["rows"]), str(drop["rejected"]), drop["status"])
    out.print(table)
    for path, headers in {drop["path"]: drop["unmapped"] for drop in answer["drops"] if drop["unmapped"]}.items():
        named = ", ".join(map(repr, headers))
        out.print(f"[yellow]{escape(path)} has no column {escape(named)}: --map had no effect on it[/]", soft_wrap=True)
    for each in answer.get("readings", ()):
        codes: dict[str, int] = next((drop["codes"] for drop in answer["drops"] if drop["path"] == each["path"]), {})
        reading(each, codes)
    next_step(answer)


def next_step(answer: dict[str, Any]) -> None:
    """The command that comes next, where an ingest has one."""
    taken = sorted({drop["campaign_id"] for drop in answer["drops"] if drop["rows"]})
    nothing = [drop["path"] for drop in answer["drops"] if not drop["rows"] and drop["status"] in ("ingested", "dry_run")]
    commands = []
    if answer.get("dry_run"):
        commands.append("lead-assets ingest, as you wrote it without --dry-run" if taken else "")
    elif taken:
        commands.append(f"lead-assets run {' '.join(f'--campaign {key}' for key in taken[:5])}{' …' if len(taken) > 5 else ''}")
    if nothing:
        commands.append(f"lead-assets shapes try {nothing[0]} --map 'THEIR COLUMN=email'")
    for command in filter(None, commands):
        out.print(f"[bold]next[/]  [cyan]{escape(command)}[/]", soft_wrap=True)


def reading(each: dict[str, Any], codes: dict[str, int] | None = None) -> None:
    """How one file is read. `codes`: the rejects of all of it, where they were counted."""
    some = "" if each["is_all"] else f", by its first {each['payloads']:,} payloads"
    out.print(f"\n[bold]{escape(each['path'])}[/]{some}", soft_wrap=True)
    for shape in each["shapes"]:
        leads = f"{shape['leads']:,} lead{'s' if shape['leads'] != 1 else ''}"
        out.print(f"  read as [bold]{shape['shape']}[/] ({escape(shape['what'])}): {leads}", soft_wrap=True)
        for column, names in shape["fields"].items():
            out.print(f"    {escape(', else '.join(names))} → {column}", soft_wrap=True)
        for name, near in list(shape["unknown"].items())[:_MOST_NAMES]:
            hint = f" (like {near}? --map '{name}={near}')" if near else ""
            out.print(f"    [yellow]{escape(name)}[/] → kept in extra{escape(hint)}", soft_wrap=True)
        if (more := len(shape["unknown"]) - _MOST_NAMES) > 0:
            out.print(f"    and {more:,} more that are kept in extra")
        if shape["sample"]:
            values = (f"{name} {_short(value)}" for name, value in shape["sample"].items() if name != "adapter")
            out.print(f"    the first: {escape('; '.join(values))}", soft_wrap=True)
    reasons = {reject["code"]: reject["reason"] for reject in reversed(each["rejects"])}
    for code, count in (codes or {reject["code"]: reject["payloads"] for reject in each["rejects"]}).items():
        out.print(f"  [yellow]rejected[/] {count:,} {code}: {escape(reasons.get(code, ''))}", soft_wrap=True)


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")


def shapes(answer: dict[str, Any]) -> None:
    table = Table("shape", "what", "kind", "yours", box=None, header_style="bold")
    for row in answer["shapes"]:
        table.add_row(row["name"], escape(row["what"]), "general" if row["general"] else row["kind"], "yes" if row["own"] else "")
    out.print(table)
    out.print(
        "a shape of your own: LEAD_ASSETS_RULES_DIR/shapes/NAME.yaml; how a file is read: lead-assets shapes try FILE", soft_wrap=True
    )


def tried(answer: dict[str, Any]) -> None:
    for each in answer["readings"]:
        reading(each)
        for shape in each["shapes"]:
            if shape["left_over"]:
                kept = ", ".join(f"{name} {_short(value)}" for name, value in list(shape["left_over"].items())[:_MOST_NAMES])
                out.print(f"    left over of the first: {escape(kept)}", soft_wrap=True)


def synced(answer: dict[str, Any]) -> None:
    if answer["drops"]:
        ingested(answer)
        return
    had = (
        f"all {answer['leads']} leads of its {answer['campaigns']} campaigns are already in the archive"
        if answer["campaigns"]
        else "it has no campaigns"
    )
    if answer["failures"]:
        had = f"{answer['unchanged']} of its {answer['campaigns']} campaigns are already in the archive, the others could not be fetched"
    out.print(f"nothing new at the campaign API: {had}", soft_wrap=True)


def replayed(answer: dict[str, Any]) -> None:
    if not answer["selected"]:
        out.print("no quarantined lead matches")
        return
    out.print(f"{answer['selected']} leads in quarantine: {answer['sent']} sent again, {answer['bought']} asked as new questions", end="; ")
    out.print(f"{answer['accepted']} now valid, {answer['still_quarantined']} still quarantined; ${answer['billed']['usd']:.4f}")
    if answer["campaigns"]:
        funnel(answer["campaigns"])


def development(where: dict[str, Any]) -> None:
    out.print(f"Dagster UI  {where['ui']}  (ready in a few seconds; Ctrl-C stops it)", soft_wrap=True)
    if where["service"]:
        out.print(f"service     {where['service']}  (`lead-assets keys create` makes a key)", soft_wrap=True)
    out.print(f"landing     {where['landing']}  (drop files here; a sub-folder names their campaign)", soft_wrap=True)
    out.print(f"vendors     {'live' if where['vendors'] == 'live' else 'sandbox at ' + where['vendors'] + ', synthetic'}", soft_wrap=True)


def doctor(answer: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    for check in answer["checks"]:
        table.add_row("[green]ok[/]" if check["ok"] else "[red]NO[/]", check["name"], escape(check["detail"]))
    out.print(table)


def status(answer: dict[str, Any]) -> None:
    if faults := answer["faults_in_rules"]:
        out.print(
            "[bold red]the rules are broken[/]: sensors and schedules keep to their last good copy, if there is one, until this is corrected:",
            highlight=False,
            soft_wrap=True,
        )
        for fault in faults:
            out.print(f"  {escape(fault)}", highlight=False, soft_wrap=True)
    for campaign in answer["campaigns"]:
        out.print(f"\n{escape(campaign['campaign_id'])}")
        for row in campaign["tables"]:
            out.print(f"  {row['table']}: {row['state'].replace('_', ' ')}: {escape('; '.join(row['why']))}")
    out.print(f"\n{answer['current']:,} current, {answer['out_of_date']:,} out of date, {answer['missing']:,} missing")


def funnel(campaigns: list[dict[str, Any]]) -> None:
    table = Table("campaign", box=None, header_style="bold", pad_edge=False)
    for name in _COUNTS:
        table.add_column(name, justify="right")
    for row in campaigns:
        table.add_row(row["campaign_id"], *(str(row[name]) for name in _COUNTS))
    if len(campaigns) > 1:
        table.add_section()
        table.add_row("[bold]all[/]", *(f"[bold]{sum(row[name] for row in campaigns)}[/]" for name in _COUNTS))
    out.print(table)


def delivered(found: dict[str, dict[str, int]]) -> None:
    """What destinations have, and what is still to come."""
    if found:
        there = ", ".join(f"{name} {states['confirmed']}" for name, states in found.items() if states.get("confirmed")) or "nothing"
        rest: dict[str, int] = {}
        for states in found.values():
            for state, count in states.items():
                if state != "confirmed":
                    rest[state] = rest.get(state, 0) + count
        later = "; " + ", ".join(f"{count} {state}" for state, count in sorted(rest.items())) if rest else ""
        out.print(f"[bold]delivered[/]: {there}{later}", soft_wrap=True)


def owners(campaigns: list[dict[str, Any]]) -> None:
    out.print("\n[bold]routed to[/]")
    for row in campaigns:
        per_owner = ", ".join(f"{owner} {count}" for owner, count in row["owners"].items()) or "nobody"
        out.print(f"  {row['campaign_id']}: {per_owner}", soft_wrap=True)


def without_key(found: list[dict[str, Any]]) -> None:
    """One line for each missing credential, and its effect."""
    for row in found:
        if leads := row["by_rules"]:
            out.print(
                f"[yellow]rules answered[/] instead of a model: {leads} {'lead' if leads == 1 else 'leads'} classified without {row['provider']};"
                f" set {row['variable']} and run again",
                soft_wrap=True,
            )
        if row["unknown"]:
            out.print(
                f"[yellow]not asked[/] {row['provider']}: {', '.join(row['unknown'])} stay unknown; set {row['variable']} and run again",
                soft_wrap=True,
            )


def circuits(found: list[dict[str, str]]) -> None:
    for circuit in found:
        out.print(
            f"[yellow]not asked[/] {circuit['provider']} failed too often in a row: no calls before {circuit['open_until']}, then one attempt;"
            f" run 'lead-assets resume {circuit['provider']}' if it is back",
            soft_wrap=True,
        )


def cost(answer: dict[str, Any]) -> None:
    billed = answer["billed"]
    would = "would have cost" if answer["synthetic"] else "cost"
    uncertain = f", {billed['uncertain_calls']} with uncertain outcome" if billed["uncertain_calls"] else ""
    out.print(f"\n[bold]this run {would}[/] ${billed['usd']:.4f} for {billed['calls']} calls{uncertain}, in {answer['seconds']:.1f} s")

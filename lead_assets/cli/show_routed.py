"""Prints the answers of `lead-assets route`, `reroute` and `owners` for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_out = Console()


def _say(text: str) -> None:
    _out.print(text, highlight=False, soft_wrap=True)


def explained(answer: dict[str, Any]) -> None:
    _say(f"[bold]{escape(answer['owner'])}[/] has {escape(answer['lead_id'])}: {escape(answer['reason'])}")
    _say(f"  decided by {answer['authority'].replace('_', ' ')} ({escape(answer['rule'])}), given at {answer['assigned_at']}")
    if answer["sla_due_at"] is not None:
        _say(f"  an answer is due at {answer['sla_due_at']}")
    for each in answer["tried"]:
        conditions = "; ".join(f"{c['field']} {c['value']}, wants {c['wants']}{'' if c['met'] else ' ✗'}" for c in each["conditions"])
        _say(f"  {'✓' if each['met'] else '✗'} {escape(each['rule'])} → {escape(each['goes_to'])}: {escape(conditions)}")
    for each in answer["passed_over"]:
        _say(f"  passed over: {escape(each['who'])}, who {escape(each['why'])}")
    for each in answer["changes"]:
        _say(_change(each))
    if answer["routing_table"] not in (None, answer["routing_table_in_force"]):
        _say("  routing.yaml has changed since; lead-assets reroute would decide by the new one")


def _change(each: dict[str, Any]) -> str:
    what = "lead" if each["lead_id"] else "account"
    return f"  {each['changed_at']} {each['kind']} of the {what} by {escape(each['by'])}: {each['before']} → {each['after']} ({escape(each['why'])})"


def what_if(answer: dict[str, Any]) -> None:
    _say(f"{answer['moved']} of {answer['leads']} leads would have another owner by {escape(answer['rules'])}")
    table = Table("owner", "now", "then", "gains", "loses")
    for each in answer["owners"]:
        table.add_row(escape(each["owner"]), *(str(each[name]) for name in ("now", "then", "gained", "lost")))
    _out.print(table)
    for each in answer["examples"]:
        _say(f"  {escape(each['lead_id'])}: {escape(each['now'])} → {escape(each['then'])} ({escape(each['territory'])})")


def moved(answer: dict[str, Any]) -> None:
    _say(f"{answer['moved']} leads {'would move' if answer['dry_run'] else 'moved'}")
    for each in answer["between"]:
        _say(f"  {escape(each['before'])} → {escape(each['after'])}: {each['leads']}")
    if answer["moved"] and not answer["dry_run"]:
        named = " ".join(f"--campaign {campaign}" for campaign in answer["campaigns_moved"][:5])
        _say(f"next: lead-assets run {named} --select 'key:\"routing/decisions\"+', so that the tables say so, too")


def released(answer: dict[str, Any]) -> None:
    _say(f"{escape(answer['account'])} was {escape(str(answer['before']))}'s; its next lead decides anew")


def history(answer: dict[str, Any]) -> None:
    owner = answer["owner"]
    _say(
        f"{escape(answer['account'])} has no owner"
        if owner is None
        else f"{escape(answer['account'])} is {escape(owner['owner'])}'s since {owner['since']}: {escape(owner['because'])}"
    )
    for each in answer["changes"]:
        _say(_change(each))


def people(answer: dict[str, Any]) -> None:
    table = Table("owner", "state", "open leads", "at most", "accounts")
    for each in answer["owners"]:
        most = "" if each["most"] is None else str(each["most"])
        table.add_row(escape(each["owner"]), each["state"], str(each["open"]), most, str(each["accounts"]))
    _out.print(table)
    for each in answer["not_in_the_table"]:
        _say(
            f"[yellow]{escape(each['owner'])} has {each['open']} open leads and is not in routing.yaml[/]: lead-assets owners leave {each['owner']}"
        )


def imported(answer: dict[str, Any]) -> None:
    _say(f"{answer['accounts']} accounts from {escape(answer['path'])}: {answer['owners']} with an owner, {answer['customers']} customers")

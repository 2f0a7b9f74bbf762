"""Prints the answers of the commands about privacy for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_out = Console()
_MOST_LINES = 20


def added(answer: dict[str, Any]) -> None:
    _out.print(f"{answer['added']:,} added, {answer['already']:,} known already", highlight=False)
    if answer["unread"]:
        lines = ", ".join(map(str, answer["unread"][:_MOST_LINES]))
        more = f" and {len(answer['unread']) - _MOST_LINES:,} more" if len(answer["unread"]) > _MOST_LINES else ""
        _out.print(
            f"not read: number {lines}{more}: no e-mail address, phone or domain; write a phone as +14155550123, or add --country",
            highlight=False,
        )


def fetched(answer: dict[str, Any]) -> None:
    for row in answer["destinations"]:
        told = (
            f"could not be asked ({row['why']})"
            if row["why"]
            else f"{row['read']:,} opted out or unreachable, {row['added']:,} of them new"
        )
        _out.print(f"{escape(row['destination'])}: {told}", highlight=False)
    if not answer["destinations"]:
        _out.print("no destination that is on can tell (rules/delivery.yaml)", highlight=False)


def lifted(answer: dict[str, Any]) -> None:
    why = f"; kept out because: {escape(', '.join(answer['why']))}" if answer["why"] else ""
    _out.print(f"{answer['lifted']:,} let in again{why}", highlight=False)
    if answer["still"]:
        _out.print(
            f"still kept out by another value: number {', '.join(map(str, answer['still']))} (lead-assets suppress show)", highlight=False
        )
    if answer["unread"]:
        _out.print(f"not read, so nothing was lifted: number {', '.join(map(str, answer['unread']))}", highlight=False)


def suppressions(answer: dict[str, Any]) -> None:
    if "suppressed" in answer:
        _out.print(f"{answer['kind']}: {'suppressed' if answer['suppressed'] else 'not suppressed'}", highlight=False)
        for why in answer["why"]:
            _out.print(f"  {escape(why)}", highlight=False)
        return
    table = Table("kind", "reason", "hashes", "newest", title="suppressions", title_justify="left")
    for row in answer["lists"]:
        table.add_row(row["kind"], escape(row["reason"]), f"{row['hashes']:,}", row["newest"][:10])
    _out.print(table)


def forgotten(answer: dict[str, Any]) -> None:
    _out.print(
        f"{answer['leads']:,} leads in {len(answer['campaigns']):,} campaigns, {answer['payloads']:,} payloads; held in {len(answer['held']):,} places",
        highlight=False,
    )
    for kind, count in answer["left_to_others"].items():
        _out.print(f"left alone: {count:,} {kind} that others have, too", highlight=False)
    if answer["dry_run"] and not answer["held"]:
        _out.print("nothing is held of whoever has this address or number", highlight=False)
        if not answer["country_known"]:
            _out.print("a number without its country is found as digits only: write it as +14155550123, or add --country", highlight=False)
        return
    if answer["dry_run"]:
        table = Table("place", "found", title="where they are held", title_justify="left")
        for place in answer["held"][:_MOST_LINES]:
            table.add_row(escape(place["where"]), escape("; ".join(f"{name}: {count:,}" for name, count in place.get("found", {}).items())))
        _out.print(table)
        if len(answer["held"]) > _MOST_LINES:
            _out.print(f"and {len(answer['held']) - _MOST_LINES:,} more; --json has all", highlight=False)
        for each in answer["destinations"]:
            _out.print(f"{escape(each['destination'])}: has them, and would be asked to delete them", highlight=False)
        return
    table = Table("store", "places", "bytes", title="removed", title_justify="left")
    for store, each in answer["removed"].items():
        table.add_row(escape(store), f"{each['places']:,}", f"{each['bytes']:,}")
    _out.print(table)
    _out.print(f"searched for {answer['proof']['forms_looked_for']:,} forms afterwards: nothing is left", highlight=False)
    for each in answer["destinations"]:
        why = each.get("why")
        asked = "asked to delete them" if each["asked"] else f"has them, and was not asked ({why}): delete them there"
        asked += f", but not all ({why}): look there" if each["asked"] and why else ""
        _out.print(f"{escape(each['destination'])}: {asked}", highlight=False)
    _out.print(f"receipt: {answer['receipt']} in the archive", highlight=False, soft_wrap=True)


def retained(answer: dict[str, Any]) -> None:
    table = Table("kind", "would be removed" if answer["dry_run"] else "removed", "bytes", title="kept long enough", title_justify="left")
    for kind, each in answer["kinds"].items():
        table.add_row(kind.replace("_", " "), f"{each['removed']:,}", f"{each['bytes']:,}")
    _out.print(table)


def exported(answer: dict[str, Any]) -> None:
    _out.print(
        f"{answer['tables']:,} tables and {answer['answers']:,} answers in {escape(answer['path'])}", highlight=False, soft_wrap=True
    )

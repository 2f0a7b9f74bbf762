"""Prints the answers of `lead-assets score` for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_out = Console()


def fitted(answer: dict[str, Any]) -> None:
    cv = answer["cv"]
    _out.print(f"{answer['rows']} leads, {answer['positives']} won, {answer['open']} open ({escape(answer['read_as'])})", highlight=False)
    if answer["warnings"]:
        table = Table("column", "left out as", "because", title="columns that would fool the model", title_justify="left")
        for warning in answer["warnings"]:
            table.add_row(escape(warning["column"]), warning["kind"], escape(warning["why"]))
        _out.print(table)
    _out.print(f"[bold]{answer['model']}[/] from {len(answer['features'])} columns, on leads that it had not seen:", highlight=False)
    _out.print(
        f"  AUC {cv['auc']}, average precision {cv['pr_auc']}, calibration error {cv['ece']}, Brier {cv['brier']}, "
        f"lift in the best tenth {cv['lift_at_10']}",
        highlight=False,
    )
    _out.print(f"  most is moved by {escape(', '.join(list(answer['moved'])[:5]))}", highlight=False)
    _out.print(
        f"written to {escape(answer['path'])}; next: lead-assets score apply --model {escape(answer['path'])} --input FILE --out FILE",
        highlight=False,
        soft_wrap=True,
    )


def applied(answer: dict[str, Any]) -> None:
    _out.print(
        f"{answer['rows']} leads scored, on average {answer['mean_probability']:.1%} to be won; written to {escape(answer['path'])}",
        highlight=False,
        soft_wrap=True,
    )
    if answer["missing"]:
        _out.print(f"the table lacks {escape(', '.join(answer['missing']))}: counted as missing", highlight=False)


def imported(answer: dict[str, Any]) -> None:
    used = ", ".join(f"{field} from {column!r}" for field, column in answer["columns"].items())
    done = {"stored": "stored", "already_stored": "already stored", "dry_run": "read, not stored"}[answer["status"]]
    _out.print(
        f"{escape(answer['path'])}: {answer['rows']} rows {done}: {answer['won']} won, {answer['lost']} lost, {answer['open']} open, "
        f"{answer['unread']} that say nothing ({escape(used)})",
        highlight=False,
        soft_wrap=True,
    )
    if answer["stages_not_known"]:
        told = ", ".join(f"{stage!r} ({rows} rows)" for stage, rows in answer["stages_not_known"].items())
        _out.print(
            f"stages that rules/outcomes.yaml does not know: {escape(told)}: add them there and run again", highlight=False, soft_wrap=True
        )


def outcomes_fetched(answer: dict[str, Any]) -> None:
    for row in answer["destinations"]:
        told = f"could not be asked ({row['why']})" if row["why"] else f"{row['read']:,} deals, {'stored' if row['new'] else 'nothing new'}"
        _out.print(f"{escape(row['destination'])}: {told}", highlight=False)
    if not answer["destinations"]:
        _out.print("no destination that is on can tell (rules/delivery.yaml)", highlight=False)


def learned(answer: dict[str, Any]) -> None:
    for failure in answer["failures"]:
        _out.print(escape(failure), highlight=False, soft_wrap=True)
    if "verdict" not in answer:
        return
    _out.print(
        f"{answer['won']} won, {answer['lost']} lost, {answer['open']} open; {answer['verdict'].replace('_', ' ')}: {escape(answer['reason'])}",
        highlight=False,
    )
    if answer["features"]:
        _out.print(f"most is moved by {escape(', '.join(answer['features'][:5]))}", highlight=False)
    if answer["verdict"] == "promoted":
        _out.print("new campaigns are scored with it; old ones after: lead-assets rescore --dry-run", highlight=False)
    _out.print(f"lookalike index: {escape(answer['lookalike']['reason'])}", highlight=False)


def rescored(answer: dict[str, Any]) -> None:
    table = Table("campaign", "tier now", "then", "leads")
    for row in answer["changes"]:
        table.add_row(escape(row["campaign_id"]), row["before"], row["after"], str(row["leads"]))
    _out.print(table if answer["changes"] else "no lead changes its tier")
    _out.print(
        "nothing was changed" if answer["dry_run"] else f"{len(answer['moved'])} campaigns moved; next: lead-assets run --all",
        highlight=False,
    )

"""What all subcommands share: the world they run in, progress output, and printing answers.

Does not belong here: subcommands (see `lead_assets.cli.app` and `lead_assets.cli.money_app`), or the format of one answer (see `lead_assets.cli.show`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings

err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; logs on stderr.")]


def told_campaigns(given: Any) -> Any:
    """Callback of `--campaign` options: turns a name into its key, and says so if the two differ."""
    for name in [given] if isinstance(given, str) else given or ():
        try:
            key = campaign_key(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        if key != name:
            err.print(
                f"campaign {escape(repr(name))} has the key {key}, which is its name in tables, partitions and --json",
                highlight=False,
                soft_wrap=True,
            )
    return given


@contextmanager
def connected_world(*, prefer_sandbox: bool = False) -> Iterator[Settings]:
    from lead_assets.cli.worlds import connected

    with connected(Settings(), prefer_sandbox=prefer_sandbox) as settings:
        yield settings


@contextmanager
def progress_bar(label: str, as_json: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on stderr; call it with (steps done, total steps, what is in progress). None if stderr is not a terminal."""
    if as_json or not err.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("assets"), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int, under_way: str) -> None:
            bar.update(task, completed=done, total=total, description=under_way[:60])

        yield report


def print_answer(answer: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer, default=_plain) + "\n")
    else:
        show(answer)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def fail_if_not_whole(answer: dict[str, Any]) -> None:
    if answer["failures"]:
        for failure in answer["failures"]:
            err.print(f"[bold red]failed:[/] {escape(failure)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)

"""What all subcommands share: the world they run in, progress output, and printing answers.

Does not belong here: subcommands (see `lead_assets.cli.app` and `lead_assets.cli.money_app`), or the format of one answer (see `lead_assets.cli.show`).
"""

from __future__ import annotations

import json
import os
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


def hold_standard_streams() -> None:
    """Connect standard streams that are closed (`>&-`, some schedulers) to nothing. Otherwise answers could not be written, and the next file that is opened
    would get the stream's number, and with it whatever a library prints."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


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
    sys.stdout.flush()  # here, where a full disk is still told in one line


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def fail_if_not_whole(answer: dict[str, Any]) -> None:
    if answer["failures"]:
        for failure in answer["failures"]:
            err.print(f"[bold red]failed:[/] {escape(failure)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)

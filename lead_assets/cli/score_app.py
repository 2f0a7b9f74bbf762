"""`lead-assets score`: learns a score from any table with outcomes, and applies it to any table.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lead_assets.cli.terminal import AsJson, print_answer, told_campaigns
from lead_assets.core.settings import Settings

score = typer.Typer(no_args_is_help=True, help="Learn from past leads which ones are won, and score others with it.")


@score.command("fit")
def fit(
    input_path: Annotated[Path, typer.Option("--input", help="CSV, Parquet or XLSX with one lead per row.")],
    target: Annotated[str, typer.Option("--target", help="The column with the outcome.")],
    positive: Annotated[str | None, typer.Option("--positive", help="The value that means won, unless it is a usual word for it.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="A column to leave out; may be given more than once.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="A column to use although it looks known only after the outcome; may be given more than once."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the model; default: below `models` in the home.")] = None,
    as_json: AsJson = False,
) -> None:
    """Learn a score. Columns that would fool it are found, named with the evidence, and left out."""
    from lead_assets.cli import scores, show_scores

    answer = scores.fit(Settings(), input_path, target, positive=positive, drop=drop or [], keep=keep or [], out=out)
    print_answer(answer, as_json, show_scores.fitted)


@score.command("apply")
def apply(
    model: Annotated[Path, typer.Option("--model", help="A model written by `score fit`.")],
    input_path: Annotated[Path, typer.Option("--input", help="CSV, Parquet or XLSX with one lead per row.")],
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet: the input with `probability` and `score` (0 to 100), best first.")],
    as_json: AsJson = False,
) -> None:
    """Score a table's rows. Columns that it lacks count as missing and are named."""
    from lead_assets.cli import scores, show_scores

    answer: dict[str, Any] = scores.apply(model, input_path, out)
    print_answer(answer, as_json, show_scores.applied)


def add_to(app: typer.Typer) -> None:
    """The commands about the home's own model stand beside `run`."""
    app.command("learn")(learn)
    app.command("rescore")(rescore)


def learn(as_json: AsJson = False) -> None:
    """Learn from the outcomes that are known, and build the lookalike index. New campaigns use the model if it is better than the one in use, and the index."""
    from lead_assets.cli import learned, show_scores

    answer = learned.learn(Settings())
    print_answer(answer, as_json, show_scores.learned)
    if answer["failures"]:
        raise typer.Exit(1)


def rescore(
    campaign: Annotated[
        list[str] | None,
        typer.Option("--campaign", callback=told_campaigns, help="Campaign id; may be given more than once. Default: all."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who would change tier, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let campaigns that were scored with an earlier model or lookalike index, or with none, use those in use from their next run on."""
    from lead_assets.cli import learned, show_scores

    print_answer(learned.rescore(Settings(), campaign, dry_run=dry_run), as_json, show_scores.rescored)

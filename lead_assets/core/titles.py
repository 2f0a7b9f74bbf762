"""Job titles: how senior, and in which department, by declared words in several languages. The first row that matches wins.

Belongs here: how a title is read. Does not belong here: the words (`titles.yaml`: whole words, or `parts` found anywhere, for languages that write words
together).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.columns import fold, folded
from lead_assets.core.shipped import read_shipped

_OWNERS_OF_A_THING = r"\b(product|process|data|system|service|application|solution|risk|asset|content|platform) owner\b"
"""Somebody's role in a team, not who owns the company."""
_ADMINISTRATORS_OF_A_THING = r"\badministrador(a?) d"
"""Who looks after systems or networks; "administrador" alone runs a company."""
_SHORTENED = r"(?i)\b(sr|snr|jr|asst|assoc|mgr|dir|dipl|ing)\.\b"
"""A shortened word that is written against the next: "Sr.Project Manager". Full stops are taken out later, because of "C.E.O."."""
_BETWEEN_TITLES = r"[/|;,•·]| [-–—&] "
_FEW, _MOST_REMEMBERED = 500, 50_000
_remembered: dict[str, tuple[str | None, str | None]] = {}


def title_roles(titles: pl.Series) -> pl.DataFrame:
    """Columns `seniority` and `department`; null where the title says nothing of it. "VP of Sales" → vp, sales.

    Of several titles in one cell the highest gives the seniority; who also runs the company is in no single department ("CEO, Head of Sales" → executive).
    """
    if titles.null_count() == titles.len():
        # A lending form has no titles; compiling the words' patterns would cost more than the rest of its names.
        return pl.DataFrame({"seniority": titles.cast(pl.String), "department": titles.cast(pl.String)})
    distinct = titles.unique()
    if distinct.len() <= _FEW:
        roles = _of_few({title for title in distinct.to_list() if title is not None}) | {None: (None, None)}
        rows = [roles[title] for title in titles.to_list()]
        return pl.DataFrame(rows, schema={"seniority": pl.String, "department": pl.String}, orient="row")
    return (
        pl.DataFrame({"title": titles})
        .join(_roles(distinct), on="title", how="left", nulls_equal=True, maintain_order="left")
        .select("seniority", "department")
    )


def _of_few(titles: set[str]) -> dict[str | None, tuple[str | None, str | None]]:
    """Titles that were read before are remembered: for a few, compiling the words' patterns takes longer than all the rest."""
    found: dict[str | None, tuple[str | None, str | None]] = {title: _remembered[title] for title in titles if title in _remembered}
    if new := sorted(titles - found.keys()):
        read = {title: (seniority, department) for title, seniority, department in _roles(pl.Series("title", new)).iter_rows()}
        found |= read
        if len(_remembered) + len(read) > _MOST_REMEMBERED:
            _remembered.clear()
        _remembered.update(read)
    return found


def _roles(distinct: pl.Series) -> pl.DataFrame:
    """Columns title, seniority, department."""
    general = _general_managers(distinct)
    return _read(distinct).with_columns(
        department=pl.when(pl.col("title").is_in(general.implode())).then(pl.lit("executive")).otherwise("department")
    )


def _general_managers(titles: pl.Series) -> pl.Series:
    """The cells of several titles of which one is of the company's head and another, with its own rank, of a department."""
    several = titles.filter(titles.str.contains(_BETWEEN_TITLES).fill_null(False))
    if several.is_empty():
        return several
    parts = pl.DataFrame({"cell": several, "title": several.str.replace_all(_BETWEEN_TITLES, "\x1f").str.split("\x1f")}).explode("title")
    read = parts.with_columns(_read(parts["title"]).drop("title").get_columns())
    runs_it = (pl.col("seniority") == "c_suite") & (pl.col("department") == "executive")
    of_department = pl.col("seniority").is_not_null() & (pl.col("department") != "executive")
    found = read.group_by("cell").agg(runs_it.any().alias("runs_it"), of_department.any().alias("of_department"))
    return found.filter("runs_it", "of_department")["cell"]


def _read(titles: pl.Series) -> pl.DataFrame:
    text = (
        fold(titles.str.replace_all(_SHORTENED, "$1 "))
        .str.replace_all(_OWNERS_OF_A_THING, "$1")
        .str.replace_all(_ADMINISTRATORS_OF_A_THING, "tecnico d")
    )
    rules = _rules()
    return pl.DataFrame({"title": titles, "text": text}).select(
        "title", seniority=_first_match(rules["seniority"]), department=_first_match(rules["department"])
    )


def _first_match(rules: list[tuple[str, str]]) -> pl.Expr:
    return pl.coalesce(pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(answer)) for answer, pattern in rules)


def declared_words() -> dict[str, list[tuple[str, list[str]]]]:
    """For `seniority` and `department`, the rows of `titles.yaml` in their order: the answer and its words, those of all languages together."""
    declared: dict[str, list[dict[str, Any]]] = read_shipped(Path(__file__).with_name("titles.yaml"))
    return {kind: [(row["is"], _words(row)) for row in rows] for kind, rows in declared.items()}


def _words(row: dict[str, Any]) -> list[str]:
    """The words of a row; those found anywhere, its `parts`, have a star at both ends."""
    return [
        f"*{word.strip()}*" if key == "parts" else word.strip()
        for key, words in row.items()
        if key != "is"
        for word in str(words).split(",")
    ]


@cache
def _rules() -> dict[str, list[tuple[str, str]]]:
    declared = declared_words()
    # Folded together: one call for each word would take most of a second.
    pieces = [piece for rows in declared.values() for _, words in rows for word in words for piece in word.split("*")]
    folds = dict(zip(pieces, folded(pieces), strict=True))
    return {kind: [(answer, _pattern(words, folds)) for answer, words in rows] for kind, rows in declared.items()}


def _pattern(words: list[str], folds: dict[str, str]) -> str:
    """One pattern for all words of a row: "commercial*" with the rest of its word, "charge* d affaires" with that of each, "*vertrieb*" anywhere."""
    anywhere, whole = [], []
    for word in (word.split("*") for word in words):
        texts = [folds[piece] for piece in word]
        if len(word) == 3 and not word[0] and not word[2]:
            anywhere.append(re.escape(texts[1]))
        else:
            spaced = (
                " " * piece.startswith(" ") + re.escape(text) + " " * piece.endswith(" ") for piece, text in zip(word, texts, strict=True)
            )
            whole.append("[^ ]*".join(spaced))
    return "|".join([*anywhere, *([r"(?:^| )(?:" + "|".join(whole) + r")(?: |$)"] if whole else [])])

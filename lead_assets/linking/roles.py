"""What a column is (a name, a date, an e-mail), and its values in the one spelling that comparing needs.

Does not belong here: which rows are compared (see `blocking`), or what agreement is worth (see `comparing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl
from anyascii import anyascii

from lead_assets.core.columns import map_distinct

ROLES = ("name", "date", "email", "phone", "postcode", "address", "company", "text", "exact")
_GIVEN = r"(?i)given|first|fore|christian|vorname|prenom|prénom"
_LEGAL = r"\b(?:inc|incorporated|llc|llp|lp|ltd|limited|plc|corp|corporation|co|company|gmbh|ag|kg|sarl|sas|sa|srl|spa|bv|nv|ab|oy|as|pty|group|holdings?)\b"
_STREETS = {
    "street": "st",
    "road": "rd",
    "avenue": "ave",
    "drive": "dr",
    "place": "pl",
    "court": "ct",
    "crescent": "cr",
    "boulevard": "blvd",
    "lane": "ln",
    "square": "sq",
}
_SEVERAL_WORDS = 0.5
"""The share of values with more than one word above which a name column contains whole names, and a text is compared by its words."""
_PHONE_DIGITS = 9
OWN_USER = "_user"
"""Ends the name of a further column beside an e-mail: what stands before the @, unless it is made of the row's names."""
_IN_USER = 3


class CannotLink(ValueError):
    """The tables, ids or roles do not allow any comparison. The text says what is missing and what to do."""


class RoleColumn(NamedTuple):
    """One column to compare: its name in the prepared frame, its role, and the table's column that it comes from."""

    name: str
    role: str
    source: str
    has_words: bool


class Prepared(NamedTuple):
    """`rows`: row (0, 1, …), id (text), side (0 or 1), and a text column per entry of `columns`, null where unknown; `left_out` says of
    which columns nothing was used, and why."""

    rows: pl.DataFrame
    columns: list[RoleColumn]
    left_out: dict[str, str]


def prepared(tables: Sequence[pl.DataFrame], id_column: str, roles: Mapping[str, str]) -> Prepared:
    """The rows of one or two tables below one another, with one normalised column per role. Raises CannotLink."""
    _check(tables, id_column, roles)
    raw = pl.concat(
        [
            table.select(
                pl.col(id_column).cast(pl.String).alias("id"),
                pl.lit(side, pl.Int8).alias("side"),
                *(_as_text(table, column).alias(f"raw_{at}") for at, column in enumerate(roles)),
            )
            for side, table in enumerate(tables)
        ]
    ).with_row_index("row")
    if raw["id"].null_count():
        raise CannotLink(f"{raw['id'].null_count()} rows have no id in {id_column!r}: fill them or name another column with --id-col")
    repeated = raw.height - raw.select("side", "id").n_unique()
    if repeated:
        raise CannotLink(f"{repeated} rows repeat an id in {id_column!r}: it must name each row once; name another column with --id-col")
    columns: list[RoleColumn] = []
    values: list[pl.Series] = []
    for at, (source, role) in enumerate(roles.items()):
        for name, series in _normalised(raw[f"raw_{at}"], role).items():
            column = RoleColumn(f"c{at}_{name}", role, source, role in ("address", "company", "text") and _words(series) > _SEVERAL_WORDS)
            columns.append(column)
            values.append(series.alias(column.name))
    kept, left_out = _useful(columns, values, rows=raw.height)
    rows = raw.select(pl.col("row").cast(pl.Int64), "id", "side").with_columns(values[at] for at in kept)
    columns = [columns[at] for at in kept]
    return Prepared(rows.with_columns(_own_users(columns)), columns, left_out)


def _own_users(columns: Sequence[RoleColumn]) -> list[pl.Expr]:
    """john.smith@ says nothing beside the name John Smith: namesakes have it too, and agreement would be counted twice."""
    names = [pl.col(column.name).str.slice(0, 6) for column in columns if column.role == "name"]
    users = []
    for column in columns:
        if column.role == "email":
            user = pl.col(column.name).str.replace(r"@.*$", "")
            plain = user.str.replace_all(r"[^a-z]", "")
            named = [(plain.str.contains(name, literal=True) & (name.str.len_chars() >= _IN_USER)).fill_null(False) for name in names]
            users.append(pl.when(~pl.any_horizontal(named) if named else pl.lit(True)).then(user).alias(column.name + OWN_USER))
    return users


def _check(tables: Sequence[pl.DataFrame], id_column: str, roles: Mapping[str, str]) -> None:
    if not roles:
        raise CannotLink("no column has a role: name what to compare, such as --role last_name=name --role email=email")
    for column, role in roles.items():
        if role not in ROLES:
            raise CannotLink(f"--role {column}={role}: unknown role; use one of {', '.join(ROLES)}")
    for side, table in zip("AB", tables, strict=False):
        lacks = [column for column in (id_column, *roles) if column not in table.columns]
        if lacks:
            raise CannotLink(f"table {side} has no column {', '.join(map(repr, lacks))}; it has {', '.join(table.columns[:30])}")


def _as_text(table: pl.DataFrame, column: str) -> pl.Expr:
    """Whole numbers without a decimal point, so that a postcode is the same in a column that a spreadsheet read as decimals."""
    dtype = table.schema[column]
    if dtype in (pl.Float32, pl.Float64):
        value = pl.col(column)
        finite = pl.when(value.is_finite()).then(value)
        whole = finite.round() == finite
        return pl.when(whole).then(finite.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(finite.cast(pl.String))
    if dtype.is_nested():
        raise CannotLink(f"column {column!r} contains {dtype}: only text, numbers and dates can be compared")
    return pl.col(column).cast(pl.String, strict=False)


def _normalised(raw: pl.Series, role: str) -> dict[str, pl.Series]:
    if role == "date":
        return {role: _dates(raw)}
    if role == "phone":
        digits = raw.str.replace_all(r"\D", "").str.tail(_PHONE_DIGITS)
        return {role: _nonempty(digits.set((digits.str.len_chars() < 5).fill_null(False), None))}
    plain = map_distinct(raw, _plain)
    if role == "email":
        return {role: _nonempty(plain.str.extract(r"([^\s<>,;]+@[^\s<>,;]+)", 1))}
    words = _nonempty(plain.str.replace_all(r"['`’.]", "").str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars())
    if role == "name":
        return _names(plain, words)
    if role == "company":
        short = words.str.replace_all(_LEGAL, " ").str.replace_all(r" +", " ").str.strip_chars()
        return {role: pl.select(pl.when(short == "").then(words).otherwise(short)).to_series()}
    if role == "address":
        return {role: words.str.replace_many([f" {long}" for long in _STREETS], [f" {short}" for short in _STREETS.values()])}
    if role in ("postcode", "exact"):
        return {role: words.str.replace_all(" ", "")}
    return {role: words}


def _plain(text: str) -> str:
    return anyascii(text).lower() if not text.isascii() else text.lower()


def _nonempty(series: pl.Series) -> pl.Series:
    return series.set((series == "").fill_null(False), None)


def _words(series: pl.Series) -> float:
    """The share of values with more than one word."""
    return float(series.str.contains(" ", literal=True).mean() or 0.0)  # type: ignore[arg-type]


def _names(plain: pl.Series, words: pl.Series) -> dict[str, pl.Series]:
    """A whole name is its first and its last word ("Doe, Jane" turned); a column with one part of a name is that part."""
    if _words(words) <= _SEVERAL_WORDS:
        return {"name": words.str.replace_all(" ", "")}
    comma = plain.str.contains(r"^[^,]+,[^,]+$").fill_null(False)
    first = pl.select(pl.when(comma).then(words.str.extract(r" (\S+)$", 1)).otherwise(words.str.extract(r"^(\S+)", 1))).to_series()
    last = pl.select(pl.when(comma).then(words.str.extract(r"^(\S+)", 1)).otherwise(words.str.extract(r" (\S+)$", 1))).to_series()
    return {"first": first, "last": last}


_ORDERS = (
    ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"),
    ("%m/%d/%Y", "%m.%d.%Y", "%m-%d-%Y"),
)


def _dates(raw: pl.Series) -> pl.Series:
    """As YYYYMMDD. Day or month first is what more of the column's values allow; eight digits that are no date are kept, because
    one of them may be a typing slip."""
    text = raw.str.strip_chars().str.replace(r"^(\S+?)[T ]\d{1,2}:\d{2}.*$", "$1")
    read = [
        pl.select(pl.coalesce(text.str.to_date(form, strict=False) for form in forms)).to_series().dt.strftime("%Y%m%d")
        for forms in _ORDERS
    ]
    later = sorted(read[1:], key=lambda series: series.null_count())
    digits = text.str.replace_all(r"\D", "")
    iso = text.str.contains(r"^\d{4}\D?\d{2}\D?\d{2}$").fill_null(False)
    slip = pl.select(pl.when(iso).then(digits)).to_series()
    other = pl.select(pl.when(digits.str.len_chars() >= 4).then(digits)).to_series()
    return pl.select(pl.coalesce(read[0], slip, *later, other)).to_series()


def _useful(columns: list[RoleColumn], values: list[pl.Series], *, rows: int) -> tuple[list[int], dict[str, str]]:
    kept: list[int] = []
    left_out: dict[str, str] = {}
    names = [at for at, column in enumerate(columns) if column.role == "name"]
    for at, (column, series) in enumerate(zip(columns, values, strict=True)):
        if series.null_count() == rows:
            left_out[column.source] = "it is empty"
        elif rows > 2 and series.n_unique() == 1:
            left_out[column.source] = "it has one value"
        elif column.role == "name" and _repeats_another(columns, values, at, names):
            left_out[column.source] = "it repeats other name columns"
        else:
            kept.append(at)
    if not kept and rows > 1:
        raise CannotLink(f"nothing to compare: {', '.join(f'{name}: {why}' for name, why in left_out.items())}")
    return kept, left_out


def _repeats_another(columns: list[RoleColumn], values: list[pl.Series], at: int, names: list[int]) -> bool:
    """A whole name beside its own parts would be counted twice."""
    if not columns[at].name.endswith(("_first", "_last")):
        return False
    for other in names:
        if columns[other].source != columns[at].source and columns[other].name.endswith("_name"):
            same = (values[at] == values[other]).drop_nulls()
            if len(same) and float(same.mean()) > _SEVERAL_WORDS:  # type: ignore[arg-type]
                return True
    return False

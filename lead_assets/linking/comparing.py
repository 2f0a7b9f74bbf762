"""How far two values of a role agree, as Splink's levels from equal to different.

Does not belong here: what a level is worth, which is learned from the table (see `weighing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lead_assets.linking.roles import OWN_USER, RoleColumn


class Comparison(NamedTuple):
    """`levels`: SQL conditions from equal to least alike, without "unknown" and "different"; `start`: how often each of them, and different, is expected of
    one person before anything is learned."""

    column: RoleColumn
    levels: list[str]
    start: list[float]
    counts_rarity: bool


def comparisons(columns: Sequence[RoleColumn]) -> list[Comparison]:
    return [_comparison(column, [c for c in columns if c.role == column.role and c.name != column.name]) for column in columns]


def settings(
    compared: Sequence[Comparison], m: Sequence[Sequence[float]], u: Sequence[Sequence[float]], prior: float, *, with_levels: bool
) -> dict[str, Any]:
    """Splink's settings with m and u per level, from equal to different. `with_levels`: the predictions say which levels were reached."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "row",
        "probability_two_random_records_match": prior,
        "comparisons": [_as_splink(one, m[at], u[at]) for at, one in enumerate(compared)],
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": with_levels,
        "retain_intermediate_calculation_columns": False,
    }


def _as_splink(one: Comparison, m: Sequence[float], u: Sequence[float]) -> dict[str, Any]:
    name = one.column.name
    levels: list[dict[str, Any]] = [
        {"sql_condition": f'"{name}_l" IS NULL OR "{name}_r" IS NULL', "label_for_charts": "unknown", "is_null_level": True}
    ]
    for at, sql in enumerate(one.levels):
        level = {"sql_condition": sql, "label_for_charts": sql, "m_probability": m[at], "u_probability": u[at]}
        if at == 0 and one.counts_rarity:
            level |= {"tf_adjustment_column": name, "tf_adjustment_weight": 1.0, "tf_minimum_u_value": 1e-6}
        levels.append(level)
    levels.append({"sql_condition": "ELSE", "label_for_charts": "different", "m_probability": m[-1], "u_probability": u[-1]})
    return {"output_column_name": name, "comparison_levels": levels}


def _comparison(column: RoleColumn, alike: Sequence[RoleColumn]) -> Comparison:
    a, b = f'"{column.name}_l"', f'"{column.name}_r"'
    swapped = [f'({a} = "{c.name}_r" OR {b} = "{c.name}_l")' for c in alike]
    equal, typo = f"{a} = {b}", _edits(a, b, 1, 0.7)
    levels: list[str]
    if column.role == "name":
        initial = f"(least(length({a}), length({b})) = 1 AND {a}[1] = {b}[1])"
        levels = [equal, typo, f"jaro_winkler_similarity({a}, {b}) >= 0.92", *_any(swapped), f"jaro_winkler_similarity({a}, {b}) >= 0.85"]
        levels += [f"jaro_winkler_similarity({a}, {b}) >= 0.75 OR {initial}"]
    elif column.role == "date":
        turned = f"{a}[1:4] = {b}[1:4] AND {a}[5:6] = {b}[7:8] AND {a}[7:8] = {b}[5:6]"
        two_parts = f"{a}[1:6] = {b}[1:6] OR {a}[5:8] = {b}[5:8] OR ({a}[1:4] = {b}[1:4] AND {a}[7:8] = {b}[7:8])"
        levels = [equal, typo, turned, two_parts, _edits(a, b, 2, 0.75), f"{a}[1:4] = {b}[1:4]"]
    elif column.role == "email":
        user_a, user_b = f'"{column.name}{OWN_USER}_l"', f'"{column.name}{OWN_USER}_r"'
        levels = [equal, typo, f"{user_a} = {user_b}", f"jaro_winkler_similarity({user_a}, {user_b}) >= 0.9"]
    elif column.role == "phone":
        levels = [equal, typo, f"{a}[-7:] = {b}[-7:]"]
    elif column.role == "postcode":
        levels = [equal, typo, f"{a}[1:3] = {b}[1:3]", _edits(a, b, 2, 0.6)]
    elif column.role == "exact":
        levels = [equal, *_any(swapped)]
    else:
        levels = [equal, f"length({a}) > 4 AND {_edits(a, b, 2, 0.7)}", *_any(swapped)]
        if column.has_words:
            words = f"list_has_any(string_split({a}, ' '), string_split({b}, ' '))"
            levels += [f"jaro_winkler_similarity({a}, {b}) >= 0.9", f"jaro_winkler_similarity({a}, {b}) >= 0.75 OR {words}"]
        else:
            levels += [f"jaro_winkler_similarity({a}, {b}) >= 0.9", f"jaro_winkler_similarity({a}, {b}) >= 0.8"]
    fuzzy = len(levels) - 1
    start = [0.75, *([0.2 / fuzzy] * fuzzy if fuzzy else []), 0.05]
    return Comparison(column, levels, [value / sum(start) for value in start], column.role not in ("date",))


def _edits(a: str, b: str, most: int, alike: float) -> str:
    """DuckDB counts edits with swapped letters in 1 to 5 µs, plain ones and Jaro and Winkler's likeness in a tenth; only CASE spares it the rest (AND
    evaluates both). A swap is two plain edits."""
    near = f"jaro_winkler_similarity({a}, {b}) >= {alike} AND levenshtein({a}, {b}) <= {2 * most}"
    return f"(CASE WHEN {near} THEN damerau_levenshtein({a}, {b}) <= {most} ELSE false END)"


def _any(conditions: Sequence[str]) -> list[str]:
    return [" OR ".join(conditions)] if conditions else []

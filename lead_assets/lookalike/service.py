"""The answer of the embedding scorer that this index replaces, for one lead, so that its clients go on working.

Belongs here: its names and its short answer for a known e-mail address. Does not belong here: HTTP, or the figures (see `index`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lead_assets.lookalike.index import LookalikeIndex


def score_lead(index: LookalikeIndex, lead: Mapping[str, Any]) -> dict[str, Any]:
    """`lead`: the index's columns by name, and perhaps `email`. What it lacks counts as empty.

    Returns S_look, S_novel, contrast (null where there is nothing to compare with), nn_all_ids, nn_high_ids, is_duplicate, and beyond the old ones
    neighbours and index; or is_duplicate and reason only, for the e-mail address of a record.
    """
    if index.is_known(_text(lead.get("email"))):
        return {"is_duplicate": True, "reason": "email_exact_match"}
    row = pl.DataFrame({name: [_text(lead.get(name))] for name in index.spec.columns}, schema=dict.fromkeys(index.spec.columns, pl.String))
    found = index.ask(row)
    (figures,) = found.to_dicts()
    return {
        "S_look": figures["s_look"],
        "S_novel": figures["s_novel"],
        "contrast": figures["contrast"],
        "nn_all_ids": figures["nn_all_ids"],
        "nn_high_ids": figures["nn_high_ids"],
        "is_duplicate": False,
        "neighbours": index.neighbours(row, found)[0],
        "index": index.facts,
    }


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)

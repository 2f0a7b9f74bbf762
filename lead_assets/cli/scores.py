"""What `lead-assets score` does: reads the table, learns or judges, writes the result.

Does not belong here: learning (see `lead_assets.learning`), or printing (see `show_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.core.tabular import read_table, write_table


def fit(
    settings: Settings, input_path: Path, target: str, *, positive: str | None, drop: Sequence[str], keep: Sequence[str], out: Path | None
) -> dict[str, Any]:
    """Learns and stores a model. Raises CannotLearn or UnreadableTable."""
    from lead_assets.learning import artifact
    from lead_assets.learning.fit import learn

    table = read_table(input_path)
    learned = learn(table, target, positive=positive, drop=drop, keep=keep)
    path = out or settings.home / "models" / f"score-{artifact.data_hash(table)[:12]}{artifact.SUFFIX}"
    artifact.save(learned, table, path)
    return {
        "rows": learned.rows,
        "positives": learned.positives,
        "open": learned.open,
        "read_as": learned.read_as,
        "features": learned.model.columns,
        "dropped": learned.dropped,
        "warnings": [trap._asdict() for trap in learned.warnings],
        "model": learned.model.name,
        "cv": dict(learned.model.cv),
        "moved": learned.model.moved,
        "path": str(path),
    }


def apply(model_path: Path, input_path: Path, out: Path) -> dict[str, Any]:
    """Writes the input with `probability` (0 to 1) and `score` (0 to 100, whole), best first. Raises WrongModel or UnreadableTable."""
    from lead_assets.learning.artifact import load

    model = load(model_path)
    table = read_table(input_path)
    judged = model.judge(table)
    probability = pl.Series("probability", judged)
    scored = table.with_columns(probability, score=(probability * 100).round().cast(pl.Int64)).sort(
        "probability", descending=True, maintain_order=True
    )
    write_table(scored, out)
    return {
        "rows": scored.height,
        "missing": model.missing(table),
        "mean_probability": round(float(judged.mean()), 4) if len(judged) else None,
        "path": str(out),
    }

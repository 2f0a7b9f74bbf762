"""How each figure is defined: sql/metrics.yaml, and docs/METRICS.md, which is generated from it: `python -m lead_assets.marts.metrics > docs/METRICS.md`.

Also the analyst's questions in sql/analyst/, each a SELECT under the question it answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from lead_assets.contracts import TABLES
from lead_assets.core.project_files import project_file


class Metric(BaseModel):
    """One figure: what it says, the column that has it, and how it is computed from the columns beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str = Field(alias="is")
    column: str
    formula: str | None = None
    unit: Literal["share", "usd", "leads", "minutes", "ms", "ratio"]
    mistaken: str | None = Field(None, alias="not")

    @property
    def table(self) -> str:
        return self.column.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.column.rpartition(".")[2]


@dataclass(frozen=True)
class AnalystQuestion:
    """A question in words, and the SELECT that answers it."""

    name: str
    question: str
    sql: str


def load_metrics() -> dict[str, Metric]:
    """The metrics by name. Raises ValueError for one whose column does not exist."""
    said = yaml.safe_load((project_file("sql") / "metrics.yaml").read_text(encoding="utf-8"))
    metrics = {name: Metric(**each) for name, each in said.items()}
    for name, metric in metrics.items():
        if metric.table not in TABLES or metric.name not in TABLES[metric.table].polars_schema():
            raise ValueError(f"sql/metrics.yaml: {name}: there is no column {metric.column}: correct it, or add it to the mart")
    return metrics


def analyst_questions() -> list[AnalystQuestion]:
    """The questions in sql/analyst/, in order."""
    found = []
    for path in sorted((project_file("sql") / "analyst").glob("*.sql")):
        first, _, sql = path.read_text(encoding="utf-8").partition("\n")
        found.append(AnalystQuestion(path.stem, first.removeprefix("-- "), sql.strip()))
    return found


def reference() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "Generated from `sql/metrics.yaml` by `make tables`; a test computes every formula and compares it with the column."
    yield from ("", "| metric | what it says | where | formula | unit |", "| --- | --- | --- | --- | --- |")
    for name, metric in load_metrics().items():
        more = f" {metric.mistaken}" if metric.mistaken else ""
        formula = f"`{metric.formula}`" if metric.formula else ""
        yield f"| {name.replace('_', ' ')} | {metric.says}{more} | `{metric.column}` | {formula} | {metric.unit} |"
    yield from ("", "# Questions", "", 'Each is a file in `sql/analyst/`: `lead-assets sql "$(cat sql/analyst/NAME.sql)"`.', "")
    yield from (f"- {each.question} `{each.name}`" for each in analyst_questions())


if __name__ == "__main__":
    sys.stdout.write(reference())

"""A table that a command reads from a bucket, through Google's own client."""

from __future__ import annotations

import io
from pathlib import Path

from lead_assets.stores.objects import open_objects
from lead_assets_tests.conftest import Command
from lead_assets_tests.lookalike.leads import past_leads


def test_an_index_is_built_and_asked_from_a_bucket(bucket: str, command: Command, tmp_path: Path) -> None:
    content = io.BytesIO()
    past_leads(40).write_parquet(content)
    open_objects(f"{bucket}/exports").put("past.parquet", content.getvalue())
    built = command("lookalike", "build", "--input", f"{bucket}/exports/past.parquet", "--out", "index", "--json").answer()
    assert built["rows"] == 40
    answer = command(
        "lookalike", "score", "--index", "index", "--input", f"{bucket}/exports/past.parquet", "--out", "scored.csv", "--json"
    ).answer()
    assert answer["rows"] == 40
    assert (tmp_path / "scored.csv").exists()
    missing = command("lookalike", "build", "--input", f"{bucket}/exports/none.parquet", "--out", "index")
    assert missing.code == 1
    assert f"{bucket}/exports/none.parquet does not exist" in missing.stderr

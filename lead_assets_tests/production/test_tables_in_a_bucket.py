"""Commands that read any table read it from a bucket, too."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lead_assets.cli.lookalikes import read_source
from lead_assets.core.settings import Settings
from lead_assets.core.tabular import UnreadableTable
from lead_assets_tests.lookalike.leads import past_leads
from lead_assets_tests.production.google_storage import GoogleStorage

pytestmark = pytest.mark.slow


def test_a_table_in_a_bucket_is_read_like_a_file(storage: GoogleStorage, bucket: str, tmp_path: Path) -> None:
    past = past_leads(30)
    data = io.BytesIO()
    past.write_parquet(data)
    name = bucket.removeprefix("gs://")
    storage.overwrite(name, "exports/past.parquet", data.getvalue())
    storage.overwrite(name, "past.csv", past.write_csv(separator=";").encode())
    settings = Settings(home=tmp_path)
    assert read_source(settings, f"{bucket}/exports/past.parquet").equals(past)
    assert read_source(settings, f"{bucket}/past.csv").columns == past.columns


@pytest.mark.parametrize("path", ["/none.parquet", "/exports/none.csv", "", "/"])
def test_a_table_that_is_not_there_is_named(bucket: str, tmp_path: Path, path: str) -> None:
    with pytest.raises(UnreadableTable, match=f"{bucket}{path}: "):
        read_source(Settings(home=tmp_path), f"{bucket}{path}")

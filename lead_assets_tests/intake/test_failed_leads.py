"""Rejected payloads as files for their senders."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from lead_assets.intake.failed_leads import publish
from lead_assets.intake.ingest import ingest
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.folder import Folder

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_every_reject_is_a_line_of_its_campaigns_file_and_a_second_time_writes_nothing(tmp_path: Path) -> None:
    archive, out = Archive(str(tmp_path / "archive")), Folder(tmp_path / "failed")
    for campaign, bad in (("a", b"{oops\n{\n"), ("b", b"[1]\n")):
        ingest(archive, bad, name="x.ndjson", received_at=NOON, campaign=campaign)
    rejected = read_campaigns(archive, ["a", "b"]).rejected
    names = publish(rejected, out)

    assert [name.rsplit("/", 1)[0] for name in names] == ["failed-leads/a", "failed-leads/b"]
    lines = [json.loads(line) for name in names for line in gzip.decompress(out.get(name)).splitlines()]
    assert [line["code"] for line in lines] == rejected["code"].to_list()
    assert all(None not in line.values() and line["raw_text"] for line in lines)
    assert publish(rejected, out) == names
    assert len(list(out.entries())) == 2

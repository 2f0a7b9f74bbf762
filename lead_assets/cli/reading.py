"""How drops are read, for `lead-assets shapes` and `lead-assets ingest`.

Does not belong here: reading itself (see `lead_assets.intake.explain`), or printing (see `show`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.drops import DropSeen, count_drops
from lead_assets.intake.explain import explain
from lead_assets.intake.headers import check_column_map


def shapes(settings: Settings) -> dict[str, Any]:
    """The answer of `lead-assets shapes`."""
    known = adapters_of(settings).known
    rows = [
        {
            "name": name,
            "what": shape.what,
            "kind": shape.kind,
            "general": shape.general,
            "verified": shape.verified,
            "declared_in": known.origins[name],
            "own": settings.rules_dir is not None and known.origins[name].startswith(str(settings.rules_dir)),
        }
        for name, shape in known.shapes.items()
    ]
    return {"shapes": rows, "failures": list(known.faults)}


def read(settings: Settings, files: Sequence[Path], column_map: Mapping[str, str]) -> dict[str, Any]:
    """The answer of `lead-assets shapes try`: how each file is read. Nothing is stored."""
    check_column_map(column_map)
    adapters = adapters_of(settings)
    readings = []
    for file in files:
        with file.open("rb") as stream:
            found = explain(stream, column_map=column_map, limits=settings.limits, adapters=adapters)
        rejects = [{"code": code, "reason": reason, "payloads": count} for code, reason, count in found.rejects]
        readings.append(
            {
                "path": str(file),
                "shapes": [asdict(shape) for shape in found.shapes],
                "rejects": rejects,
                "payloads": found.payloads,
                "is_all": found.is_all,
            }
        )
    return {"readings": readings, "failures": list(adapters.known.faults)}


def counted(settings: Settings, file: Path, campaign: str, column_map: Mapping[str, str], *, forced: bool) -> list[dict[str, Any]]:
    """What `ingest --dry-run` says of a file: its rows by campaign, counted and not stored."""
    seen = DropSeen()
    with file.open("rb") as stream:
        (counts,) = count_drops(
            [(stream, column_map)], [(campaign, forced)], limits=settings.limits, seen=seen, adapters=adapters_of(settings)
        )
    return [
        {
            "path": str(file),
            "campaign_id": campaign_id,
            "rows": each.leads,
            "rejected": each.rejects,
            "status": "dry_run",
            "unmapped": list(seen.unmapped[0]),
            "encoding": seen.encodings[0],
            "codes": dict(seen.codes.get(0, {})),
        }
        for campaign_id, each in counts.items()
    ]

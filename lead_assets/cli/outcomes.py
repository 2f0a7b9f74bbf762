"""What `lead-assets outcomes` does: reads a file of outcomes, stores it in the archive, and says what it understood.

Does not belong here: reading (see `lead_assets.scoring.statements`), or printing (see `show_scores`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.core.tabular import UnreadableTable
from lead_assets.stores.opened import archive_of


def import_file(settings: Settings, path: Path, columns: dict[str, str], *, dry_run: bool) -> dict[str, Any]:
    """Stores the file if it can be read; the table scoring.outcomes has it after the next run. Raises UnreadableTable."""
    from lead_assets.scoring.outcome_rules import load_outcome_rules
    from lead_assets.scoring.statements import read_statements

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableTable(f"{path}: cannot be read ({type(error).__name__})") from None
    read = read_statements(data, path.name, load_outcome_rules(settings), columns)
    new = False
    if not dry_run:
        _, new = archive_of(settings).add_outcomes(data, path.name, datetime.now(UTC), source="file", columns=columns)
    counts = dict(read.statements.group_by("outcome").len().iter_rows())
    return {
        "path": str(path),
        "rows": read.rows,
        **{outcome: counts.get(outcome, 0) for outcome in ("won", "lost", "open")},
        "unread": read.rows - read.statements.height,
        "stages_not_known": read.unread,
        "columns": read.columns,
        "status": "dry_run" if dry_run else "stored" if new else "already_stored",
    }

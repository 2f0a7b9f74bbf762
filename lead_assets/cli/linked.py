"""What `lead-assets identity link` does: reads the tables, links them, writes the pairs.

Does not belong here: linking (see `lead_assets.linking`), or printing (see `show_linked`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lead_assets.core.tabular import read_table, write_table


def link_files(
    inputs: Sequence[Path], id_column: str, roles: Sequence[str], out: Path, *, clusters: Path | None, threshold: float
) -> dict[str, Any]:
    """Writes the pairs (and clusters) of one table, or across two. Raises CannotLink or UnreadableTable."""
    from lead_assets.linking.link import LinkLimits, link

    linked = link([read_table(path) for path in inputs], id_column, _roles(roles), LinkLimits(threshold=threshold))
    write_table(linked.pairs, out)
    if clusters:
        write_table(linked.clusters, clusters)
    return {
        "rows": linked.clusters.height,
        "pairs": linked.pairs.height,
        "clusters": linked.clusters["cluster"].n_unique(),
        "looked_at": linked.looked_at,
        "skipped": linked.skipped,
        "left_out": linked.left_out,
        "divided": linked.divided,
        "one_to_one": linked.one_to_one,
        "clusters_in_part": linked.in_part,
        "columns": [worth._asdict() for worth in linked.worth],
        "path": str(out),
    }


def _roles(given: Sequence[str]) -> dict[str, str]:
    from lead_assets.linking.roles import CannotLink

    roles: dict[str, str] = {}
    for text in given:
        column, equals, role = text.rpartition("=")
        if not equals or not column:
            raise CannotLink(f"--role {text}: write COLUMN=ROLE, such as --role last_name=name")
        if column in roles:
            raise CannotLink(f"--role {text}: the column has a role already ({roles[column]})")
        roles[column] = role.strip().lower()
    return roles

"""Dagster's run history in production: its own Postgres storage, with the content hash as each partition's data version, as in the local one.
deploy/dagster.yaml names it.

Does not belong here: the local history (see `run_history`), or how a hash is made (see `notes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from lead_assets.kit.run_history import with_content_version


class DeployedRunHistory(DagsterPostgresStorage):
    """The tables of Dagster's own Postgres storage; each can read what the other wrote. Takes the same configuration."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> DeployedRunHistory:
        made = DagsterPostgresStorage.from_config_value(inst_data, config_value)  # type: ignore[arg-type]
        made.__class__ = cls
        made.event_log_storage.__class__ = PostgresEventsOfContent
        return made  # type: ignore[return-value]


class PostgresEventsOfContent(PostgresEventLogStorage):
    """Dagster's own event log, in which a partition made again to the same rows keeps its data version."""

    def store_event(self, event: Any) -> None:
        super().store_event(with_content_version(event))

    def store_event_batch(self, events: Sequence[Any]) -> None:
        super().store_event_batch([with_content_version(event) for event in events])

"""Dagster's run history in production: its own Postgres storage on connections that stay open, with the content hash as each partition's data version.

deploy/dagster.yaml names it.

Does not belong here: the local history (see `run_history`), or how a hash is made (see `notes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from lead_assets.kit.run_history import with_content_version


class DeployedRunHistory(DagsterPostgresStorage):
    """The tables of Dagster's own Postgres storage; each can read what the other wrote. Takes the same configuration."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> DeployedRunHistory:
        made = DagsterPostgresStorage.from_config_value(inst_data, config_value)  # type: ignore[arg-type]
        made.__class__ = cls
        made.event_log_storage.__class__ = PostgresEventsOfContent
        storages = (made.run_storage, made.event_log_storage, made.schedule_storage)
        for storage in storages:
            _keep_a_connection(storage)
        made.event_log_storage.kept_open = storages  # type: ignore[attr-defined]
        return made  # type: ignore[return-value]


def _keep_a_connection(storage: Any) -> None:
    """Dagster's storages connect anew for each statement, thousands of times in a run: a process of the server, its login and TLS each time.

    One connection stays open in each storage, as Dagster's webserver keeps it, and is tried before it is used, so a restart of the server costs nothing.
    More are opened while several threads need them. A version of Dagster without these attributes connects as it likes.
    """
    if hasattr(storage, "_engine") and hasattr(storage, "_token_provider"):
        storage._engine = create_pg_engine(
            storage.postgres_url,
            storage._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=-1,
            pool_pre_ping=True,
            pool_recycle=600,
        )


class PostgresEventsOfContent(PostgresEventLogStorage):
    """Dagster's own event log, in which a partition made again to the same rows keeps its data version."""

    kept_open: Sequence[Any] = ()
    """The storages whose connections are closed with this one. Dagster disposes of this one, but not of all."""

    def dispose(self) -> None:
        super().dispose()
        for storage in self.kept_open:
            if hasattr(storage, "_engine"):
                storage._engine.dispose()

    def store_event(self, event: Any) -> None:
        super().store_event(with_content_version(event))

    def store_event_batch(self, events: Sequence[Any]) -> None:
        super().store_event_batch([with_content_version(event) for event in events])

"""Checks that Snowpipe loads what is archived: the queries of sql/snowflake/verify.sql, and a comparison of archived and loaded events.

Does not belong here: setting the pipe up (sql/snowflake/05_snowpipe.sql) or printing (see `show`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.stores.archive import Archive
from lead_assets.stores.opened import archive_of
from lead_assets.stores.warehouse.base import quoted

# Snowpipe loads within a minute or two of a notification; anything younger than this is still on its way.
_ON_ITS_WAY_SECONDS = 600
_LISTED = 100


def verify(settings: Settings) -> dict[str, Any]:
    """The answer of `lead-assets verify-snowpipe`: `ok`, `pipe`, `waiting`, `errors`, `files`, `on_their_way`, `not_landed`.

    Raises ValueError outside production, SnowflakeFailed if Snowflake cannot be asked.
    """
    if settings.env != "production":
        raise ValueError("verify-snowpipe needs Snowflake: set LEAD_ASSETS_ENV=production and the SNOWFLAKE_ variables")
    from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

    warehouse = SnowflakeWarehouse(settings)
    try:
        queries = statements(settings.snowflake_database)
        ((status,),) = warehouse.ask(queries["pipe_status"])
        errors = warehouse.ask(queries["copy_history"])
        landed = {_file(path): int(events) for path, events in warehouse.ask(queries["landed"])}
    finally:
        warehouse.close()
    pipe = json.loads(status)
    archived = dict(_archived(archive_of(settings)))
    missing = sorted(archived.keys() - landed.keys())
    old = [name for name in missing if time.time() - archived[name] > _ON_ITS_WAY_SECONDS]
    running = pipe.get("executionState") == "RUNNING"
    return {
        "ok": running and not errors and not old,
        "pipe": pipe.get("executionState"),
        "waiting": int(pipe.get("pendingFileCount") or 0),
        "last_message": pipe.get("lastForwardedMessageTimestamp") or pipe.get("lastReceivedMessageTimestamp"),
        # The error's text may quote the event; the file name is enough to find it in COPY_HISTORY.
        "errors": [{"file": _file(row[0]), "status": row[1], "rows": row[2], "parsed": row[3]} for row in errors],
        "files": {"archived": len(archived), "landed": len(archived.keys() & landed.keys()), "events_landed": sum(landed.values())},
        "on_their_way": len(missing) - len(old),
        "not_landed": old[:_LISTED],
        "not_landed_files": len(old),
        "next": _next(running, bool(errors), bool(old)),
    }


def told(answer: dict[str, Any]) -> Iterator[str]:
    """The answer as lines of text."""
    files = answer["files"]
    yield f"pipe       {answer['pipe']}, {answer['waiting']} files waiting, last message {answer['last_message'] or 'never'}"
    yield f"events     {files['landed']} of {files['archived']} archived files landed, {answer['on_their_way']} on their way"
    for failed in answer["errors"]:
        yield f"failed     {failed['file']}: {failed['status']}, {failed['rows']} of {failed['parsed']} rows"
    for name in answer["not_landed"]:
        yield f"missing    {name}"
    yield f"next       {answer['next']}" if answer["next"] else "everything has landed"


def statements(database: str) -> dict[str, str]:
    """Name → statement of verify.sql, for this database."""
    text = (project_file("sql") / "snowflake" / "verify.sql").read_text("utf-8")
    found = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    name = quoted(database.upper())
    return {
        key: re.sub(r"\bLEADS\.", lambda _: f"{name}.", body).strip().rstrip(";") for key, body in zip(found[::2], found[1::2], strict=True)
    }


def _archived(archive: Archive) -> Iterator[tuple[str, float]]:
    for campaign in archive.campaigns():
        for entry in archive.events(campaign):
            yield _file(entry.name), entry.arrived


def _file(path: str) -> str:
    """The campaign/file part of a path, which the archive gives relative to its root and Snowflake relative to the bucket."""
    return "/".join(path.split("/")[-2:])


def _next(running: bool, errors: bool, old: bool) -> str | None:
    if not running:
        return "the pipe is not running: ALTER PIPE … SET PIPE_EXECUTION_PAUSED = FALSE, or check its status with sql/snowflake/verify.sql"
    if errors:
        return "files failed to load: see the query copy_history in sql/snowflake/verify.sql, fix the events and materialize them again"
    if old:
        return "archived files are missing: ALTER PIPE … REFRESH queues those of the last 7 days, COPY INTO loads older ones"
    return None

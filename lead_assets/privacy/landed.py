"""Enrichment events that Snowpipe has loaded: RAW.ENRICHMENT_EVENTS_LANDED of sql/snowflake/05_snowpipe.sql, which no contract describes.

A person's events keep their file and id, so that `lead-assets verify-snowpipe` still counts them, and lose the rest. So do others' events that mention them:
the next run archives those without the mention, and Snowpipe loads them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from lead_assets.ledger.erasing import FORGOTTEN
from lead_assets.privacy.needles import Needles

TABLE = "RAW.ENRICHMENT_EVENTS_LANDED"
_AT_ONCE = 500
T = TypeVar("T")


class _Asked(Protocol):
    def ask(self, sql: str, binds: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...


def events_found(snowflake: _Asked, needles: Needles) -> int:
    """How many loaded events have something to find. 0 where Snowpipe is not set up."""
    return len(_found(snowflake, needles)) if _is_set_up(snowflake) else 0


def empty_events(snowflake: _Asked, leads: Sequence[tuple[str, str]], needles: Needles) -> int:
    """Empty the events of leads, (campaign, lead id) each, and those that have something to find. Returns how many."""
    if not _is_set_up(snowflake):
        return 0
    done = 0
    for some in _slices(leads):
        done += _empty(
            snowflake, " OR ".join(["(CAMPAIGN_ID = ? AND LEAD_ID = ?)"] * len(some)), [value for pair in some for value in pair]
        )
    for ids in _slices(_found(snowflake, needles)):
        done += _empty(snowflake, f"EVENT_ID IN ({', '.join('?' * len(ids))})", ids)
    return done


def _empty(snowflake: _Asked, where: str, binds: Sequence[object]) -> int:
    count = int(snowflake.ask(f"SELECT COUNT(*) FROM {TABLE} WHERE {where}", binds)[0][0])
    if count:
        snowflake.ask(f"UPDATE {TABLE} SET RECORD = NULL, LEAD_ID = '{FORGOTTEN}' WHERE {where}", binds)
    return count


def _found(snowflake: _Asked, needles: Needles) -> list[str]:
    """The ids of events that have something to find. Snowflake finds those that may have; whether it is only a part of somebody else's, the needles know."""
    found: dict[str, None] = {}
    for some in _slices(sorted(set(needles.texts))):
        mentions = " OR ".join(["CONTAINS(LOWER(TO_JSON(RECORD)), ?)"] * len(some))
        rows = snowflake.ask(f"SELECT EVENT_ID, TO_JSON(RECORD) FROM {TABLE} WHERE {mentions}", some)
        found |= {str(event_id): None for event_id, text in rows if needles.finds(str(text).encode())}
    return list(found)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def _is_set_up(snowflake: _Asked) -> bool:
    schema, table = TABLE.split(".")
    asked = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
    return bool(snowflake.ask(asked, [schema, table])[0][0])

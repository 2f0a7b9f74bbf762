"""Enrichment events that Snowpipe has loaded: RAW.ENRICHMENT_EVENTS_LANDED of sql/snowflake/05_snowpipe.sql, which no contract describes.

A person's events keep their file and id, so that `lead-assets verify-snowpipe` still counts them, and lose the rest. So do others' events that mention them:
the next run archives those without the mention, and Snowpipe loads them anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lead_assets.ledger.erasing import FORGOTTEN
from lead_assets.privacy.databases import without_beside
from lead_assets.privacy.needles import Needles

TABLE = "RAW.ENRICHMENT_EVENTS_LANDED"
_AT_ONCE = 500


class _Asked(Protocol):
    def ask(self, sql: str, binds: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...


def events_found(snowflake: _Asked, needles: Needles) -> int:
    """How many loaded events have something to find. 0 where Snowpipe is not set up."""
    if not _is_set_up(snowflake):
        return 0
    return sum(int(snowflake.ask(f"SELECT COUNT(*) FROM {TABLE} WHERE {where}", binds)[0][0]) for where, binds in _mentions(needles))


def empty_events(snowflake: _Asked, leads: Sequence[tuple[str, str]], needles: Needles) -> int:
    """Empty the events of leads, (campaign, lead id) each, and those that have something to find. Returns how many."""
    if not _is_set_up(snowflake):
        return 0
    done = 0
    for start in range(0, len(leads), _AT_ONCE):
        some = leads[start : start + _AT_ONCE]
        done += _empty(
            snowflake, " OR ".join(["(CAMPAIGN_ID = ? AND LEAD_ID = ?)"] * len(some)), [value for pair in some for value in pair]
        )
    return done + sum(_empty(snowflake, where, binds) for where, binds in _mentions(needles))


def _empty(snowflake: _Asked, where: str, binds: Sequence[object]) -> int:
    count = int(snowflake.ask(f"SELECT COUNT(*) FROM {TABLE} WHERE {where}", binds)[0][0])
    if count:
        snowflake.ask(f"UPDATE {TABLE} SET RECORD = NULL, LEAD_ID = '{FORGOTTEN}' WHERE {where}", binds)
    return count


def _mentions(needles: Needles) -> Iterator[tuple[str, list[str]]]:
    """Conditions that an event has something to find, with their binds."""
    texts, beside = sorted(set(needles.texts)), needles.texts_beside
    said = without_beside("LOWER(TO_JSON(RECORD))", "?" * len(beside))
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        yield " OR ".join([f"CONTAINS({said}, ?)"] * len(some)), [bind for text in some for bind in (*beside, text)]


def _is_set_up(snowflake: _Asked) -> bool:
    schema, table = TABLE.split(".")
    asked = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
    return bool(snowflake.ask(asked, [schema, table])[0][0])

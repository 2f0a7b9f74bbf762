"""Enrichment events that Snowpipe has loaded: RAW.ENRICHMENT_EVENTS_LANDED of sql/snowflake/05_snowpipe.sql, which no contract describes.

A person's events keep their file and id, so that `lead-assets verify-snowpipe` still counts them, and lose the rest. So do others' events that mention them:
the next run archives those without the mention, and Snowpipe loads them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lead_assets.ledger.erasing import FORGOTTEN
from lead_assets.privacy.needles import Needles

TABLE = "RAW.ENRICHMENT_EVENTS_LANDED"
_AT_ONCE = 500


class _Asked(Protocol):
    def ask(self, sql: str, binds: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...


def events_found(snowflake: _Asked, needles: Needles) -> int:
    """How many loaded events have something to find. 0 where Snowpipe is not set up."""
    if not _is_set_up(snowflake):
        return 0
    texts = sorted(set(needles.texts))
    return sum(
        int(snowflake.ask(f"SELECT COUNT(*) FROM {TABLE} WHERE {_mentions(some)}", some)[0][0])
        for some in (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))
    )


def empty_events(snowflake: _Asked, leads: Sequence[tuple[str, str]], needles: Needles) -> int:
    """Empty the events of leads, (campaign, lead id) each, and those that have something to find. Returns how many."""
    if not _is_set_up(snowflake):
        return 0
    texts = sorted(set(needles.texts))
    done = 0
    for start in range(0, len(leads), _AT_ONCE):
        some = leads[start : start + _AT_ONCE]
        done += _empty(
            snowflake, " OR ".join(["(CAMPAIGN_ID = ? AND LEAD_ID = ?)"] * len(some)), [value for pair in some for value in pair]
        )
    for start in range(0, len(texts), _AT_ONCE):
        done += _empty(snowflake, _mentions(texts[start : start + _AT_ONCE]), texts[start : start + _AT_ONCE])
    return done


def _empty(snowflake: _Asked, where: str, binds: Sequence[object]) -> int:
    count = int(snowflake.ask(f"SELECT COUNT(*) FROM {TABLE} WHERE {where}", binds)[0][0])
    if count:
        snowflake.ask(f"UPDATE {TABLE} SET RECORD = NULL, LEAD_ID = '{FORGOTTEN}' WHERE {where}", binds)
    return count


def _mentions(texts: Sequence[str]) -> str:
    return " OR ".join(["CONTAINS(LOWER(TO_JSON(RECORD)), ?)"] * len(texts))


def _is_set_up(snowflake: _Asked) -> bool:
    schema, table = TABLE.split(".")
    asked = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?"
    return bool(snowflake.ask(asked, [schema, table])[0][0])

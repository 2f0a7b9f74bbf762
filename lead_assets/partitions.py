"""The one partition dimension: campaigns.

A campaign id comes from outside (a URL parameter, a CSV cell, a vendor's API). `campaign_key` is the only door by which it becomes a partition key,
and so a folder name, an object name and a value in SQL. See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime

from dagster import BackfillPolicy, DynamicPartitionsDefinition

campaigns = DynamicPartitionsDefinition(name="campaign")

# Non-contiguous dynamic keys split a single_run backfill into ranges, so a backfill takes up to this many campaigns a run instead.
backfill_policy = BackfillPolicy.multi_run(max_partitions_per_run=25)

_MAX_LENGTH = 64
_HASH_LENGTH = 8


def campaign_key(raw: str) -> str:
    """The partition key of a campaign id: `[a-z0-9._-]`, at most 64 characters, with a hash suffix where that changed the id.

    The suffix keeps ids apart that would otherwise fall together ("Q4 / US" and "q4-us"). Case, surrounding white space and Unicode form
    (NFKC) are spelling, not identity: they change nothing. A key is its own key. Raises ValueError for an id with nothing left to name.
    """
    name = unicodedata.normalize("NFKC", raw).strip().casefold()
    if not name:
        raise ValueError("a campaign id is empty: give the campaign a name")
    slug = re.sub(r"[^a-z0-9._-]+", "-", name)
    slug = re.sub(r"\.{2,}", ".", slug).strip("-.")
    if slug == name and len(slug) <= _MAX_LENGTH:
        return slug
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    stem = slug[: _MAX_LENGTH - _HASH_LENGTH - 1].rstrip("-.")
    return f"{stem}-{digest}" if stem else f"campaign-{digest}"


def inbound_key(received_at: datetime) -> str:
    """The partition of leads that name no campaign: the UTC day they were received."""
    return f"inbound-{received_at:%Y-%m-%d}"


def contiguous_runs(wanted: Iterable[str], known: list[str], at_most: int) -> list[list[str]]:
    """The wanted keys in the order Dagster knows them, cut into runs of neighbours of at most `at_most` keys.

    Dagster names the partitions of a run by their first and last key, so a run can hold neighbours only.
    """
    wanted_set = set(wanted)
    runs: list[list[str]] = []
    previous: int | None = None
    for index, key in enumerate(known):
        if key not in wanted_set:
            continue
        if runs and previous == index - 1 and len(runs[-1]) < at_most:
            runs[-1].append(key)
        else:
            runs.append([key])
        previous = index
    return runs

"""The one place where a campaign id from outside (a URL parameter, a CSV cell, a vendor's API) becomes a partition key.

A key is also a folder name, an object name and a value in SQL. Does not belong here: Dagster's partitions (see `lead_assets.kit.partitions`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

_MAX_LENGTH = 64
_HASH_LENGTH = 8


def campaign_key(raw: str) -> str:
    """The partition key for a campaign id: `[a-z0-9._-]`, at most 64 characters, plus a hash suffix if that changed the id.

    The suffix keeps ids apart that would otherwise collide ("Q4 / US", "Q4-US" and "q4-us"). Surrounding white space is ignored. A key maps
    to itself. Raises ValueError for an id with nothing left in it.
    """
    name = raw.strip()
    if not name:
        raise ValueError("the campaign id is empty: give the campaign a name")
    slug = re.sub(r"[^a-z0-9._-]+", "-", unicodedata.normalize("NFKC", name).casefold())
    slug = re.sub(r"\.{2,}", ".", slug).strip("-.")
    if slug == name and len(slug) <= _MAX_LENGTH:
        return slug
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    stem = slug[: _MAX_LENGTH - _HASH_LENGTH - 1].rstrip("-.")
    return f"{stem}-{digest}" if stem else f"campaign-{digest}"


def inbound_key(received_at: datetime) -> str:
    """The partition for leads that name no campaign: the UTC day they were received."""
    return f"inbound-{received_at:%Y-%m-%d}"

"""Durations as people write them in YAML."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(value: Any) -> timedelta:
    """Parse "30s", "5m", "12h", "90d" or "2w". Raises ValueError."""
    found = re.fullmatch(r"(\d+)\s*([smhdw])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration is a whole number and a unit, e.g. 30s, 5m, 12h, 90d, 2w")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


Duration = Annotated[timedelta, BeforeValidator(duration)]

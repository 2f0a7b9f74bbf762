"""The vendors: all that is known of one is in one folder, and being a folder here is all it takes to be one.

A folder's `__init__` declares its `VENDOR`; the other files are as `vendor` says. What they share is beside them: `http`, `turns`, and the vocabularies
(`offer`, `answers`, `questions`). A vendor knows no other vendor and no room.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from lead_assets.vendors.answers import Parser
from lead_assets.vendors.questions import QUESTIONS, Ask
from lead_assets.vendors.vendor import Vendor


@cache
def load_vendors() -> dict[str, Vendor]:
    """All vendors by name, sorted. Nothing of a folder but its declaration is loaded."""
    folders = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return {name: importlib.import_module(f"{__name__}.{name}").VENDOR for name in folders}


def all_parsers() -> dict[str, Parser]:
    """Every vendor's parsers. Raises ValueError if two have one name."""
    return _together("parsers", *(vendor.parsers for vendor in load_vendors().values()))


def all_questions() -> dict[str, Ask]:
    """The questions that any vendor can be asked, and those in each one's own words. Raises ValueError if two have one name."""
    return _together("questions", QUESTIONS, *(vendor.questions for vendor in load_vendors().values()))


def _together(what: str, *each: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for named in each:
        if twice := found.keys() & named.keys():
            raise ValueError(f"two vendors have {what} called {min(twice)!r}: begin its name with the vendor's")
        found |= named
    return found

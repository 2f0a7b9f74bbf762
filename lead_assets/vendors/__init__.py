"""Vendors: one folder holds everything about a vendor. Add a folder and the vendor exists.

A folder's `__init__` declares its `VENDOR`; `vendor` describes the other files. Shared code is beside the folders: `http`, `turns`, and the vocabularies
(`offer`, `answers`, `questions`). A vendor does not know other vendors or rooms.
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
    """All vendors by name, sorted. Only their declarations are loaded."""
    folders = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return {name: importlib.import_module(f"{__name__}.{name}").VENDOR for name in folders}


def destinations() -> dict[str, Vendor]:
    """The vendors that take deliveries, by name."""
    return {name: vendor for name, vendor in load_vendors().items() if vendor.takes_deliveries}


def all_parsers() -> dict[str, Parser]:
    """The parsers of all vendors. Raises ValueError if two share a name."""
    return _together("parsers", *(vendor.parsers for vendor in load_vendors().values()))


def all_questions() -> dict[str, Ask]:
    """The questions for any vendor, plus each vendor's own. Raises ValueError if two share a name."""
    return _together("questions", QUESTIONS, *(vendor.questions for vendor in load_vendors().values()))


def _together(what: str, *each: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for named in each:
        if twice := found.keys() & named.keys():
            raise ValueError(f"two vendors have {what} called {min(twice)!r}: start the name with the vendor's name")
        found |= named
    return found

"""Finds every contract declared in this package. Add a contract to a module and it is found; nothing else lists it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from lead_assets.contracts.base import Table, contracts_of

_WITHOUT_TABLES = ("base", "found", "reference")


def declared(*, but: Iterable[str] = ()) -> list[type[Table]]:
    """The tables of all modules except those named in `but`, ordered by module name, then by position in the module."""
    skipped = {*_WITHOUT_TABLES, *but}
    names = sorted(each.name for each in pkgutil.iter_modules([str(Path(__file__).parent)]) if each.name not in skipped)
    return [contract for name in names for contract in contracts_of(importlib.import_module(f"{__package__}.{name}"))]

"""Which contracts there are: every table that a module of this package declares. A contract is put into a module, and nothing else names it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from lead_assets.contracts.base import Table, contracts_of

_WITHOUT_TABLES = ("base", "found", "reference")


def declared(*, but: Iterable[str] = ()) -> list[type[Table]]:
    """The tables of all modules (`but` some, by name), in the order of the modules' names and of the tables in them."""
    skipped = {*_WITHOUT_TABLES, *but}
    names = sorted(each.name for each in pkgutil.iter_modules([str(Path(__file__).parent)]) if each.name not in skipped)
    return [contract for name in names for contract in contracts_of(importlib.import_module(f"{__package__}.{name}"))]

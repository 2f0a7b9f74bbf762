"""One forgetting while it goes on: the stores, the person, and what was done so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy.needles import Needles
from lead_assets.privacy.person import DataSubject
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse


@dataclass
class Removed:
    """What was done to one store: places changed, and bytes that are no longer there."""

    places: int = 0
    size: int = 0

    def add(self, size: int, places: int = 1) -> None:
        self.places += places
        self.size += size


@dataclass
class Work:
    """One forgetting: the stores, the person, and what was done so far."""

    settings: Settings
    ledger: Ledger
    archive: Archive
    warehouse: Warehouse
    person: DataSubject
    erasure: str
    needles: Needles
    removed: dict[str, Removed] = field(default_factory=dict)

    def note(self, store: str, size: int, places: int = 1) -> None:
        self.removed.setdefault(store, Removed()).add(size, places)

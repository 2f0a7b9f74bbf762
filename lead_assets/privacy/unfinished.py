"""What an unfinished `forget` remembers beside its receipt, so that another one can finish it; gone at its end.

Does not belong here: the receipt (see `forget`).
"""

from __future__ import annotations

import orjson
import polars as pl

from lead_assets.privacy.person import DataSubject
from lead_assets.privacy.search import Holding
from lead_assets.stores.archive import Archive


def _memory(erasure: str) -> str:
    return f"erasures/{erasure}/unfinished.json"


def is_memory(holding: Holding, erasure: str) -> bool:
    return holding.where.endswith(_memory(erasure))


def remember(archive: Archive, erasure: str, person: DataSubject) -> None:
    """What they are called, until nothing is left: a second `forget` after a crash may find no row that says it."""
    kept = {
        "emails": sorted(person.emails),
        "phones": sorted(person.phones),
        "numbers": sorted(person.numbers),
        "profiles": sorted(person.profiles),
        "names": sorted(person.names),
        "texts": {kind: sorted(texts) for kind, texts in person.texts.items()},
        "rows": person.rows.to_dicts(),
    }
    archive.objects.replace(_memory(erasure), orjson.dumps(kept))


def remember_again(archive: Archive, erasure: str, person: DataSubject) -> None:
    """Take over what an unfinished `forget` remembered."""
    try:
        kept = orjson.loads(archive.read(_memory(erasure)))
    except FileNotFoundError:
        return
    for name in ("emails", "phones", "numbers", "profiles", "names"):
        getattr(person, name).update(kept[name])
    for kind, texts in kept["texts"].items():
        person.texts[kind].update(texts)
    person.rows = pl.DataFrame(kept["rows"], schema=person.rows.schema)


def let_go(archive: Archive, erasure: str) -> None:
    name = _memory(erasure)
    for entry in list(archive.objects.entries(name)):
        archive.objects.replace(name, b"\0" * entry.size)
    for entry in list(archive.objects.entries(name)):
        archive.objects.remove(entry)

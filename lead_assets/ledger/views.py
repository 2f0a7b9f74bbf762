"""Saved views of the lead explorer: a name for what an address asks of the leads table, for one key or for everybody.

Kept here because nothing can make them again. Does not belong here: what an address may ask (see `lead_assets.service.explorer`), who may change a shared view.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.schema import saved_views

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

MOST_NAME, MOST_VIEWS = 60, 50
"""Letters of a name; views of one key, and views that are shared."""


class NotSaved(ValueError):
    """A view that cannot be kept. The text says why and what to do."""


class NameTaken(NotSaved):
    """Another view has this name."""


@dataclass(frozen=True)
class SavedView:
    """`state`: word of the address → what it says. `key_id`: who saved it; if `shared`, all see it."""

    view_id: str
    key_id: str
    name: str
    state: Mapping[str, str]
    shared: bool


class SavedViews:
    """The views of a ledger; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def listed(self, key_id: str) -> list[SavedView]:
        """Shared ones, then those of this key, each in their order."""
        return self._db.read(lambda tx: _of(tx, _seen_by(key_id)))

    def every(self) -> list[SavedView]:
        """The views of all keys."""
        return self._db.read(lambda tx: _of(tx, sa.true()))

    def save(self, key_id: str, name: str, state: Mapping[str, str], *, shared: bool, replace: bool = False) -> SavedView:
        """Keep a view as the last one. The same again changes nothing. Raises NameTaken, unless `replace`, and NotSaved for a name that is none or one too
        many."""
        name = _good(name)

        def work(tx: Tx) -> SavedView:
            group = _of(tx, _group(key_id, shared=shared))
            same = next((each for each in group if each.name.casefold() == name.casefold()), None)
            if same is not None:
                if dict(same.state) != dict(state):
                    if not replace:
                        raise NameTaken(f"There is a view “{same.name}” already: take another name, or replace it.")
                    tx.execute(sa.update(saved_views).where(saved_views.c.view_id == same.view_id).values(state=_json(state)))
                return SavedView(same.view_id, same.key_id, same.name, dict(state), shared)
            if len(group) >= MOST_VIEWS:
                raise NotSaved(f"There are {MOST_VIEWS} views already: delete one first.")
            last = tx.execute(sa.select(sa.func.coalesce(sa.func.max(saved_views.c.place), 0))).scalar_one()
            view = SavedView(secrets.token_hex(8), key_id, name, dict(state), shared)
            row = {"view_id": view.view_id, "key_id": key_id, "name": name, "state": _json(state), "shared": shared, "place": last + 1}
            tx.execute(sa.insert(saved_views), row)
            return view

        return self._db.write(work)

    def rename(self, view_id: str, name: str) -> None:
        """Raises NameTaken and NotSaved."""
        name = _good(name)

        def work(tx: Tx) -> None:
            for view in _of(tx, saved_views.c.view_id == view_id):
                others = [each for each in _of(tx, _group(view.key_id, shared=view.shared)) if each.view_id != view_id]
                if any(each.name.casefold() == name.casefold() for each in others):
                    raise NameTaken(f"There is a view “{name}” already: take another name.")
                tx.execute(sa.update(saved_views).where(saved_views.c.view_id == view_id).values(name=name))

        self._db.write(work)

    def delete(self, view_ids: Sequence[str]) -> None:
        self._db.write(lambda tx: tx.execute(sa.delete(saved_views).where(tx.among(saved_views.c.view_id, view_ids))))

    def move(self, view_id: str, by: int) -> None:
        """Let it change places with the next (1) or the one before (-1) of its kind."""

        def work(tx: Tx) -> None:
            for view in _of(tx, saved_views.c.view_id == view_id):
                group = [each.view_id for each in _of(tx, _group(view.key_id, shared=view.shared))]
                at = group.index(view_id)
                if 0 <= at + by < len(group):
                    group[at], group[at + by] = group[at + by], group[at]
                for place, each in enumerate(group, 1):
                    tx.execute(sa.update(saved_views).where(saved_views.c.view_id == each).values(place=place))

        self._db.write(work)


def _good(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise NotSaved(f"Give the view a name of at most {MOST_NAME} letters.")
    return name


def _group(key_id: str, *, shared: bool) -> Any:
    return saved_views.c.shared if shared else sa.and_(sa.not_(saved_views.c.shared), saved_views.c.key_id == key_id)


def _seen_by(key_id: str) -> Any:
    return sa.or_(saved_views.c.shared, saved_views.c.key_id == key_id)


def _of(tx: Tx, condition: Any) -> list[SavedView]:
    order = (saved_views.c.shared.desc(), saved_views.c.place, saved_views.c.view_id)
    rows = tx.rows(sa.select(saved_views).where(condition).order_by(*order))
    return [SavedView(row.view_id, row.key_id, row.name, orjson.loads(row.state), bool(row.shared)) for row in rows]


def _json(state: Mapping[str, str]) -> str:
    """As text in clear, so that whoever is forgotten is found in what somebody searched for."""
    return orjson.dumps(dict(state)).decode()

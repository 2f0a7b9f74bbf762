"""Who is who, as far as it cannot be derived again: the id that each lead's person and each company's account got, and what people decided about them.

Belongs here: recording and looking up. Does not belong here: which leads are one person (see `lead_assets.identity`), which can be found again from the leads;
but an id depends on which leads arrived first, were merged or deleted since, and must outlive the warehouse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.schema import identities, identity_decisions

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

EntityKind = Literal["person", "account"]
_AT_ONCE = 20_000
"""Rows per transaction: other writers wait for a fraction of a second."""


class Registered(NamedTuple):
    """A member (a lead's "campaign/lead", a company's domain) and its entity; `since`: microseconds since 1970 UTC when the entity's first member arrived."""

    member: str
    entity_id: str
    since: int


class Decided(NamedTuple):
    """`one` < `other`: two members that a person declared to be the same, or not."""

    one: str
    other: str
    same: bool


class Identities:
    """The register of a ledger; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def known(self, kind: EntityKind, members: Collection[str] | None = None) -> list[tuple[str, str, int]]:
        """The register's rows of the given members (None: all), as `Registered`'s fields."""
        columns = (identities.c.member, identities.c.entity_id, identities.c.since)

        def work(tx: Tx) -> list[tuple[Any, ...]]:
            statement = sa.select(*columns).where(identities.c.kind == kind)
            if members is not None:
                statement = statement.where(tx.among(identities.c.member, members))
            return tx.raw_rows(statement)

        return self._db.read(work)

    def members(self, kind: EntityKind, entity_ids: Collection[str]) -> list[Registered]:
        """The members of the given entities, sorted."""

        def work(tx: Tx) -> list[Registered]:
            columns = (identities.c.member, identities.c.entity_id, identities.c.since)
            statement = sa.select(*columns).where(identities.c.kind == kind, tx.among(identities.c.entity_id, entity_ids))
            return sorted(Registered(*row) for row in tx.rows(statement))

        return self._db.read(work)

    def taken(self, kind: EntityKind, entity_ids: Collection[str]) -> set[str]:
        """Which of these ids some member has or had."""

        def work(tx: Tx) -> set[str]:
            statement = sa.select(identities.c.entity_id).where(identities.c.kind == kind, tx.among(identities.c.entity_id, entity_ids))
            return {row[0] for row in tx.raw_rows(statement.distinct())}

        return self._db.read(work)

    def record(self, kind: EntityKind, rows: Sequence[tuple[str, str, int]]) -> None:
        """Set the entity of members. A member that is gone keeps its row: it may come back."""
        for start in range(0, len(rows), _AT_ONCE):
            some = [{"kind": kind, "member": row[0], "entity_id": row[1], "since": row[2]} for row in rows[start : start + _AT_ONCE]]
            self._db.write(lambda tx, some=some: tx.execute(_upsert(tx), some))  # type: ignore[misc]

    def decisions(self, kind: EntityKind) -> list[Decided]:
        """What people decided, sorted."""
        columns = (identity_decisions.c.one, identity_decisions.c.other, identity_decisions.c.same)
        statement = sa.select(*columns).where(identity_decisions.c.kind == kind)
        return sorted(self._db.read(lambda tx: [Decided(row[0], row[1], bool(row[2])) for row in tx.rows(statement)]))

    def decide(self, kind: EntityKind, pairs: Iterable[tuple[str, str]], *, same: bool, instead_of: Iterable[tuple[str, str]] = ()) -> int:
        """Record that two members of each pair are the same, or not. An earlier decision about a pair, or about one of `instead_of`, no longer counts.
        Returns the number of pairs."""
        decided = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
        gone = sorted({(min(pair), max(pair)) for pair in instead_of} - set(decided))

        def work(tx: Tx) -> None:
            if gone:
                of = sa.and_(
                    identity_decisions.c.kind == kind,
                    identity_decisions.c.one == sa.bindparam("a"),
                    identity_decisions.c.other == sa.bindparam("b"),
                )
                tx.execute(sa.delete(identity_decisions).where(of), [{"a": one, "b": other} for one, other in gone])
            if decided:
                rows = [{"kind": kind, "one": one, "other": other, "same": same, "decided_at": tx.now_us} for one, other in decided]
                insert = tx.insert(identity_decisions)
                changed = {name: insert.excluded[name] for name in ("same", "decided_at")}
                tx.execute(insert.on_conflict_do_update(index_elements=["kind", "one", "other"], set_=changed), rows)

        self._db.write(work)
        return len(decided)


def _upsert(tx: Tx) -> Any:
    insert = tx.insert(identities)
    changed = {name: insert.excluded[name] for name in ("entity_id", "since")}
    return insert.on_conflict_do_update(index_elements=["kind", "member"], set_=changed)

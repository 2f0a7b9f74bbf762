"""ServiceKeys of the service: who may call it, for what, how fast and for how much; and what was done with each.

A key is shown once. The ledger keeps a hash of its secret (32 random bytes, so a plain SHA-256 cannot be guessed back), which is compared in constant time.
Does not belong here: HTTP (see `lead_assets.service`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us, to_us
from lead_assets.ledger.schema import key_sessions, key_spend, key_uses, service_keys, service_secrets

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

SCOPES = ("webhook", "read", "read-pii", "write", "admin")
"""What a key may do. admin includes all others, read-pii includes read."""
_INCLUDES = {"admin": frozenset(SCOPES), "read-pii": frozenset({"read", "read-pii"})}
_MARK = "la"
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class ServiceKey:
    """A key as the ledger knows it. `rate_per_second` and `budget_micros` (per UTC day) are None without a limit."""

    key_id: str
    name: str
    scopes: frozenset[str]
    rate_per_second: int | None
    budget_micros: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def may(self, scope: str) -> bool:
        return any(scope == own or scope in _INCLUDES.get(own, ()) for own in self.scopes)

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Use(NamedTuple):
    """`requests` calls with a key that ended alike. `about`: the lead that was read or changed, never an address."""

    key_id: str
    at: datetime
    action: str
    status: int
    about: str | None
    requests: int


class ServiceKeys:
    """The keys of a ledger; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(
        self,
        name: str,
        scopes: Collection[str],
        *,
        lifetime: timedelta | None = None,
        rate_per_second: int | None = None,
        budget_micros: int | None = None,
    ) -> tuple[ServiceKey, str]:
        """A new key, and its text, which nobody can read again. Raises ValueError for an unknown scope, or none."""
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise ValueError(f"unknown scope '{unknown[0]}': use {', '.join(SCOPES)}")
        if not scopes:
            raise ValueError(f"a key without a scope may do nothing: use one or more of {', '.join(SCOPES)}")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)

        def work(tx: Tx) -> ServiceKey:
            expires = to_us(tx.now + lifetime) if lifetime else None
            values = {"key_id": key_id, "name": name, "scopes": " ".join(sorted(set(scopes))), "secret_sha256": _hash(secret)}
            limits = {"rate_per_second": rate_per_second, "budget_micros": budget_micros}
            row = values | limits | {"created_at": tx.now_us, "expires_at": expires, "revoked_at": None}
            tx.execute(sa.insert(service_keys), row)
            return _key(tx.execute(sa.select(service_keys).where(service_keys.c.key_id == key_id)).one())

        return self._db.write(work), f"{_MARK}_{key_id}_{secret}"

    def known(self, text: str) -> ServiceKey | None:
        """The key with this text, valid or not (see `ServiceKey.is_valid`); None for a text that is no key. An unknown id takes as long as a wrong secret."""
        mark, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        row = self._db.read(lambda tx: tx.execute(sa.select(service_keys).where(service_keys.c.key_id == key_id)).first())
        same = hmac.compare_digest(_hash(secret), row.secret_sha256 if row is not None else _NOBODY)
        return _key(row) if same and row is not None and mark == _MARK else None

    def begin_session(self, cookie: str, key_id: str, lifetime: timedelta) -> None:
        """Let a cookie stand for a key. Sessions that have ended are deleted."""

        def work(tx: Tx) -> None:
            tx.execute(sa.delete(key_sessions).where(key_sessions.c.expires_at <= tx.now_us))
            row = {"cookie_sha256": _hash(cookie), "key_id": key_id, "expires_at": to_us(tx.now + lifetime)}
            tx.execute(sa.insert(key_sessions), row)

        self._db.write(work)

    def end_session(self, cookie: str) -> None:
        """A cookie stands for nobody any more."""
        self._db.write(lambda tx: tx.execute(sa.delete(key_sessions).where(key_sessions.c.cookie_sha256 == _hash(cookie))))

    def of_session(self, cookie: str) -> tuple[ServiceKey, datetime] | None:
        """The key that a cookie stands for, valid or not, and until when."""

        def work(tx: Tx) -> tuple[ServiceKey, datetime] | None:
            joined = sa.select(service_keys, key_sessions.c.expires_at.label("until")).join(
                key_sessions, key_sessions.c.key_id == service_keys.c.key_id
            )
            where = (key_sessions.c.cookie_sha256 == _hash(cookie), key_sessions.c.expires_at > tx.now_us)
            row = tx.execute(joined.where(*where)).first()
            return (_key(row), from_us(row.until)) if row is not None else None

        return self._db.read(work)

    def secret(self, name: str) -> bytes:
        """A random secret of the home, made when it is first asked for."""

        def work(tx: Tx) -> str:
            fresh = {"name": name, "value": secrets.token_hex(32)}
            tx.execute(tx.insert(service_secrets).on_conflict_do_nothing(), fresh)
            return str(tx.execute(sa.select(service_secrets.c.value).where(service_secrets.c.name == name)).scalar_one())

        return bytes.fromhex(self._db.write(work))

    def revoke(self, key_id: str) -> bool:
        """End a key now. False if there is none, or it had ended."""
        statement = sa.update(service_keys).where(service_keys.c.key_id == key_id, service_keys.c.revoked_at.is_(None))
        return self._db.write(lambda tx: tx.execute(statement.values(revoked_at=tx.now_us)).rowcount > 0)

    def listed(self) -> list[ServiceKey]:
        """All keys, newest first."""
        order = service_keys.c.created_at.desc()
        return self._db.read(lambda tx: [_key(row) for row in tx.rows(sa.select(service_keys).order_by(order, service_keys.c.key_id))])

    def spent_today(self, key_id: str) -> int:
        """What a key has spent on this UTC day, in micro-dollars."""

        def work(tx: Tx) -> int:
            mine = (key_spend.c.key_id == key_id, key_spend.c.day == tx.day)
            return int(tx.execute(sa.select(key_spend.c.spent_micros).where(*mine)).scalar() or 0)

        return self._db.read(work)

    def spend(self, key_id: str, micros: int) -> None:
        """Add to what a key has spent on this UTC day."""
        self._db.write(lambda tx: tx.add_up(key_spend, [{"key_id": key_id, "day": tx.day, "spent_micros": micros}]))

    def note_uses(self, uses: Sequence[Use]) -> None:
        """Add to the audit log."""
        if not uses:
            return

        def work(tx: Tx) -> None:
            last = tx.execute(sa.select(sa.func.coalesce(sa.func.max(key_uses.c.id), 0))).scalar_one()
            columns = ("id", "key_id", "at", "action", "status", "about", "requests")
            rows = [
                (last + number, use.key_id, to_us(use.at), use.action, use.status, use.about, use.requests)
                for number, use in enumerate(uses, 1)
            ]
            tx.insert_all(key_uses, columns, rows)

        self._db.write(work)

    def uses(self, key_id: str | None = None, most: int = 100) -> list[Use]:
        """The newest entries of the audit log, of one key or of all."""
        statement = sa.select(*(key_uses.c[name] for name in ("key_id", "at", "action", "status", "about", "requests")))
        if key_id is not None:
            statement = statement.where(key_uses.c.key_id == key_id)
        rows = self._db.read(lambda tx: tx.rows(statement.order_by(key_uses.c.id.desc()).limit(most)))
        return [Use(row.key_id, from_us(row.at), row.action, row.status, row.about, row.requests) for row in rows]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Any) -> ServiceKey:
    return ServiceKey(
        row.key_id,
        row.name,
        frozenset(row.scopes.split()),
        row.rate_per_second,
        row.budget_micros,
        from_us(row.created_at),
        from_us(row.expires_at) if row.expires_at is not None else None,
        from_us(row.revoked_at) if row.revoked_at is not None else None,
    )

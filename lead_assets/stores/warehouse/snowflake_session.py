"""Snowflake sessions: connections from settings, statements tagged with their run, and the meaning of failures.

A session does one piece of work at a time and is kept for the next. After a failure it is discarded, which rolls back what was not committed.

Does not belong here: what the statements say (see `snowflake`, `snowflake_ddl`).
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lead_assets.core.settings import Settings
from lead_assets.stores.warehouse.caller import caller
from lead_assets.stores.warehouse.snowflake_ddl import META_SCHEMA, qualified

if TYPE_CHECKING:
    import pyarrow as pa
    from dagster_snowflake import SnowflakeResource

T = TypeVar("T")

_ATTEMPTS = 3
# How long to wait for another run's transaction on the same table; Snowflake's default is 12 hours.
_LOCK_TIMEOUT_SECONDS = 600

_SESSION_GONE = {390104, 390111, 390112, 390113, 390114, 390115, 390195, 250002}
_CANCELLED, _TIMED_OUT, _LOCKED = 604, 630, 625
_ADVICE = {
    _CANCELLED: "the query was cancelled (by a person, or by the resource monitor of the virtual warehouse): see QUERY_HISTORY for who did it, then run again",
    _TIMED_OUT: "the statement timed out: raise SNOWFLAKE_STATEMENT_TIMEOUT_SECONDS or use a larger virtual warehouse",
    _LOCKED: f"another transaction held the table for {_LOCK_TIMEOUT_SECONDS} s: find it with SHOW LOCKS, end it, and run again",
    3001: "the role lacks a privilege: compare its grants with sql/snowflake/02_roles.sql",
    2003: "an object does not exist, or the role may not see it: run sql/snowflake/*.sql once, and check SNOWFLAKE_DATABASE and SNOWFLAKE_ROLE",
}


class SnowflakeFailed(OSError):
    """Snowflake refused a request or did not confirm it. Every partition is still complete, old or new. The text contains no row values.

    `passing`: a later retry may succeed without a fix.
    """

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class _Again(Exception):
    """The work should start over; `args[0]` says why."""


class Session:
    """One connection with its own temporary stage, which Snowflake removes, files included, when the session ends."""

    def __init__(self, resource: SnowflakeResource, database: str) -> None:
        # dagster_snowflake closes a connection only after its block succeeds, and commits first. So the block stays open for the life of this object.
        self._manager = resource.get_connection()
        self._connection: Any = self._manager.__enter__()
        self._stage = qualified(database, META_SCHEMA, f"load_{uuid.uuid4().hex}")
        self._has_stage = False

    def execute(self, sql: str, binds: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return list(self._cursor(sql, binds).fetchall())

    def fetch(self, sql: str, binds: Sequence[object] = ()) -> pa.Table:
        return self._cursor(sql, binds).fetch_arrow_all(force_return_table=True)

    def describe(self, sql: str, binds: Sequence[object] = ()) -> list[Any]:
        """The columns of a query's result, without running it."""
        return list(self._connection.cursor().describe(sql, list(binds) or None))

    def upload(self, data: io.BytesIO) -> str:
        """Upload a Parquet file to the stage from memory, so that personal data never touches the local disk. Returns its path."""
        if not self._has_stage:
            self.execute(f"CREATE TEMPORARY STAGE IF NOT EXISTS {self._stage}")
            self._has_stage = True
        folder = uuid.uuid4().hex
        data.seek(0)
        self._cursor(f"PUT file://part.parquet @{self._stage}/{folder} AUTO_COMPRESS = FALSE", (), file_stream=data)
        return f"@{self._stage}/{folder}/part.parquet"

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN")
        yield  # on failure, `discard` ends the session, which rolls back
        self.execute("COMMIT")

    def close(self) -> None:
        self._connection.close(retry=False)

    def discard(self) -> None:
        """Roll back and close, if the server can be reached. A session left open would hold its locks for hours."""
        from snowflake.connector.errors import Error

        with contextlib.suppress(Error, OSError):
            self._connection.cursor().execute("ROLLBACK")
        with contextlib.suppress(Error, OSError):
            self.close()

    def _cursor(self, sql: str, binds: Sequence[object], **options: Any) -> Any:
        cursor = self._connection.cursor()
        # The tag is sent with the statement: ALTER SESSION would cost an extra round trip each time.
        return cursor.execute(sql, list(binds) or None, _statement_params={"QUERY_TAG": query_tag()}, **options)


class Sessions:
    """The sessions of this process. Each piece of work runs in its own session, and starts over if that session is lost."""

    def __init__(self, settings: Settings, *, retry_wait: float = 2.0) -> None:
        self._settings = settings
        self._retry_wait = retry_wait
        self._idle: list[Session] = []
        self._lock = threading.Lock()

    def run(self, what: str, work: Callable[[Session], T]) -> T:
        """The result of `work(session)`. If the session is lost, the work starts over in a new one, at most twice.

        The work must be safe to start over. Raises SnowflakeFailed.
        """
        from snowflake.connector.errors import Error

        for attempt in range(1, _ATTEMPTS + 1):
            session: Session | None = None
            try:
                session = self._take()
                result = work(session)
            except (Error, _Again) as error:
                if session is not None:
                    session.discard()
                if not _worth_another_try(error) or attempt == _ATTEMPTS:
                    # Do not chain the connector's own error: it may quote row values.
                    passing = _worth_another_try(error) or _number(error) == _LOCKED
                    raise SnowflakeFailed(_explain(what, error, attempt), passing=passing) from None
                time.sleep(self._retry_wait * attempt)
            except BaseException:
                if session is not None:
                    session.discard()
                raise
            else:
                with self._lock:
                    self._idle.append(session)
                return result
        raise AssertionError("unreachable")

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    def _take(self) -> Session:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Session(resource_of(self._settings), self._settings.snowflake_database)


def begin_again(why: str) -> _Again:
    """Raised by work that finds its own result incomplete."""
    return _Again(why)


def query_tag() -> str:
    """The tag that QUERY_HISTORY shows with each statement: the product, the run and the asset."""
    tag: dict[str, str | None] = {"app": "lead_assets"}
    if who := caller():
        tag |= {"run_id": who.run_id, "asset": who.asset}
    return json.dumps(tag)


def resource_of(settings: Settings) -> SnowflakeResource:
    """Dagster's Snowflake resource for the settings: key pair, or OAuth with a token. Raises ValueError naming what is missing."""
    from dagster_snowflake import SnowflakeResource

    missing = [name for name in ("account", "user", "warehouse", "role") if not getattr(settings, f"snowflake_{name}")]
    key = {"private_key": settings.snowflake_private_key, "private_key_path": settings.snowflake_private_key_path}
    token = _token(settings)
    if not any(key.values()) and token is None:
        missing.append("private_key_path (or _PRIVATE_KEY, or for OAuth _TOKEN or _TOKEN_FILE_PATH)")
    if missing:
        raise ValueError(f"LEAD_ASSETS_ENV=production needs SNOWFLAKE_{', SNOWFLAKE_'.join(name.upper() for name in missing)}: set them")
    more: dict[str, Any] = {
        "arrow_number_to_decimal": True,  # money stays exact instead of becoming a float
        "session_parameters": {
            "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
            "CLIENT_TELEMETRY_ENABLED": False,
            "LOCK_TIMEOUT": _LOCK_TIMEOUT_SECONDS,
            "QUERY_TAG": query_tag(),
            "STATEMENT_TIMEOUT_IN_SECONDS": settings.snowflake_statement_timeout_seconds,
            "TIMEZONE": "UTC",
            # If the client is gone, its query ends and releases its lock within minutes, not hours.
            "ABORT_DETACHED_QUERY": True,
        },
    }
    if settings.snowflake_url:
        more |= _host(settings.snowflake_url)
    if token is not None:
        more["token"] = token
    return SnowflakeResource(
        account=settings.snowflake_account,
        user=settings.snowflake_user or "",
        role=settings.snowflake_role,
        warehouse=settings.snowflake_warehouse,
        database=settings.snowflake_database.upper(),
        schema=META_SCHEMA.upper(),
        private_key=_secret(settings.snowflake_private_key) if token is None else None,
        private_key_path=str(settings.snowflake_private_key_path) if settings.snowflake_private_key_path and token is None else None,
        private_key_password=_secret(settings.snowflake_private_key_passphrase),
        authenticator="oauth" if token is not None else None,
        autocommit=True,  # transactions begin and commit explicitly
        paramstyle="qmark",  # values are bound by the server, never written into a statement
        login_timeout=min(60, settings.snowflake_network_timeout_seconds),
        network_timeout=settings.snowflake_network_timeout_seconds,
        additional_snowflake_connection_args=more,
    )


def _token(settings: Settings) -> str | None:
    if settings.snowflake_token_file_path is not None:
        # Read for each session, because another program renews it.
        return settings.snowflake_token_file_path.read_text("utf-8").strip()
    return _secret(settings.snowflake_token)


def _secret(value: Any) -> str | None:
    return value.get_secret_value() if value is not None else None


def _host(url: str) -> dict[str, Any]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("SNOWFLAKE_URL is not a URL: give scheme and host, e.g. https://account.privatelink.snowflakecomputing.com")
    return {"protocol": parts.scheme, "host": parts.hostname, "port": parts.port or (443 if parts.scheme == "https" else 80)}


def _worth_another_try(error: Exception) -> bool:
    """Whether the work may succeed in a new session: the session or connection was lost, or the staged file was damaged."""
    from snowflake.connector import errors

    if isinstance(error, _Again):
        return True
    number = _number(error)
    if number in _SESSION_GONE:
        return True
    if isinstance(error, errors.ProgrammingError | errors.ForbiddenError | errors.BadRequest | errors.NotSupportedError):
        return False
    # 2500xx and 2530xx: connection, upload. 29xxxx and errors without a number: HTTP, already retried by the connector for network_timeout.
    return number is None or 250000 <= number < 251000 or 251011 <= number <= 251012 or number >= 253000


def _explain(what: str, error: Exception, attempts: int) -> str:
    number = _number(error)
    kind = f"{type(error).__name__} {number:06d}" if number is not None else type(error).__name__
    if isinstance(error, _Again):
        kind = str(error)
    query = getattr(error, "sfqid", None)
    advice = _ADVICE.get(number or 0) or _first_line(error, number)
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    return f"snowflake: {what} failed{tried}: {kind}: {advice}. No partition is half written{f'; query id {query}' if query else ''}"


def _first_line(error: Exception, number: int | None) -> str:
    """The server's own message about a statement. Messages about data (100xxx) are withheld because they may quote it."""
    if isinstance(error, _Again) or (number is not None and 100000 <= number < 200000):
        return "see the query in QUERY_HISTORY, and materialize the partition again"
    return str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or "").strip().partition("\n")[0][:200]


def _number(error: Exception) -> int | None:
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) and number > 0 else None

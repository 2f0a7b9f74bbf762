"""Snowflake's bad days, made on the wire between the real connector and the server: sessions and networks lost, queries ended, files damaged."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import errors

from lead_assets.contracts import Score
from lead_assets.core.settings import Settings
from lead_assets.stores.warehouse.caller import on_behalf_of
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse
from lead_assets.stores.warehouse.snowflake_session import SnowflakeFailed, _worth_another_try, resource_of
from lead_assets_tests.stores.fake import FakeAccount
from lead_assets_tests.stores.frames import scores
from lead_assets_tests.stores.proxy import Cut, Proxy, Request, begins, once, refusal, rows

# The connector's own timer tries to cancel a lost statement over the same lost wire.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def _before(snowflake: SnowflakeWarehouse) -> None:
    snowflake.write(Score, scores("a", 4), ["a"])


def cut(request: Request) -> None:
    raise Cut


@pytest.mark.parametrize(
    ("code", "again"),
    # snowflake.connector.network: 390112 session expired, 390104 and 390114 token expired, 390195 ID token invalid, …
    [(code, True) for code in (390104, 390111, 390112, 390113, 390114, 390115, 390195, 250001, 250002, 253003)]
    + [(code, False) for code in (604, 630, 625, 3001, 2003, 1003, 251008)],
)
def test_what_a_new_session_may_mend_is_tried_again_and_nothing_else(code: int, again: bool) -> None:
    assert _worth_another_try(errors.DatabaseError("no", errno=code)) is again


@pytest.mark.parametrize(("code", "statement"), [("390111", "DELETE"), ("390114", "COPY"), ("390114", "COMMIT")])
def test_a_session_that_expired_is_replaced_and_the_work_done(
    snowflake: SnowflakeWarehouse, wire: Proxy, code: str, statement: str
) -> None:
    wire.rule = once(begins(statement), lambda request: refusal(code, "Authentication token has expired.", "08001"))
    snowflake.write(Score, scores("a", 7), ["a"])
    assert snowflake.read(Score, ["a"]).equals(scores("a", 7))
    assert sum(request.path.startswith("/session/v1/login-request") for request in wire.seen) == 2


def test_a_token_that_expired_between_two_uses_is_replaced(snowflake: SnowflakeWarehouse, wire: Proxy) -> None:
    wire.rule = once(begins("SELECT"), lambda request: refusal("390114", "Authentication token has expired.", "08001"))
    assert snowflake.read(Score, ["a"]).height == 4


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        ("000604", "SQL execution canceled", "the query was cancelled .* run again"),
        ("000630", "Statement reached its statement or warehouse timeout of 900 second(s)", "SNOWFLAKE_STATEMENT_TIMEOUT_SECONDS"),
        (
            "000625",
            "Statement has been aborted because of lock timeout",
            "another transaction held the table for 600 s: find it with SHOW LOCKS",
        ),
        ("003001", "Insufficient privileges to operate on table 'SCORES'", "sql/snowflake/02_roles.sql"),
    ],
)
def test_a_query_that_was_ended_is_not_tried_again_and_the_old_partition_is_whole(
    snowflake: SnowflakeWarehouse, wire: Proxy, code: str, message: str, says: str
) -> None:
    wire.rule = lambda request: refusal(code, message) if request.sql.startswith("COPY") else None
    with pytest.raises(
        SnowflakeFailed, match=f"writing scoring.scores failed: .*{says}.*No partition is half written; query id 01b2-0"
    ) as caught:
        snowflake.write(Score, scores("a", 7), ["a"])
    assert caught.value.passing == (code == "000625"), "a lock is let go of by itself; the run is then tried again"
    assert sum(sql.startswith("COPY") for sql in wire.statements) == 2, "the one of the first write, and this one"
    wire.rule = lambda request: None
    assert snowflake.read(Score, ["a"]).equals(scores("a", 4))
    snowflake.write(Score, scores("a", 7), ["a"])
    assert snowflake.read(Score, ["a"]).equals(scores("a", 7))


@pytest.mark.parametrize("statement", ["COPY", "COMMIT"])
def test_a_network_lost_after_the_delete_leaves_all_of_the_new_rows_or_all_of_the_old(
    snowflake: SnowflakeWarehouse, wire: Proxy, account: FakeAccount, statement: str
) -> None:
    """Lost for as long as the connector tries: the transaction is undone. The work is then done again, in a new session."""
    lost = threading.Event()
    seen_from_outside: list[int] = []
    outside = SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database))

    def rule(request: Request) -> dict[str, Any] | None:
        if request.sql.startswith("ROLLBACK"):
            lost.set()
            seen_from_outside.append(outside.read(Score, ["a"]).height)
        if not lost.is_set() and request.sql.startswith(statement):
            raise Cut
        return None

    wire.rule = rule
    snowflake.write(Score, scores("a", 7), ["a"])
    assert seen_from_outside == [4]
    assert outside.read(Score, ["a"]).equals(scores("a", 7))


@pytest.mark.parametrize("statement", ["COPY", "INSERT", "COMMIT"])
def test_an_answer_that_was_lost_is_no_row_twice(snowflake: SnowflakeWarehouse, wire: Proxy, account: FakeAccount, statement: str) -> None:
    """The server did it, the connector did not hear so and sends it again."""
    heard = once(begins(statement), lambda request: {"lost": True})
    wire.rule = heard
    wire.lose_answer = lambda answer: answer == {"lost": True}
    snowflake.write(Score, scores("b", 7), ["b"])
    assert SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database)).read(Score, ["b"]).equals(scores("b", 7))
    assert snowflake.partitions(Score) == ["a", "b"]


def test_a_stage_file_that_arrived_half_is_uploaded_again(snowflake: SnowflakeWarehouse, wire: Proxy, account: FakeAccount) -> None:
    def halve(request: Request) -> None:
        request.body = request.body[: len(request.body) // 2]

    wire.rule = once(lambda request: request.method == "PUT", halve)
    snowflake.write(Score, scores("a", 7), ["a"])
    assert snowflake.read(Score, ["a"]).equals(scores("a", 7))


def test_an_upload_cut_in_the_middle_is_sent_again(snowflake: SnowflakeWarehouse, wire: Proxy) -> None:
    wire.rule = once(lambda request: request.method == "PUT", cut)
    snowflake.write(Score, scores("a", 7), ["a"])
    assert snowflake.read(Score, ["a"]).equals(scores("a", 7))


def test_rows_that_copy_left_out_are_noticed_before_the_commit(snowflake: SnowflakeWarehouse, wire: Proxy) -> None:
    """The server says that it loaded fewer rows than were sent: nothing of it stays, and the work is done again."""
    said = {"file": "part.parquet", "status": "LOADED", "rows_parsed": "7", "rows_loaded": "3"}
    short = rows(dict.fromkeys(said, "text"), [list(said.values())])
    wire.rule = once(begins("COPY"), lambda request: short)
    snowflake.write(Score, scores("a", 7), ["a"])
    assert snowflake.read(Score, ["a"]).equals(scores("a", 7))
    verbs = [sql.split()[0] for sql in wire.statements]
    assert verbs.count("COPY") == 3
    assert verbs[verbs.index("ROLLBACK") - 1] == "COPY", "undone at once, not after it was seen"


def test_two_runs_that_write_one_new_partition_at_once_leave_the_rows_of_one(
    snowflake: SnowflakeWarehouse, wire: Proxy, account: FakeAccount
) -> None:
    """Neither finds rows to delete, so that neither waits for the other: without counting again, both stay."""
    other = SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database))

    def meanwhile(request: Request) -> None:
        other.write(Score, scores("new", 5), ["new"])

    wire.rule = once(begins("COMMIT"), meanwhile)
    snowflake.write(Score, scores("new", 7), ["new"])
    assert other.read(Score, ["new"]).equals(scores("new", 7))


def test_the_error_has_no_value_of_any_row(snowflake: SnowflakeWarehouse, wire: Proxy) -> None:
    said = refusal("100038", "Numeric value 'ana@lead.example' is not recognized\n File 'part.parquet', line 1", "22018")
    wire.rule = lambda request: said if request.sql.startswith("COPY") else None
    with pytest.raises(SnowflakeFailed) as caught:
        snowflake.write(Score, scores("a", 7), ["a"])
    shown = f"{caught.value} {caught.value.__cause__}"
    assert "ana@lead.example" not in shown
    assert "100038" in shown
    assert caught.value.__suppress_context__


def test_every_statement_names_its_run_and_asset_and_holds_no_value(snowflake: SnowflakeWarehouse, wire: Proxy) -> None:
    wire.seen.clear()
    with on_behalf_of("run-1", "scoring/scores"):
        snowflake.write(Score, scores("c'; --", 2), ["c'; --"])
        snowflake.read(Score, ["c'; --"])
    queries = [request for request in wire.seen if request.sql and not request.sql.startswith(("ROLLBACK", "PUT file://part.parquet @"))]
    tags = {request.content["parameters"]["QUERY_TAG"] for request in queries}
    assert [json.loads(tag) for tag in tags] == [{"app": "lead_assets", "run_id": "run-1", "asset": "scoring/scores"}]
    assert all("--" not in sql for sql in wire.statements)
    (read,) = (sql for sql in wire.statements if sql.startswith("SELECT") and "RULESET" in sql)
    assert '"PARTS__TEXT" AS "PARTS"' in read, "a VARIANT prints 1.0 as 1; fakesnow does not, so that no row can show it here"


def test_a_login_is_by_key_pair_or_oauth_and_says_role_warehouse_and_limits(account: FakeAccount, wire: Proxy, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("renewed-token\n")
    ways = {
        "SNOWFLAKE_JWT": account.settings(snowflake_url=wire.url),
        "OAUTH": account.settings(snowflake_url=wire.url, snowflake_private_key_path=None, snowflake_token_file_path=token),
    }
    for authenticator, settings in ways.items():
        wire.seen.clear()
        SnowflakeWarehouse(settings).partitions(Score)
        login = next(request for request in wire.seen if request.path.startswith("/session/v1/login-request"))
        data = login.content["data"]
        assert (data["AUTHENTICATOR"], data["LOGIN_NAME"]) == (authenticator, "LOADER")
        assert data["TOKEN"] == "renewed-token" if authenticator == "OAUTH" else data["TOKEN"].count(".") == 2
        assert "roleName=LEAD_ASSETS_LOADER" in login.path
        assert "warehouse=LEAD_ASSETS_WH" in login.path
        limits = data["SESSION_PARAMETERS"]
        assert (limits["STATEMENT_TIMEOUT_IN_SECONDS"], limits["LOCK_TIMEOUT"], limits["TIMEZONE"]) == (900, 600, "UTC")


@pytest.mark.parametrize("names", [("private_key", "private_key_passphrase"), ("token",)])
def test_a_credential_that_is_refused_is_not_shown(
    account: FakeAccount, wire: Proxy, caplog: pytest.LogCaptureFixture, names: tuple[str, ...]
) -> None:
    """Production's part of the canaries; the rest is in `lead_assets_tests.production.test_secrets`."""
    login = "/session/v1/login-request"
    wire.rule = lambda request: refusal("390303", "Invalid OAuth access token.", "08001") if request.path.startswith(login) else None
    credentials = {f"snowflake_{name}": f"canary-{name}" for name in names}
    settings = account.settings(snowflake_url=wire.url, snowflake_private_key_path=None, **credentials)
    with caplog.at_level(logging.INFO), pytest.raises((SnowflakeFailed, ValueError)) as caught:
        SnowflakeWarehouse(settings, retry_wait=0.0).prepare()
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {settings!r}"


def test_settings_that_are_missing_are_named_when_the_warehouse_is_first_used() -> None:
    warehouse = SnowflakeWarehouse(Settings(env="production"))
    with pytest.raises(ValueError, match=r"needs SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, .*SNOWFLAKE_PRIVATE_KEY_PATH"):
        warehouse.prepare()


def test_a_url_that_is_none_is_refused(account: FakeAccount) -> None:
    with pytest.raises(ValueError, match="SNOWFLAKE_URL is not a URL"):
        resource_of(account.settings(snowflake_url="account.snowflakecomputing.com"))

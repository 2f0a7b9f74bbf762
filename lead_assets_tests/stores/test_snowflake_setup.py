"""sql/snowflake/ and the DDL from the contracts: every statement is read by a Snowflake parser, and run where fakesnow can run it."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import snowflake.connector
import sqlglot
from sqlglot import exp

from lead_assets.cli.snowpipe import statements
from lead_assets.contracts import TABLES, Score, Table
from lead_assets.core.project_files import project_file
from lead_assets.stores.warehouse import snowflake_ddl as ddl
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse, _loading, restricted
from lead_assets.stores.warehouse.snowflake_ddl import MigrationRefused
from lead_assets_tests.stores.fake import FakeAccount
from lead_assets_tests.stores.frames import scores

SETUP = sorted((project_file("sql") / "snowflake").glob("0*.sql"))

UNPARSED = {
    "ALTER PIPE",
    "ALTER TABLE",  # of which: SET TAG on a column
    "ALTER TAG",
    "ALTER WAREHOUSE",
    "CREATE MASKING POLICY",
    "CREATE NOTIFICATION INTEGRATION",
    "CREATE PIPE",
    "CREATE RESOURCE MONITOR",
    "CREATE ROLE",
    "CREATE USER",
    "GRANT",  # of roles, on what is to come, on tags, integrations and pipes
}
"""What the parser takes as it stands, without reading its inside. An account is the only proof of these."""

NOT_RUN = UNPARSED - {"ALTER TABLE"} | {"CREATE STORAGE INTEGRATION", "CREATE WAREHOUSE", "DESC INTEGRATION", "USE ROLE"}
"""What fakesnow has no such thing of; everything else in the files is run on it."""


def all_columns() -> Iterator[tuple[type[Table], ddl.Physical]]:
    for contract in TABLES.values():
        for column in ddl.physical(contract):
            yield contract, column


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """sqlglot logs a warning for each statement that it takes as it stands: UNPARSED says which."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    yield
    logging.getLogger("sqlglot").setLevel(logging.WARNING)


def parsed(sql: str) -> list[exp.Expression]:
    return [statement for statement in sqlglot.parse(sql, read="snowflake") if statement is not None]


def kind(sql: str) -> str:
    """The statement's kind, as the lists above name it: the longest of them that it begins with."""
    words = re.sub(r"(/\*.*?\*/|--[^\n]*\n|\s)+", " ", sql).strip().upper().replace("IF NOT EXISTS ", "").replace("DESCRIBE ", "DESC ")
    return max((name for name in UNPARSED | NOT_RUN if words.startswith(name)), key=len, default=words[:60])


def test_every_setup_statement_is_snowflakes_and_the_unparsed_are_listed() -> None:
    all_statements = [statement for file in SETUP for statement in parsed(file.read_text())]
    assert len(all_statements) > 60
    unparsed = {kind(each.sql("snowflake")) for each in all_statements if isinstance(each, exp.Command)}
    assert unparsed == UNPARSED
    for statement in statements("LEADS").values():
        (tree,) = parsed(statement)
        assert isinstance(tree, exp.Select)


def test_what_fakesnow_can_run_of_the_setup_runs(account: FakeAccount) -> None:
    host, _, port = account.url.removeprefix("http://").partition(":")
    options: dict[str, Any] = {"user": "u", "password": "p", "account": "a", "protocol": "http", "host": host, "port": int(port)}
    ran: dict[str, bool] = {}
    with contextlib.closing(snowflake.connector.connect(**options, network_timeout=3)) as connection:
        for file in SETUP:
            for statement in file.read_text().split(";\n"):
                if not re.sub(r"--[^\n]*|\s", "", statement) or kind(statement) in NOT_RUN:
                    continue
                connection.cursor().execute(statement)
                ran[kind(statement)[:20]] = True
        for row in range(2):
            connection.cursor().execute(
                "INSERT INTO LEADS.RAW.ENRICHMENT_EVENTS_LANDED SELECT 'e', 'spring', 'l', PARSE_JSON('{\"event_id\": \"e\"}'), "
                f"'events/spring/f', {row}, CURRENT_TIMESTAMP()"
            )
        once = connection.cursor().execute("SELECT EVENT_ID, LEAD_ID, FILE_NAME FROM LEADS.RAW.ENRICHMENT_EVENTS").fetchall()
        landed = connection.cursor().execute(statements("leads")["landed"]).fetchall()
    assert len(ran) >= 8
    assert once == [("e", "l", "events/spring/f")]
    assert landed == [("events/spring/f", 1)]


def test_all_ddl_from_the_contracts_is_snowflakes() -> None:
    for contract in TABLES.values():
        for statement in [*ddl.create_meta("LEADS"), *ddl.create_table("LEADS", contract, "0" * 32)]:
            (tree,) = parsed(statement)
            assert not isinstance(tree, exp.Command) or " SET TAG " in statement, statement


def test_every_column_has_its_comment_and_personal_data_its_tag() -> None:
    for contract in TABLES.values():
        create, *tags = ddl.create_table("LEADS", contract, "0" * 32)
        assert create.count(" COMMENT '") == len(ddl.physical(contract))
        tagged = {line.split("MODIFY COLUMN ")[1].split(" ")[0]: line.rsplit(" = ", 1)[1] for line in tags}
        marked = {ddl.identifier(column.name): ddl.literal(column.pii) for column in ddl.physical(contract) if column.pii}
        assert tagged == marked
        for column in contract.columns():
            text = ddl.identifier(ddl.text_column(column))
            assert (column.pii is not None and column.json) == (text in tagged), "the exact text of personal data is personal data"


def test_every_kind_of_personal_data_may_be_a_value_of_the_tag() -> None:
    sql = (project_file("sql") / "snowflake" / "04_masking.sql").read_text()
    allowed = re.search(r"ALLOWED_VALUES (.*)", sql)
    assert allowed is not None
    assert {column.pii for _, column in all_columns() if column.pii} <= set(re.findall(r"'(\w+)'", allowed[1]))


def test_every_type_of_personal_data_has_a_masking_policy() -> None:
    sql = (project_file("sql") / "snowflake" / "04_masking.sql").read_text()
    assert {column.type for _, column in all_columns() if column.pii} <= set(re.findall(r"\(VALUE (\w+)\) RETURNS", sql))


def test_only_the_roles_that_may_see_personal_data_are_named_by_the_masks() -> None:
    """A role that is misspelt in a policy, or not made, would see nothing or everything; the masked analyst is in no policy."""
    roles, masks = ((project_file("sql") / "snowflake" / name).read_text() for name in ("02_roles.sql", "04_masking.sql"))
    made = set(re.findall(r"CREATE ROLE IF NOT EXISTS (\w+)", roles))
    assert made == {f"LEAD_ASSETS_{name}" for name in ("LOADER", "TRANSFORMER", "ANALYST", "ANALYST_MASKED")}
    policies = re.findall(r"CREATE MASKING POLICY.*?;", masks, re.DOTALL)
    assert [set(re.findall(r"IS_ROLE_IN_SESSION\('(\w+)'\)", policy)) for policy in policies] == [made - {"LEAD_ASSETS_ANALYST_MASKED"}] * 3
    readers = made - {"LEAD_ASSETS_LOADER"}
    for privilege in ("USAGE ON FUTURE SCHEMAS", "SELECT ON FUTURE TABLES", "SELECT ON FUTURE VIEWS", "USAGE ON ALL SCHEMAS"):
        assert set(re.findall(rf"GRANT {privilege} IN DATABASE LEADS TO ROLE (\w+)", roles)) == readers, privilege


def test_what_a_masked_analyst_sees_of_events_is_each_of_them() -> None:
    """Nothing in the view is read out of the masked event, whose inside is gone for who may not see it."""
    (view,) = (tree for tree in parsed(SETUP[-1].read_text()) if isinstance(tree, exp.Create) and tree.kind == "VIEW")
    assert {column.name for column in view.find_all(exp.Column)} >= {"EVENT_ID", "RECORD"}
    assert list(view.find_all(exp.JSONExtract)) == []


def test_large_tables_are_clustered_by_campaign_new_ones_and_old() -> None:
    by_campaign = 'CLUSTER BY ("CAMPAIGN_ID")'
    assert set(TABLES) >= ddl.CLUSTERED
    for name, contract in TABLES.items():
        present = {column.name.upper(): column.type for column in ddl.physical(contract)}
        for statements_ in (ddl.create_table("LEADS", contract, "0" * 32), ddl.migrate("LEADS", contract, present, "0" * 32)):
            assert sum(by_campaign in statement for statement in statements_) == (name in ddl.CLUSTERED), name


def test_a_new_column_is_added_and_all_the_others_have_their_comments_brought_up_to_date() -> None:
    columns = [column.name.upper() for column in ddl.physical(Score)]
    present = {column.name.upper(): column.type for column in ddl.physical(Score) if column.name.upper() != "TIER"}
    statements_ = ddl.migrate("LEADS", Score, present, "0" * 32)
    (added,) = [statement for statement in statements_ if "ADD COLUMN" in statement]
    assert '"TIER"' in added
    assert "NOT NULL" not in added
    commented = [name for statement in statements_ for name in re.findall(r'ALTER COLUMN ("\w+") COMMENT', statement)]
    assert commented == [f'"{name}"' for name in columns if name != "TIER"]


def test_lists_are_loaded_as_arrays_and_objects_as_variants() -> None:
    loads = {column.type: _loading(column) for _, column in all_columns()}
    assert loads["ARRAY"].endswith("::VARCHAR)::ARRAY")
    assert loads["VARIANT"].endswith("::VARCHAR)")


def test_no_table_has_a_column_that_its_exact_text_needs() -> None:
    for contract in TABLES.values():
        names = [column.name.upper() for column in ddl.physical(contract)]
        assert len(names) == len(set(names)), contract.table


@pytest.mark.parametrize(
    ("present", "says"),
    [
        (
            {"OLD_SCORE": "FLOAT"},
            'column OLD_SCORE of scoring.scores is no longer in its contract.*ALTER TABLE .* DROP COLUMN "OLD_SCORE";',
        ),
        ({"SCORE": "TEXT"}, 'column SCORE of scoring.scores is TEXT but its contract says FLOAT.*DROP COLUMN "SCORE"; then materialize'),
        ({"TIER": "NUMBER(38,0)"}, "is NUMBER.38,0. but its contract says VARCHAR"),
    ],
)
def test_a_change_that_would_lose_something_is_refused_with_the_statement_to_run(present: dict[str, str], says: str) -> None:
    with pytest.raises(MigrationRefused, match=says) as caught:
        ddl.migrate("LEADS", Score, {column.name.upper(): column.type for column in ddl.physical(Score)} | present, "0" * 32)
    (statement,) = re.findall(r"run: (.*?);", str(caught.value))
    assert isinstance(parsed(statement)[0], exp.Alter)


def test_types_as_information_schema_prints_them_are_those_of_the_ddl() -> None:
    printed = {"VARCHAR": "TEXT", "TIMESTAMP_TZ(6)": "TIMESTAMP_TZ"}
    for contract in TABLES.values():
        present = {column.name.upper(): printed.get(column.type, column.type) for column in ddl.physical(contract)}
        assert not any("ADD COLUMN" in statement for statement in ddl.migrate("LEADS", contract, present, "0" * 32))


def test_a_table_that_lost_its_place_in_the_contract_is_left_alone(snowflake: SnowflakeWarehouse, account: FakeAccount) -> None:
    """A column somebody added by hand stands in the way of the next change of the contract, which says so and changes nothing."""
    snowflake.write(Score, scores("a", 1), ["a"])
    table = ddl.table_of(snowflake.database, Score)
    snowflake.ask(f"ALTER TABLE {table} ADD COLUMN MINE VARCHAR")
    mark = ddl.Mark(ddl.fingerprint(Score), "0" * 32)
    snowflake.ask(f"COMMENT ON TABLE {table} IS {ddl.literal(str(ddl.Mark('0' * 12, mark.generation)))}")
    later = SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database))
    with pytest.raises(MigrationRefused, match="column MINE"):
        later.write(Score, scores("a", 2), ["a"])
    assert snowflake.ask(f"SELECT COUNT(*) FROM {table}") == [(1,)]


def test_a_table_that_was_dropped_is_made_again_and_has_no_partition(snowflake: SnowflakeWarehouse, account: FakeAccount) -> None:
    """What was noted of the old table's partitions is not believed of the new one: empty partitions would pass for read ones."""
    snowflake.write(Score, scores("a", 1), ["a"])
    snowflake.ask(f"DROP TABLE {ddl.table_of(snowflake.database, Score)}")
    later = SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database))
    assert later.partitions(Score) == []
    assert later.read(Score).equals(Score.empty())


def test_notes_of_partitions_from_before_there_were_other_grains_are_kept(snowflake: SnowflakeWarehouse, account: FakeAccount) -> None:
    """Their column was named for campaigns; it is renamed when the new tables are made."""
    snowflake.write(Score, scores("a", 1), ["a"])
    notes = ddl.qualified(snowflake.database, ddl.META_SCHEMA, ddl.PARTITIONS_TABLE)
    snowflake.ask(f'ALTER TABLE {notes} RENAME COLUMN "PARTITION_KEY" TO "CAMPAIGN_ID"')
    later = SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database))
    later.prepare()
    assert later.partitions(Score) == ["a"]


def test_tables_that_are_as_their_contracts_say_are_left_alone(snowflake: SnowflakeWarehouse, wire: Any, account: FakeAccount) -> None:
    snowflake.write(Score, scores("a", 1), ["a"])
    wire.seen.clear()
    SnowflakeWarehouse(account.settings(snowflake_database=snowflake.database, snowflake_url=wire.url)).read(Score)
    assert {sql.split()[0] for sql in wire.statements} == {"SELECT"}


def test_identifiers_are_quoted_and_what_is_no_name_is_refused() -> None:
    assert ddl.qualified("leads", 'a"b; DROP TABLE x') == '"LEADS"."A""B; DROP TABLE X"'
    for name in ("", "a\0b"):
        with pytest.raises(ValueError, match="identifier"):
            ddl.identifier(name)


def test_a_database_that_is_no_plain_name_is_refused(account: FakeAccount) -> None:
    with pytest.raises(ValueError, match=r"(?i)snowflake_database"):
        account.settings(snowflake_database="leads'; DROP")


def test_a_marts_sql_is_restricted_wherever_it_names_a_table() -> None:
    sql = "SELECT a.campaign_id FROM scoring.scores a WHERE score > (SELECT AVG(score) FROM SCORING.SCORES)"
    statement = restricted(sql, "LEADS", {Score: '"CAMPAIGN_ID" IN (?, ?)'})
    assert statement.count('"LEADS"."SCORING"."SCORES"') == 1
    assert statement.count("?") == 2
    assert {table.name for table in sqlglot.parse_one(statement, read="snowflake").find_all(exp.Table)} == {"SCORES", "scoring__scores"}


def test_lists_that_json_prints_exactly_need_no_text_beside_them() -> None:
    exact = {column.name for _, column in all_columns() if column.source.dtype == pl.List(pl.String())}
    assert exact
    assert all(not ddl.keeps_text(column.source) for _, column in all_columns() if column.name in exact)

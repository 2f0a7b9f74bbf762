"""What a warehouse is made of, where the stand-in for Snowflake is more patient than Snowflake, or a table is as we made it."""

from __future__ import annotations

import polars as pl

from lead_assets.contracts import WHOLE_HOME, KnownPerson, Score
from lead_assets.stores.warehouse.caller import caller, on_behalf_of
from lead_assets.stores.warehouse.snowflake import _binds, _typed, _wanted
from lead_assets.stores.warehouse.snowflake_ddl import Mark


def test_after_a_step_nobody_is_the_caller() -> None:
    with on_behalf_of("run-1", "scoring/scores"):
        with on_behalf_of("run-1", "routing/decisions"):
            pass
        within = caller()
    assert (within and within.asset, caller()) == ("scoring/scores", None)


def test_a_home_wide_table_has_one_partition_that_no_statement_names() -> None:
    assert (_wanted(KnownPerson, [WHOLE_HOME]), _binds(KnownPerson, [WHOLE_HOME])) == ("TRUE", [])
    assert (_wanted(Score, ["a", "b"]), _binds(Score, ["a", "b"])) == ('"CAMPAIGN_ID" IN (?, ?)', ["a", "b"])


def test_an_answer_without_rows_has_the_types_it_was_asked_for() -> None:
    """The connector gives nothing at all for it."""
    assert _typed(None, {"n": pl.Int64(), "at": pl.Datetime("us", "UTC")}).schema == {"n": pl.Int64, "at": pl.Datetime("us", "UTC")}


def test_a_table_that_somebody_else_made_has_no_mark() -> None:
    assert Mark.read(None) is Mark.read("Scores, by hand") is None

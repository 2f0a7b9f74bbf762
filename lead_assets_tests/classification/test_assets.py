"""The room in the graph: how it buys, and the checks between an answer and a score."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from lead_assets.automation import EVALUATION
from lead_assets.classification.profiles import load_profiles
from lead_assets.contracts import Classification, Quarantined, RoutingDecision, Score
from lead_assets.core.settings import Settings
from lead_assets.kit.answers import mode_of
from lead_assets.model.outcome import broken_contracts
from lead_assets.routing import assets as routing
from lead_assets.sandbox import Handle
from lead_assets.scoring import score as scoring
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import frame, lead, noted
from lead_assets_tests.classification.pipeline import QUIET, Graph, check_of, graph, ingest_notes
from lead_assets_tests.conftest import Command

NOTES = ["Fix and flip, 12 flips done", "Rental refinance, tenants in place", "flip [[sandbox:placeholder]]"]


@pytest.fixture
def pipeline(settings: Settings) -> Iterator[Graph]:
    with graph(settings) as made:
        yield made


@pytest.mark.parametrize(
    ("tags", "mode"),
    [
        ({}, "interactive"),
        ({"dagster/backfill": "bkfl"}, "batch"),
        ({"lead_assets/mode": "batch"}, "batch"),
        ({"dagster/backfill": "bkfl", "lead_assets/mode": "interactive"}, "interactive"),
    ],
)
def test_a_run_says_by_its_tags_how_it_buys(tags: dict[str, str], mode: str) -> None:
    assert mode_of(cast(Any, SimpleNamespace(tags=tags))) == mode


@pytest.mark.slow
def test_a_backfill_goes_by_batches(pipeline: Graph, settings: Settings, sandbox: Handle) -> None:
    ingest_notes(settings, "spring", NOTES)
    ran = pipeline.run("spring", tags={"dagster/backfill": "bkfl"})
    assert ran.success
    assert sandbox.billed("anthropic", "batches") >= len(NOTES)
    assert "messages" not in sandbox.meter()["anthropic"]
    assert check_of(ran, "classification/classifications:meets_contract").passed
    assert check_of(ran, "routing/decisions:nobody_quarantined").passed


@pytest.mark.slow
def test_the_command_line_can_ask_for_batches(command: Command, settings: Settings, sandbox: Handle) -> None:
    ingest_notes(settings, "spring", NOTES[:1])
    (row,) = command("run", "--all", "--batch", "--json", sandbox_url=sandbox.url).answer()["campaigns"]
    assert row["routed"] == 1
    assert "messages" not in sandbox.meter()["anthropic"]
    assert sandbox.billed("anthropic", "batches") >= 1


def test_a_score_that_does_not_say_that_its_lead_is_quarantined_stops_the_run_before_its_route(
    pipeline: Graph, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_notes(settings, "spring", NOTES)
    honest = scoring.score

    def careless(*frames: Any) -> pl.DataFrame:
        return honest(*frames).with_columns(quarantined=pl.lit(False))

    monkeypatch.setattr(scoring, "score", careless)
    ran = pipeline.run("spring")
    assert not ran.success
    evaluation = check_of(ran, "scoring/scores:says_what_is_quarantined")
    assert not evaluation.passed
    assert evaluation.metadata["not_said"].value == 1
    assert pipeline.rows(Score).height == 3
    assert pipeline.rows(RoutingDecision).is_empty()


def test_a_quarantined_lead_that_was_routed_stops_the_run(pipeline: Graph, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest_notes(settings, "spring", NOTES)
    honest = routing.decide

    def careless(*given: Any) -> pl.DataFrame:
        decided = honest(*given)
        return pl.concat([decided, decided.head(1).with_columns(lead_id=pl.lit("spring-002"))])

    monkeypatch.setattr(routing, "decide", careless)
    ran = pipeline.run("spring")
    assert not ran.success
    assert check_of(ran, "routing/decisions:nobody_quarantined").metadata["quarantined_and_routed"].value == 1


def test_every_classification_meets_its_contract_and_a_quarantined_lead_is_scored_without_it(pipeline: Graph, settings: Settings) -> None:
    ingest_notes(settings, "spring", NOTES)
    pipeline.run("spring")
    assert broken_contracts(pipeline.rows(Classification), load_profiles()) == {}
    assert pipeline.rows(Quarantined)["code"].to_list() == ["placeholder"]
    scores = {row["lead_id"]: row for row in pipeline.rows(Score).to_dicts()}
    assert {lead: row["quarantined"] for lead, row in scores.items()} == {"spring-000": False, "spring-001": False, "spring-002": True}
    refused = scores["spring-002"]
    assert (refused["path"], "judgement: the model's answer is in quarantine (placeholder)" in refused["unknown_parts"]) == (
        "manual_review",
        True,
    )
    assert set(pipeline.rows(RoutingDecision)["lead_id"]) == {"spring-000", "spring-001"}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"answer": pl.col("answer").str.replace("bridge_rtl", "mezzanine")}, "lending: loan_type: literal_error"),
        ({"answer": pl.col("answer").str.replace('"urgency_score":2', '"urgency_score":9')}, "lending: urgency_score: less_than_equal"),
        ({"loan_type": pl.lit("rental")}, "lending: column loan_type differs from the answer"),
        ({"schema_version": pl.lit("lending-0")}, "lending: version lending-0 is not lending-2"),
        ({"profile": pl.lit("gone")}, "gone: no such profile"),
        (
            {"answer": pl.col("answer").str.replace(r'"outreach_message":"[^"]*"', '"outreach_message":null')},
            "lending: outreach_message: missing",
        ),
    ],
)
def test_rows_that_break_the_contract_are_counted(run: Run, changed: dict[str, pl.Expr], fault: str) -> None:
    rows = run(noted("Fix and flip", "Rental")).classifications
    assert broken_contracts(rows, load_profiles()) == {}
    assert broken_contracts(rows[:1].with_columns(**changed).vstack(rows[1:]), load_profiles()) == {fault: 1}


def test_answers_to_b2b_leads_have_columns_of_their_own(run: Run) -> None:
    leads = frame(
        lead(
            1,
            adapter="inbound_b2b",
            property_address=None,
            title="VP Sales",
            company_size="51-200",
            notes="Please send pricing. Too manual.",
        )
    )
    row = run(leads).classifications.row(0, named=True)
    assert (row["profile"], row["persona"], row["buying_stage"]) == ("b2b", "economic_buyer", "decision")
    assert row["icp_fit"] in ("strong", "moderate")
    assert row["pain_points"] == ["manual work"]
    assert row["loan_type"] is None


def test_the_golden_evaluation_is_made_at_every_request(settings: Settings) -> None:
    with graph(settings) as made:
        job = made.definitions.resolve_job_def(EVALUATION)
        for _ in range(2):
            result = job.execute_in_process(run_config=QUIET, instance=made.instance)
            (event,) = result.get_asset_materialization_events()
            assert event.materialization.metadata["kept"].value is False
            assert event.materialization.metadata["leads"].value > 60

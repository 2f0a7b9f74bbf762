"""One lead's answer is its row: scored with the lookalike index and the model of its campaign, among the campaign's other leads."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

from lead_assets.contracts import Classification, EnrichedLead, Lead, Quarantined, RoutingDecision, Score
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import LOOKALIKE_INDEX, SCORE_MODEL
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.scoring.features import features, training_table
from lead_assets.scoring.learned import build
from lead_assets.scoring.score import with_quarantined
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.conftest import Command
from lead_assets_tests.scoring.test_learned import START, ended
from lead_assets_tests.service.conftest import serving


def use_a_model(settings: Settings) -> None:
    """Learn from made-up outcomes of all stored leads, so that the model says something of each."""
    warehouse, archive = warehouse_of(settings), archive_of(settings)
    classified = with_quarantined(warehouse.read(Classification), warehouse.read(Quarantined))
    known = features(classified, warehouse.read(Lead), warehouse.read(EnrichedLead))
    middle = known["enrichment_quality"].median()
    won = [(quality >= middle) != (number % 8 == 0) for number, quality in enumerate(known["enrichment_quality"].to_list())]
    keys = known.select("campaign_id", "lead_id").to_dicts()
    outcomes = [
        {**key, "outcome_id": "/".join(key.values()), "outcome": "won" if is_won else "lost", "outcome_at": START + timedelta(days=800)}
        for key, is_won in zip(keys, won, strict=True)
    ]
    table = training_table(ended(outcomes), known.with_columns(scored_at=START))
    row, _ = build(table, archive, "")
    assert row["verdict"] == "promoted", row["reason"]
    with opened_ledger(settings) as ledger:
        ledger.pins.use(SCORE_MODEL, row["artifact"], "a test")


@pytest.mark.slow
def test_one_leads_answer_is_its_row(command: Command, home: Path, sandbox: Handle) -> None:
    settings = Settings(home=home, sandbox_url=sandbox.url)
    command("demo", "--json", sandbox_url=sandbox.url).answer()
    command("learn", "--json", sandbox_url=sandbox.url).answer()
    use_a_model(settings)
    command("rescore", "--json", sandbox_url=sandbox.url).answer()
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    with opened_ledger(settings) as ledger:
        assert ledger.pins.in_use(LOOKALIKE_INDEX)
    warehouse = warehouse_of(settings)
    owners = {(row["campaign_id"], row["lead_id"]): row["owner"] for row in warehouse.read(RoutingDecision).to_dicts()}
    rows = [row for row in warehouse.read(Score).to_dicts() if not row["quarantined"]]
    # Every tenth of each campaign, so of each profile.
    asked = [row for number, row in enumerate(sorted(rows, key=lambda row: (row["campaign_id"], row["lead_id"]))) if number % 10 == 0]
    assert {row["campaign_id"] for row in asked} == {row["campaign_id"] for row in rows}
    assert all(row["win_probability"] is not None for row in asked)
    with contextlib.closing(serving(settings)) as started:
        writer = next(started).client("admin")
        for row in asked:
            answer = writer.post(f"/api/v1/leads/{row['lead_id']}/score").json()
            shown = {name: row[name] for name in ("lead_id", "score", "tier", "path", "route_score")}
            assert answer == shown | {"parts": json.loads(row["parts"])}
        row = asked[-1]
        (lead,) = (each for each in warehouse.read(Lead, [row["campaign_id"]]).to_dicts() if each["lead_id"] == row["lead_id"])
        assert writer.get(f"/api/v1/leads/{row['lead_id']}").json()["email_normalized"] == lead["email_normalized"]
        assert owners[row["campaign_id"], row["lead_id"]]

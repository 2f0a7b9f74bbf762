"""From outcomes to scores in the graph: what is learned is pinned, new campaigns are scored with it, old ones when a person asks, and a rebuild repeats it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lead_assets.contracts import ModelBuild, Score
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import Command

COUNT = 130


def leads_of(campaign: str, count: int, tmp_path: Path, seed: int) -> tuple[Path, dict[str, float]]:
    chance = np.random.default_rng(seed)
    file = tmp_path / f"{campaign}.ndjson"
    activity = {f"p{n}@{campaign}-{n}.example": float(chance.integers(0, 100)) for n in range(count)}
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    file.write_text(
        "".join(
            json.dumps(
                {
                    "email": email,
                    "full_name": f"Jane {campaign.title()}{n}",
                    "country": "DE" if n % 2 else "US",
                    "web_activity_score": score,
                }
                | {"email_engagement_score": float(chance.integers(0, 100)), "submitted_at": (begun + timedelta(days=n)).isoformat()}
            )
            + "\n"
            for n, (email, score) in enumerate(activity.items())
        )
    )
    return file, activity


@pytest.mark.slow
def test_what_is_learned_scores_new_campaigns_and_old_ones_when_a_person_asks(
    command: Command, tmp_path: Path, home: Path, sandbox: Handle
) -> None:
    old, activity = leads_of("old", COUNT, tmp_path, 1)
    new, _ = leads_of("new", 5, tmp_path, 2)
    command("ingest", str(old), "--campaign", "old", "--json").answer()
    assert command("rescore", "--dry-run", sandbox_url=sandbox.url).code == 1
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    assert command("learn", "--json", sandbox_url=sandbox.url).answer()["verdict"] == "too_few"
    chance = np.random.default_rng(3)
    deals = tmp_path / "deals.csv"
    won = {email: chance.uniform() < 1 / (1 + np.exp(-(score - 50) / 18)) for email, score in activity.items()}
    rows = "".join(f"{email};{'Closed Won' if is_won else 'Closed Lost'};2027-12-01\n" for email, is_won in won.items())
    deals.write_text("Email;Stage;Close Date\n" + rows)
    command("outcomes", "import", str(deals), "--json").answer()
    learned = command("learn", "--json", sandbox_url=sandbox.url).answer()
    assert (learned["verdict"], learned["before_outcome"], learned["in_use"]) == ("promoted", COUNT, learned["artifact"]), learned
    assert "web_activity_score" in learned["features"][:2]

    command("ingest", str(new), "--campaign", "new", "--json").answer()
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    warehouse = warehouse_of(Settings(home=home))
    assert warehouse.read(Score, ["old"])["win_probability"].null_count() == COUNT
    scored = warehouse.read(Score, ["new"])
    assert scored["win_probability"].null_count() == 0

    rescored = command("rescore", "--dry-run", "--json", sandbox_url=sandbox.url).answer()
    assert rescored["moved"] == []
    assert command("rescore", "--campaign", "old", "--json", sandbox_url=sandbox.url).answer()["moved"] == ["old"]
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    every = warehouse.read(Score)
    assert every["win_probability"].null_count() == 0

    model = warehouse.read(ModelBuild)
    shutil.rmtree(home / "warehouse")
    command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    command("learn", "--json", sandbox_url=sandbox.url).answer()
    assert warehouse.read(Score).sort("campaign_id", "lead_id").equals(every.sort("campaign_id", "lead_id"))
    assert warehouse.read(ModelBuild).equals(model)

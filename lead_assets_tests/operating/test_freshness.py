"""A campaign is fresh if what arrived has an owner and its answers have not expired for long, whenever and in whatever order its tables were made."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSelection

from lead_assets.automation import PIPELINE
from lead_assets.cli.runs import add_campaigns
from lead_assets.contracts import Lead, RoutingDecision
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.kit.declare import BUY_TAG, LIMIT_TAG
from lead_assets.operating.freshness import PATH, FreshnessVerdict, verdicts
from lead_assets.operating.rules import FreshnessRules
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.classification.pipeline import QUIET, Graph, graph

pytestmark = pytest.mark.slow

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
REFRESH = {"refresh": {"usd_per_day": 5, "campaigns_at_once": 5}}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RULES = FreshnessRules.model_validate(
    {"active_for": "30d", "expect": {"drops_routed_within": "10m", "signals_expired_within": "7d"}, **REFRESH}
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(Settings(home=tmp_path_factory.mktemp("home") / "home", env_file=None)) as one:  # type: ignore[call-arg]
        yield one


def drop(made: Graph, campaign: str, at: datetime, *leads: tuple[str, str]) -> None:
    """A drop of (lead_id, title)."""
    payloads = [{"lead_id": lead, "email": f"{lead}@{lead}.example", "company": f"Firm {lead}", "title": title} for lead, title in leads]
    data = "".join(json.dumps(payload) + "\n" for payload in payloads).encode()
    ingest(archive_of(made.settings), data, name="d.ndjson", received_at=at, campaign=campaign, limits=DropLimits(1 << 20))


def run(made: Graph, campaign: str, *, tags: dict[str, str] | None = None, only: list[str] | None = None) -> None:
    add_campaigns(made.instance, [campaign])
    made.definitions.resolve_job_def(PIPELINE).execute_in_process(
        run_config=QUIET,
        instance=made.instance,
        partition_key=campaign,
        tags=tags or {},
        raise_on_error=False,
        asset_selection=_with_neighbours(made, only) if only else None,
    )


def _with_neighbours(made: Graph, tables: list[str]) -> list[AssetKey]:
    """The tables, and those that the same steps make."""
    wanted = AssetSelection.assets(*(AssetKey(table.split(".")) for table in tables)).required_multi_asset_neighbors()
    return sorted(wanted.resolve(made.definitions.resolve_asset_graph()))


def verdict(made: Graph, campaign: str, now: datetime, rules: FreshnessRules = RULES) -> FreshnessVerdict:
    found = verdicts(made.settings, archive_of(made.settings), warehouse_of(made.settings), rules, now)
    return {each.campaign_id: each for each in found}[campaign]


def test_a_drop_may_wait_as_long_as_is_declared(made: Graph) -> None:
    drop(made, "waits", NOON, ("w1", "CEO"))
    assert verdict(made, "waits", NOON + 9 * MINUTE).state == "fresh"
    stale = verdict(made, "waits", NOON + 11 * MINUTE)
    assert (stale.state, stale.since) == ("stale", NOON + 10 * MINUTE)
    assert stale.why == ("a drop of 2026-11-02 12:00 UTC is not routed yet: intake.raw_leads is behind",)
    run(made, "waits")
    assert verdict(made, "waits", NOON + 5 * DAY).state == "fresh"


def test_a_second_drop_is_measured_from_its_own_arrival(made: Graph) -> None:
    drop(made, "second", NOON, ("s1", "CEO"))
    run(made, "second")
    drop(made, "second", NOON + DAY, ("s2", "CTO"))
    assert verdict(made, "second", NOON + DAY + 9 * MINUTE).state == "fresh"
    assert verdict(made, "second", NOON + DAY + 11 * MINUTE).since == NOON + DAY + 10 * MINUTE


def test_tables_made_again_without_the_drop_make_nothing_fresh(made: Graph) -> None:
    """What Dagster's own policy takes for fresh: the table is new, and what arrived is not in it."""
    drop(made, "again", NOON, ("a1", "CEO"))
    run(made, "again")
    drop(made, "again", NOON + MINUTE, ("a2", "CTO"))
    run(made, "again", only=["scoring.scores", "routing.decisions"])
    assert verdict(made, "again", NOON + DAY).state == "stale"
    run(made, "again", only=["intake.raw_leads", "identity.leads"])
    assert "not routed yet: signals.enriched_leads is behind" in verdict(made, "again", NOON + DAY).why[0]
    run(made, "again")
    assert verdict(made, "again", NOON + DAY).state == "fresh"


def test_a_newer_payload_of_a_known_lead_has_to_be_routed_too(made: Graph) -> None:
    drop(made, "newer", NOON, ("n1", "Intern"))
    run(made, "newer")
    drop(made, "newer", NOON + MINUTE, ("n1", "CEO"))
    run(made, "newer", only=[table.table for table in PATH[:2]])
    assert verdict(made, "newer", NOON + DAY).state == "stale"
    run(made, "newer")
    assert verdict(made, "newer", NOON + DAY).state == "fresh"


def test_a_run_with_a_limit_leaves_leads_waiting(made: Graph) -> None:
    drop(made, "limit", NOON, ("l1", "CEO"), ("l2", "CEO"))
    run(made, "limit", tags={LIMIT_TAG: "1"})
    assert verdict(made, "limit", NOON + DAY).state == "stale"
    run(made, "limit")
    assert verdict(made, "limit", NOON + DAY).state == "fresh"


def test_a_deleted_partition_is_not_fresh(made: Graph) -> None:
    drop(made, "gone", NOON, ("g1", "CEO"))
    run(made, "gone")
    for path in (made.settings.warehouse_folder / "routing" / "decisions").rglob("*gone*"):
        for file in path.iterdir():
            file.unlink()
    assert verdict(made, "gone", NOON + DAY).state == "stale"


def test_nothing_is_expected_of_a_campaign_that_is_over_or_excused(made: Graph) -> None:
    drop(made, "over", NOON, ("o1", "CEO"))
    assert verdict(made, "over", NOON + 31 * DAY).state == "inactive"
    excused = RULES.model_copy(update={"campaigns": {"over": type(RULES).model_validate(
        {"active_for": "1d", "expect": {"drops_routed_within": "1m", "signals_expired_within": "1d"}, "refresh": REFRESH["refresh"],
         "campaigns": {"over": {"drops_routed_within": "never"}}}).campaigns["over"]}})  # fmt: skip
    assert verdict(made, "over", NOON + DAY, excused).state == "fresh"


def test_a_hundred_scenarios_of_late_partial_and_repeated_runs(tmp_path: Path) -> None:
    """At each step anything may happen, in any order. "fresh" long after the last drop must mean that each lead of the archive, with its newest payload, is
    routed. The tables themselves are the judge."""
    chance = random.Random(13)
    campaigns = ["a", "b", "c"]
    newest: dict[tuple[str, str], tuple[datetime, str]] = {}
    with graph(Settings(home=tmp_path / "home", env_file=None)) as made:  # type: ignore[call-arg]
        # What comes after the owner says nothing of freshness, and takes half of a run.
        upstream = AssetSelection.assets("routing/decisions").upstream().resolve(made.definitions.resolve_asset_graph())
        up_to_owners = [".".join(key.path) for key in upstream]
        now, seen = NOON, {"fresh": 0, "stale": 0}
        for step in range(100):
            now += timedelta(minutes=chance.randint(1, 300))
            campaign = chance.choice(campaigns)
            kind = chance.choice(["drop", "drop", "late drop", "run", "run", "run", "part", "part", "limit", "rebuild"])
            if "drop" in kind:
                lead, title = f"lead{chance.randint(1, 6)}", f"Chief {step}"
                at = now if kind == "drop" else now - timedelta(hours=chance.randint(1, 48))
                drop(made, campaign, at, (lead, title))
                newest[campaign, lead] = max(newest.get((campaign, lead), (at, title)), (at, title))
            else:
                only = sorted(chance.sample([table.table for table in PATH], 2)) if kind == "part" else up_to_owners
                tags = {"limit": {LIMIT_TAG: "2"}, "rebuild": {BUY_TAG: "never"}}.get(kind)
                run(made, campaign, tags=tags, only=only)
            for each in verdicts(made.settings, archive_of(made.settings), warehouse_of(made.settings), RULES, now + DAY):
                seen[each.state] += 1
                if each.state == "fresh":
                    expected = {lead: title for (name, lead), (_, title) in newest.items() if name == each.campaign_id}
                    assert _routed(made, each.campaign_id) == expected, (step, kind, each)
                else:
                    assert each.why
        assert seen["fresh"] > 20, seen
        assert seen["stale"] > 20, seen
        for campaign in campaigns:
            run(made, campaign)
        assert {
            each.state for each in verdicts(made.settings, archive_of(made.settings), warehouse_of(made.settings), RULES, now + DAY)
        } == {"fresh"}


def _routed(made: Graph, campaign: str) -> dict[str, str]:
    """lead_id → title of the leads that have a decision."""
    leads, decisions = made.rows(Lead, campaign), made.rows(RoutingDecision, campaign)
    return dict(leads.join(decisions, on="lead_id", how="semi").select("lead_id", "title").iter_rows())

"""What is bought for whom: the pre-score, `when`, and the order of buying within a budget."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import CompanyOverview, News, PreScore, SignalRow
from lead_assets.core.declared import rules_digest
from lead_assets.core.document import RulesError, read_document
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import load_experience
from lead_assets.estimating.signals import rehearse
from lead_assets.kit.notes import Note, Served, answers_hold, last_reflected, overtaken, prefix, prefixes, with_served
from lead_assets.kit.tables import Now
from lead_assets.ledger.model import Lifetimes, Want, to_micros
from lead_assets.ledger.money import Budget
from lead_assets.signals import plan
from lead_assets.signals.engine import Collected, collect_in_order
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import SIGNALS, load_pre_score, load_signals, said_of_when, said_without_when, stages
from lead_assets.signals.worth import PreScoreRules, SignalWhen, Worth, pre_scores
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import frame, lead

RULES = PreScoreRules.model_validate(
    {
        "tiers": {"hot": 60, "warm": 40},
        "parts": [
            {"name": "seniority", "column": "seniority", "values": {"vp": 40, "entry": 0}, "unknown": 10},
            {
                "name": "size",
                "column": ["company_overview.headcount_min", "company_size"],
                "steps": [{"at_least": 11, "points": 10}, {"at_least": 201, "points": 30}],
            },
            {"name": "asks", "column": "notes", "contains": {"demo": 20, "pricing": 15}, "unknown": 0},
            {"name": "phone", "column": "phone_e164", "present": 10},
        ],
    }
)


def overview(*heads: int | None) -> pl.DataFrame:
    return CompanyOverview.frame(
        {
            "campaign_id": "spring",
            "lead_id": f"L{number}",
            "state": "not_found" if head is None else "found",
            "stale": False,
            "synthetic": True,
            "cost_usd": 0,
            "headcount_min": head,
        }
        for number, head in enumerate(heads)
    )


def edited(tmp_path: Path, change: Any) -> Settings:
    """Settings with rules/signals.yaml as `change` leaves it."""
    rules = read_document(project_file("lead_assets/rules/signals.yaml").read_text(), "signals.yaml").value
    change(rules)
    folder = tmp_path / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signals.yaml").write_text(json.dumps(rules))
    return Settings(home=tmp_path, rules_dir=folder)


def fault(tmp_path: Path, change: Any) -> str:
    with pytest.raises(RulesError) as raised:
        load_signals(edited(tmp_path, change))
    return "\n".join(raised.value.faults)


def test_the_pre_score_is_what_is_reached_of_what_is_known() -> None:
    leads = frame(
        [
            lead(0, "a.example", seniority="vp", company_size="1-10", notes="May we see a Demo? And pricing", phone_e164="+15125550100"),
            lead(1, "b.example", seniority="entry", company_size="1,001-5,000"),
            lead(2, "c.example"),
        ]
    )
    scored = pre_scores(leads, {"company_overview": overview(500, None, None)}, RULES)
    assert scored.schema == PreScore.polars_schema()
    # 100 of 100; 30 of 90, without a phone; 10 of 60, without a size.
    assert scored["pre_score"].to_list() == [100, 33.3, 16.7]
    assert scored["tier"].to_list() == ["hot", "cold", "cold"]
    for total, text in scored.select("pre_score", "parts").iter_rows():
        known = [part for part in json.loads(text) if part["points"] is not None]
        reached, most = (sum(part[name] for part in known) for name in ("points", "max_points"))
        assert round(100 * reached / most, 1) == total
    assert "Demo" not in scored["parts"][0]
    assert "5125550100" not in scored["parts"][0]


def test_what_is_unknown_is_left_out_and_not_zero() -> None:
    leads = frame([lead(0, "a.example", seniority="vp")])
    assert pre_scores(leads, {}, RULES)["pre_score"].to_list() == [66.7]


def test_of_whom_nothing_is_known_the_pre_score_is_zero() -> None:
    bare = RULES.model_copy(update={"parts": [part.model_copy(update={"unknown": None}) for part in RULES.parts]})
    assert pre_scores(frame([lead(0)]), {}, bare)["pre_score"].to_list() == [0]


def judged(
    conditions: dict[str, Any], leads: pl.DataFrame, frames: dict[str, pl.DataFrame] | None = None, **campaigns: Any
) -> pl.DataFrame:
    from pydantic import TypeAdapter

    from lead_assets.signals.worth import Conditions

    read = TypeAdapter(Conditions).validate_python
    when = SignalWhen((read(conditions),), tuple((pattern, tuple(map(read, own))) for pattern, own in campaigns.items()))
    known = {"company_overview": overview(*[5] * leads.height)} if frames is None else frames
    return Worth(RULES, known, pre_scores(leads, known, RULES)).judged(when, leads)


def test_what_would_change_it_is_said_in_words() -> None:
    leads = frame(
        [lead(0, "a.example", seniority="entry", email_normalized="ada@a.example", notes="pricing"), lead(1, "b.example", seniority="vp")]
    )
    assert judged({"pre_score": {"min": 30}}, leads)["needs"].to_list() == ["pre-score 16.7, needs 30", None]
    assert judged({"pre_score": {"min": 30}, "seniority": "vp"}, leads)["needs"][0] == "pre-score 16.7, needs 30, seniority entry, needs vp"
    assert judged({"tier": ["hot", "warm"]}, leads)["needs"][0] == "tier cold, needs hot or warm"
    assert judged({"company_overview.headcount_min": {"max": 4}}, leads)["needs"][0] == "company_overview.headcount_min 5, needs at most 4"
    assert judged({"notes": "other"}, leads)["needs"].to_list() == ["notes differs, needs other", "notes unknown, needs other"]
    assert judged({"phone_e164": {"known": True}}, leads)["needs"][0] == "phone_e164 is unknown, needs to be known"


def test_a_campaign_may_say_otherwise() -> None:
    leads = frame(
        [lead(0, seniority="entry"), lead(0, seniority="entry", campaign_id="vip-1"), lead(0, seniority="entry", campaign_id="vip-2")]
    )
    leads = leads.with_columns(lead_id=pl.Series(["a", "b", "c"]))
    own = judged({"seniority": "vp"}, leads, {}, **{"vip-1": [], "vip-*": [{"seniority": "head"}]})
    assert own["worth"].to_list() == [False, True, False]
    assert own["needs"].to_list() == ["seniority entry, needs vp", None, "seniority entry, needs head"]


def test_the_best_lead_ranks_first_and_equals_in_the_order_of_arrival() -> None:
    leads = frame([lead(0, seniority="entry"), lead(1, seniority="vp"), lead(2, seniority="entry"), lead(3)])
    assert judged({"seniority": "vp"}, leads, {})["rank"].to_list() == [3, 1, 4, 2]


def test_a_condition_on_what_is_not_known_yet_counts_as_met() -> None:
    leads = frame([lead(0, "a.example", seniority="entry")])
    when = SignalWhen(({"pre_score": at_least(99), "company_overview.headcount_min": at_least(99)},))
    assert Worth(RULES).judged(when, leads)["worth"].to_list() == [True]


def at_least(least: float) -> Any:
    from lead_assets.core.conditions import Between

    return Between(min=least)


def mix() -> pl.DataFrame:
    """A VP and a trainee of one company, and a trainee of another."""
    return frame(
        [
            lead(0, "alpha-freight.example", seniority="entry", email_kind="free"),
            lead(
                1,
                "alpha-freight.example",
                seniority="c_suite",
                email_kind="business",
                source="demo request",
                phone_e164="+15125550100",
                notes="pricing",
            ),
            lead(2, "beta-media.example", seniority="entry", email_kind="free", company_size="1-10"),
        ]
    )


def bought(room: Room, leads: pl.DataFrame, *names: str, settings: Settings | None = None) -> dict[str, Collected]:
    declared = settings or room.settings
    signals = [each for name, each in load_signals(declared).items() if name in ("company_overview", *names)]
    return collect_in_order(signals, leads, ledger=room.ledger, settings=room.settings, pre_score=load_pre_score(declared))


def only(tmp_path: Path, **whens: Any) -> Settings:
    def change(rules: dict[str, Any]) -> None:
        for name, rule in rules["signals"].items():
            rule["when"] = whens.get(name, "always")

    return edited(tmp_path, change)


def test_a_company_is_bought_for_if_one_of_its_leads_is_worth_it(room: Room, tmp_path: Path) -> None:
    settings = only(tmp_path, news={"seniority": "c_suite"})
    news = bought(room, mix(), "news", settings=settings)["news"]
    assert sorted(room.sandbox.subjects("pipe0")["company:newssummary:website@1"]) == ["alpha-freight.example"]
    assert news.frame["reason"].to_list()[2] == "not_worth_it"
    assert news.frame["needs"].to_list() == [None, None, "seniority entry, needs c_suite"]
    assert news.frame["state"].to_list()[0] == news.frame["state"].to_list()[1]
    assert news.lacking == frozenset()
    assert news.stats.subjects.total() == 1


def test_what_the_ledger_has_is_shown_to_leads_that_are_not_worth_it(room: Room, tmp_path: Path) -> None:
    everything, nothing = only(tmp_path / "a"), only(tmp_path / "b", news={"seniority": "founder"})
    first = bought(room, mix(), "news", settings=everything)["news"].frame
    before = room.sandbox.meter()
    again = bought(room, mix(), "news", settings=nothing)["news"].frame
    assert room.sandbox.meter() == before
    assert again.equals(first)


def test_what_another_run_buys_while_a_step_only_looked_for_it_is_looked_for_again(room: Room, tmp_path: Path) -> None:
    """Two campaigns run side by side, and share a company that is worth the price in one of them: the other's table kept saying that it was not bought."""
    nothing, everything = only(tmp_path / "a", news={"seniority": "founder"}), only(tmp_path / "b")
    before = room.ledger.last_call()
    collected = bought(room, mix(), "news", settings=nothing)["news"]
    bought(room, mix().with_columns(campaign_id=pl.lit("fall")), "news", settings=everything)
    served = Served(prefixes(collected.looks["spring"].keys), math.inf, prefixes(collected.stats.recalled))
    meanwhile = room.ledger.called_for_others(before, ["spring"])
    assert meanwhile.keys() == collected.looks["spring"].keys
    note = with_served(Note("", 3, {}), served, last_reflected(served, room.ledger.last_call(), meanwhile))
    state = Now(room.ledger)
    assert not answers_hold(note, now=0, last_call=state.last_call, called_since=state.called_since, ageless=False)
    newest = {prefix(key): call for key, call in room.ledger.last_calls(before).items()}
    assert overtaken(note, newest)
    assert not overtaken(with_served(note, served, room.ledger.last_call()), newest)
    # What a step's own campaigns have paid for, its rows show.
    assert room.ledger.called_for_others(before, ["fall", "spring"]) == {}


def signal_rows(contract: type[SignalRow], *outcomes: str | None) -> pl.DataFrame:
    """One row per lead: found (None), or the reason why not."""
    return contract.frame(
        {
            "campaign_id": "spring",
            "lead_id": f"L{number}",
            "state": "found" if reason is None else "unknown",
            "reason": reason,
            "stale": False,
            "synthetic": True,
            "cost_usd": 0,
        }
        for number, reason in enumerate(outcomes)
    )


def test_enrichment_quality_does_not_punish_what_was_not_worth_it() -> None:
    leads = frame([lead(number, f"c{number}.example") for number in range(4)])
    overview_rows = signal_rows(CompanyOverview, None, "no_result", None, "no_result")
    usual = signal_rows(News, None, "no_result", "not_worth_it", "not_worth_it")
    assert enrich(leads, {"company_overview": overview_rows, "news": usual})["enrichment_quality"].to_list() == [1.0, 0.0, 0.75, 0.25]
    for_nobody = signal_rows(News, *["not_worth_it"] * 4)
    assert enrich(leads, {"company_overview": overview_rows, "news": for_nobody})["enrichment_quality"].to_list() == [1.0, 0.0, 1.0, 0.0]


def test_a_few_more_leads_move_nobody_elses_quality() -> None:
    before, more = [None, None, "no_result"] * 30 + ["not_worth_it"] * 60, [None, None, "no_result"] * 3 + ["no_result"]
    quality = []
    for outcomes in (before, before + more):
        leads = frame([lead(number, f"c{number}.example") for number in range(len(outcomes))])
        quality.append(enrich(leads, {"news": signal_rows(News, *outcomes)})["enrichment_quality"].to_list()[: len(before)])
    assert quality[0] == quality[1]
    assert set(quality[0][90:]) == {0.7}, "two thirds, in tenths"


def test_one_lead_counts_what_was_not_worth_it_as_the_rest_of_its_campaign_has_it() -> None:
    leads = frame([lead(number, f"c{number}.example") for number in range(4)])
    frames = {
        "company_overview": signal_rows(CompanyOverview, None, "no_result", None, "no_result"),
        "news": signal_rows(News, None, "no_result", "not_worth_it", "not_worth_it"),
    }
    together = enrich(leads, frames)["enrichment_quality"].to_list()
    others = [(0, 1), (1, 1), (1, 2), (1, 2)]
    alone = [enrich(leads[n : n + 1], frames, {"news": others[n]})["enrichment_quality"][0] for n in range(4)]
    assert alone == together
    apart = enrich(leads[1:3], frames, {"news": others[2]}, apart=True)["enrichment_quality"].to_list()
    assert apart[1] == together[2], "the lead beside it, of another request, does not count twice"


def test_a_run_from_the_ledger_says_the_same(room: Room, tmp_path: Path) -> None:
    settings = only(tmp_path, news={"tier": "hot"})
    first = bought(room, mix(), "news", settings=settings)
    recalled = replace(room, ledger=room.ledger.recall_only())
    again = bought(recalled, mix(), "news", settings=settings)
    assert all(first[name].frame.equals(again[name].frame) for name in first)


def test_stages_follow_the_declaration(tmp_path: Path) -> None:
    settings = only(tmp_path, news={"company_overview.headcount_min": {"min": 11}}, linkedin_posts={"news.state": "found"})
    order = stages(load_signals(settings).values(), load_pre_score(settings))
    assert (order["company_overview"], order["news"], order["linkedin_posts"], order["email"]) == (1, 2, 3, 2)


def test_without_a_pre_score_and_conditions_everything_is_bought_at_once(tmp_path: Path) -> None:
    def change(rules: dict[str, Any]) -> None:
        del rules["pre_score"]
        for rule in rules["signals"].values():
            rule.pop("when", None)

    settings = edited(tmp_path, change)
    assert set(stages(load_signals(settings).values(), load_pre_score(settings)).values()) == {1}


def test_a_circle_names_both(tmp_path: Path) -> None:
    def two(rules: dict[str, Any]) -> None:
        rules["signals"]["news"]["when"] = {"tech_stack.state": "found"}
        rules["signals"]["tech_stack"]["when"] = {"news.state": "found"}

    assert "'tech_stack' waits for 'news', and 'news' waits for 'tech_stack'" in fault(tmp_path, two)

    def pre_score(rules: dict[str, Any]) -> None:
        rules["signals"]["company_overview"]["when"] = {"tier": "hot"}

    assert "'company_overview' waits for the pre-score, and the pre-score reads 'company_overview'" in fault(tmp_path, pre_score)

    def by_way(rules: dict[str, Any]) -> None:
        rules["signals"]["company_overview"]["when"] = {"organization.state": "not_found"}

    said = fault(tmp_path, by_way)
    assert "'company_overview' waits for 'organization', and 'organization' for the pre-score, which reads 'company_overview'" in said


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"senority": "vp"}, "unknown column 'senority' (did you mean 'seniority'?)"),
        ({"news.headlines": "x"}, "unknown column 'news.headlines'"),
        ({"seniority": {"min": 3}}, "seniority is not a number: write a list of values, or {known: true}"),
        ({"pre_score": "high"}, "pre_score is not text: write {min: …}, {max: …} or both"),
        ({"pre_score": {"min": 5, "max": 3}}, "min 5 is above max 3"),
        ("sometimes", "write one of always"),
    ],
)
def test_a_wrong_condition_is_named_with_its_place(tmp_path: Path, when: Any, said: str) -> None:
    def change(rules: dict[str, Any]) -> None:
        rules["signals"]["news"]["when"] = when

    found = fault(tmp_path, change)
    assert said in found
    assert "signal 'news'" in found


def test_a_condition_on_the_pre_score_needs_one(tmp_path: Path) -> None:
    assert "there is no pre-score: add 'pre_score'" in fault(tmp_path, lambda rules: rules.pop("pre_score"))


def test_a_campaign_of_an_unknown_signal_is_named(tmp_path: Path) -> None:
    said = fault(tmp_path, lambda rules: rules.update(campaigns={"vip": {"newz": "always"}}))
    assert "unknown signal 'newz' (did you mean 'news'?)" in said


def test_a_changed_when_is_the_version_of_its_own_signal_alone(tmp_path: Path) -> None:
    old, new = only(tmp_path / "a"), only(tmp_path / "b", news={"tier": "hot"})
    assert rules_digest(old, "signals.yaml") != rules_digest(new, "signals.yaml")
    assert said_without_when(old) == said_without_when(new)
    assert said_of_when(old, "news") != said_of_when(new, "news")
    assert said_of_when(old, "email") == said_of_when(new, "email")
    assert SIGNALS.load(old) != SIGNALS.load(new)


def priced(key: str, price: int, *, provider: str = "pipe0", campaign_id: str = "spring") -> Want:
    return Want(provider, "op", key, price, campaign_id, Lifetimes(timedelta(days=1), timedelta(days=1), timedelta(0)))


def budget(limit: int, scope: Any = "total", name: str = "") -> Budget:
    return Budget(scope, name, "all", limit, 0, 0, 0)


def test_a_budget_goes_to_the_best_leads_also_for_what_others_buy() -> None:
    wishes = [
        plan.Wish("posts", "worst", 3, [priced("a", 10)]),
        plan.Wish("posts", "best", 1, [priced("b", 50)]),
        plan.Wish("email", "best", 1, [priced("c", 20, provider="hunter")]),
        plan.Wish("posts", "next", 2, [priced("d", 50)]),
    ]
    assert plan.beyond([budget(200)], wishes) == {}
    # 20 + 50 for the best; 50 are too much for the next, and what is left is not spent on the worst.
    assert plan.beyond([budget(110)], wishes) == {"posts": {"next", "worst"}}
    assert plan.beyond([budget(60, "provider", "pipe0")], wishes) == {"posts": {"next", "worst"}}
    assert plan.beyond([budget(0, "provider", "hunter")], wishes) == {"email": {"best"}}
    assert plan.beyond([budget(0, "campaign", "autumn")], wishes) == {}


def test_what_several_need_is_counted_once() -> None:
    shared = priced("a", 60)
    wishes = [plan.Wish("one", "s", 1, [shared]), plan.Wish("two", "s", 2, [shared, priced("b", 40)])]
    assert plan.beyond([budget(100)], wishes) == {}


def test_within_a_budget_the_best_leads_are_bought_for_whatever_the_order_of_the_file(room: Room, tmp_path: Path) -> None:
    settings = only(tmp_path)
    leads = frame(
        [
            lead(
                number, f"company{number}.example", seniority="vp" if number >= 16 else "entry", email_kind="business", company_size="1-10"
            )
            for number in range(20)
        ]
    )
    room.ledger.set_budget("total", to_micros(Decimal("1.05")), period="all")
    # 0.60 for the overviews, then 0.09 for each lead, at most, for technologies and news.
    collected = bought(room, leads, "tech_stack", "news", settings=settings)
    ranked = pre_scores(leads, {"company_overview": collected["company_overview"].frame}, load_pre_score(settings) or RULES)
    best = ranked.with_columns(leads["received_at"]).sort("pre_score", "received_at", descending=[True, False])["lead_id"].to_list()
    for name in ("tech_stack", "news"):
        missed = set(collected[name].frame.filter(pl.col("reason") == "over_budget")["lead_id"])
        assert missed == set(best[5:])
    assert float(room.ledger.costs()["usd"].sum()) == pytest.approx(1.05)
    assert sum(collected[name].stats.total.cost_micros for name in collected) == 1_050_000
    assert {each.stats.total.hits for each in collected.values()} == {0}


def test_a_raised_budget_buys_what_was_beyond_it(room: Room, tmp_path: Path) -> None:
    settings = only(tmp_path)
    room.ledger.set_budget("total", to_micros(Decimal("0.10")), period="all")
    first = bought(room, mix(), "news", settings=settings)["news"]
    assert "over_budget" in first.frame["reason"].to_list()
    assert min(look.until for look in first.looks.values()) == 0.0
    room.ledger.set_budget("total", None, period="all")
    assert "over_budget" not in bought(room, mix(), "news", settings=settings)["news"].frame["reason"].to_list()


def test_an_estimate_says_what_a_condition_saves_and_what_the_leads_would_need(room: Room, tmp_path: Path) -> None:
    settings = only(tmp_path, news={"seniority": "c_suite"})
    signals = [each for name, each in load_signals(settings).items() if name in ("company_overview", "news")]
    experience = load_experience(room.settings, room.ledger)
    said = rehearse(signals, mix(), ledger=room.ledger, settings=room.settings, experience=experience, pre_score=load_pre_score(settings))
    left = said.left_out["news"]
    assert (round(left.leads), round(left.saved_micros)) == (1, 30_000)
    assert {words: round(leads) for words, leads in left.needs.items()} == {"seniority entry, needs c_suite": 1}
    assert {each.signal: each.subjects for each in said.expected} == {"company_overview": 2, "news": 1}


def test_a_key_that_was_refused_is_not_tried_again_in_a_later_stage(room: Room, tmp_path: Path) -> None:
    room.sandbox.set_fault("pipe0", "status", status=401)
    settings = only(tmp_path, news={"seniority": ["c_suite", "entry"]})
    collected = bought(room, mix(), "news", settings=settings)
    assert collected["news"].frame["reason"].unique().to_list() == ["auth"]
    refused = len(room.sandbox.requests("pipe0"))
    assert refused
    alone = bought(room, mix(), settings=settings)
    assert alone["company_overview"].frame["reason"].unique().to_list() == ["auth"]
    assert len(room.sandbox.requests("pipe0")) == 2 * refused, "the stage of the news asked nothing more than the first stage alone"


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("campaigns", [{}, {"*": []}], ids=["some", "all"])
def test_there_is_a_verdict_for_each_lead_and_none_without_leads(count: int, campaigns: dict[str, Any]) -> None:
    leads = frame([lead(number, seniority="vp") for number in range(count)]) if count else frame([lead(0)]).clear()
    found = judged({"seniority": "vp"}, leads, {}, **campaigns)
    assert (found.columns, found.height) == (["worth", "needs", "rank"], count)
    assert found["worth"].to_list() == [True] * count

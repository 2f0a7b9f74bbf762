"""Which accounts are alike, and that later arrivals do not change it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import Account, SimilarAccount
from lead_assets.core.settings import Settings
from lead_assets.lookalike import search
from lead_assets.lookalike.rules import LookalikeRules, load_lookalike_rules
from lead_assets.lookalike.search import similar_accounts
from lead_assets_tests.rows import rows

MAY = datetime(2026, 5, 1, tzinfo=UTC)
BUILDER = {
    "industry": "Construction",
    "headcount_min": 51,
    "headcount_max": 200,
    "country_code": "US",
    "region": "Tulsa, Oklahoma, United States",
    "technologies": ["Procore", "Sage"],
    "company_description": "Harbor builds homes and bridges.",
}
SHOP = {
    "industry": "Retail",
    "headcount_min": 1,
    "headcount_max": 10,
    "country_code": "FR",
    "technologies": ["Shopify"],
    "company_description": "Sells lamps.",
}


def account(name: str, days: float = 0, campaign_id: str = "past", **fields: Any) -> dict[str, Any]:
    """A builder of homes, unless told otherwise, known so many days after the first of May."""
    row = BUILDER | {"campaign_id": campaign_id, "account_key": f"{name}.example", "company_name": name.title()}
    return row | {"known_at": MAY + timedelta(days=days)} | fields


@pytest.fixture
def rules() -> LookalikeRules:
    return load_lookalike_rules(Settings())


def alike(rules: LookalikeRules, mine: dict[str, Any], *others: dict[str, Any]) -> list[dict[str, Any]]:
    accounts = rows(Account, [mine])
    frame = similar_accounts(accounts, pl.concat([rows(Account, others), accounts]), rules)
    assert frame.schema == SimilarAccount.polars_schema()
    return frame.rows(named=True)


def test_the_most_similar_company_comes_first_and_says_what_the_two_share(rules: LookalikeRules) -> None:
    near = account("near", technologies=["sage"], headcount_min=201, headcount_max=500, won_known_at=MAY)
    found = alike(rules, account("mine", 9), account("shop", **SHOP), near, account("twin", lost_known_at=MAY))
    assert [(row["rank"], row["similar_company"], row["outcome"]) for row in found] == [(1, "Twin", "lost"), (2, "Near", "won")]
    assert found[0]["similarity"] == 1.0
    assert 0.45 < found[1]["similarity"] < 1
    assert found[0]["shared"] == [
        "same industry (Construction)",
        "51-200 people",
        "same country (US)",
        "both use Procore, Sage",
        "both described by bridges, builds, harbor and 1 more",
    ]
    assert "51-200 people" not in found[1]["shared"]


def test_companies_that_are_not_alike_are_not_shown(rules: LookalikeRules) -> None:
    bare = dict.fromkeys(["headcount_min", "headcount_max", "technologies", "company_description", "country_code", "region"])
    assert alike(rules, account("mine", 9), account("shop", **SHOP)) == []
    assert alike(rules, account("mine", 9), account("same-industry-alone", **bare)) == []
    assert alike(rules, account("mine", 9, **bare), account("twin", **bare)) == []


def test_an_account_is_compared_with_others_only_and_with_each_once(rules: LookalikeRules) -> None:
    found = alike(
        rules, account("mine", 9), account("mine", 0), account("twin", 0), account("twin", 1, campaign_id="later", won_known_at=MAY)
    )
    assert [(row["similar_account_key"], row["outcome"]) for row in found] == [("twin.example", "won")]


@pytest.mark.parametrize(("days", "seen"), [(8.0, True), (8.01, False), (9.0, False), (10.0, False)])
def test_an_account_sees_those_that_came_in_a_day_before_it(rules: LookalikeRules, days: float, seen: bool) -> None:
    assert len(alike(rules, account("mine", 9), account("twin", days))) == seen


def test_the_outcome_is_what_was_known_when_the_account_came_in(rules: LookalikeRules) -> None:
    told = account("twin", 0, no_response_known_at=MAY, lost_known_at=MAY + timedelta(days=5), won_known_at=MAY + timedelta(days=20))
    assert [alike(rules, account("mine", days), told)[0]["outcome"] for days in (2, 9, 30)] == ["no_response", "lost", "won"]
    assert alike(rules, account("mine", 9), account("twin"))[0]["outcome"] is None


def test_what_comes_in_later_changes_nothing_of_an_account(rules: LookalikeRules) -> None:
    mine = account("mine", 9)
    before = alike(rules, mine, account("twin"), account("other", company_description=None))
    later = [account(f"n{number}", 9 + number) for number in range(5)] + [
        account("twin", 30, campaign_id="again", won_known_at=MAY + timedelta(days=30))
    ]
    assert alike(rules, mine, *later, account("other", company_description=None), account("twin")) == before


def test_blocks_give_what_one_piece_gives(rules: LookalikeRules, monkeypatch: pytest.MonkeyPatch) -> None:
    known = rows(
        Account, [account(f"c{n}", n % 3, headcount_min=(1, 11, 51, 201)[n % 4], technologies=["Sage", f"t{n % 5}"]) for n in range(40)]
    )
    asked = rows(Account, [account(f"c{n}", 9, campaign_id="now") for n in range(0, 60, 3)])
    whole = similar_accounts(asked, known, rules)
    monkeypatch.setattr(search, "_CELLS", 100)
    assert similar_accounts(asked, known, rules).equals(whole)
    assert whole.height == 60
    assert whole.filter(pl.col("account_key") == pl.col("similar_account_key")).is_empty()


def test_nothing_known_and_nobody_asking_is_an_empty_table(rules: LookalikeRules) -> None:
    assert similar_accounts(Account.empty(), rows(Account, [account("twin")]), rules).equals(SimilarAccount.empty())
    assert similar_accounts(rows(Account, [account("mine")]), Account.empty(), rules).equals(SimilarAccount.empty())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("at_most: [", "line 1: cannot be read: the file ends before a bracket"),
        ("{at_most: 3, at_least: 0.5, known_for: soon, weights: {}}", "line 1: a duration is a whole number"),
        (
            "{at_most: 3, at_least: 0.5, known_for: 1d, weights: {industry: 1, description: 1, technologies: 0, headcount: 0, place: 0}}",
            "line 1: the weights do not add up to 1",
        ),
    ],
)
def test_rules_that_cannot_be_used_say_where_and_why(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "lookalike.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"lookalike\.yaml") as error:
        load_lookalike_rules(Settings(rules_dir=tmp_path))
    assert says in str(error.value)

"""Profiles: which lead gets which, and that adding one takes only a declaration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lead_assets.classification import profiles as shipped
from lead_assets.classification.profiles import load_profiles
from lead_assets.classification.rulebook import choose, load_rulebook
from lead_assets.contracts import Classification, EnrichedLead, Lead
from lead_assets.core.settings import Settings
from lead_assets.model.profile import Profile
from lead_assets_tests.classification.conftest import Run
from lead_assets_tests.classification.leads import frame, lead

DECLARATION = """
from typing import Literal
import polars as pl
from pydantic import Field
from lead_assets.model.profile import Answered, Fact, Profile


class SupportAnswer(Answered):
    topic: Literal["billing", "bug", "unknown"] = Field(description="What it is about")
    outreach_message: str | None = Field(description="First message")
    evidence: list[str] = Field(max_length=5, description="Quotes")


PROFILE = Profile(
    name="support",
    version="support-1",
    contract=SupportAnswer,
    facts={"notes": Fact("notes")},
    system="Say what the request is about.",
    applies=pl.col("source") == "helpdesk",
    precedence=5,
    columns={"outreach_message": "outreach_message"},
    by_rules=lambda facts: {"topic": "unknown", "evidence": []},
)
"""


@pytest.fixture
def _declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "support.py").write_text(DECLARATION)
    monkeypatch.setattr(shipped, "__path__", [*shipped.__path__, str(tmp_path)])
    load_profiles.cache_clear()
    yield
    load_profiles.cache_clear()


@pytest.mark.usefixtures("_declared")
def test_declaring_a_profile_is_all_it_takes(run: Run) -> None:
    leads = frame(lead(1, source="helpdesk", notes="I was billed twice"), lead(2))
    rows = run(leads).classifications
    assert rows["profile"].to_list() == ["support", "lending"]
    assert rows["schema_version"].to_list() == ["support-1", "lending-2"]
    assert rows["answer"].str.json_path_match("$.topic").to_list()[0] in ("billing", "bug", "unknown")


def test_a_lead_goes_by_its_shape(settings: Settings) -> None:
    book = load_rulebook(settings)
    bare = {"property_address": None, "implied_profile": None}
    leads = frame(
        lead(1),
        lead(2, adapter="inbound_b2b", **bare),
        lead(3, adapter="csv", loan_amount_requested=100_000.0, **bare),
        lead(4, adapter="csv", **bare),
        lead(5, adapter="crm_row", property_type="duplex", **bare),
        lead(6, adapter="a_users_own", **bare | {"implied_profile": "lending"}),
    )
    assert choose(leads, book.profiles, book.limits).to_list() == ["lending", "b2b", "lending", "b2b", "lending", "lending"]


def test_a_campaign_may_choose(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "classification.yaml").write_text(
        "campaigns:\n  - {pattern: 'expo-*', profile: b2b}\n  - {pattern: '*-loans', profile: lending}\n"
    )
    book = load_rulebook(settings.model_copy(update={"rules_dir": tmp_path}))
    leads = frame(lead(1, "expo-loans"), lead(2, "fall-loans", adapter="inbound_b2b"), lead(3, "other"))
    assert choose(leads, book.profiles, book.limits).to_list() == ["b2b", "lending", "lending"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("campaigns: [{pattern: 'a', profile: nope}]", "nope"),
        ("calls: {max_tokens: 1}", "calls.max_tokens"),
        ("repare: true", "repare"),
        ("calls: [", "line 1"),
    ],
)
def test_rules_that_cannot_be_used_say_what_to_mend(settings: Settings, tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "classification.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"classification\.yaml") as caught:
        load_rulebook(settings.model_copy(update={"rules_dir": tmp_path}))
    assert named in str(caught.value)


@pytest.mark.parametrize("profile", load_profiles().values(), ids=lambda profile: profile.name)
def test_a_shipped_profile_fits_the_tables(profile: Profile) -> None:
    lead_columns, enriched_columns = set(Lead.polars_schema()), set(EnrichedLead.polars_schema())
    for fact in profile.facts.values():
        assert fact.column in {"lead": lead_columns, "enriched": enriched_columns}[fact.of]
    assert set(profile.columns) <= set(profile.contract.model_fields)
    assert set(profile.columns.values()) <= set(Classification.polars_schema())
    assert set(profile.claims) <= set(profile.contract.model_fields)
    assert set(profile.by_rules({})) == set(profile.contract.model_fields) - {"outreach_message", "lead_rating", "rating_reasons"}


def test_no_profile_sees_contact_data() -> None:
    private = {name for name, field in ((c.name, c.pii) for c in Lead.columns()) if field in ("email", "phone", "address", "profile")}
    for profile in load_profiles().values():
        assert not private & {fact.column for fact in profile.facts.values()}


def test_two_profiles_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "second_support.py").write_text(DECLARATION.replace('name="support"', 'name="lending"'))
    monkeypatch.setattr(shipped, "__path__", [*shipped.__path__, str(tmp_path)])
    load_profiles.cache_clear()
    try:
        with pytest.raises(ValueError, match="lending"):
            load_profiles()
    finally:
        load_profiles.cache_clear()


@pytest.mark.parametrize("profile", load_profiles().values(), ids=lambda profile: profile.name)
def test_a_model_must_write_a_message_and_rules_cannot(profile: Profile) -> None:
    assert profile.contract.model_fields["outreach_message"].is_required()
    with pytest.raises(ValidationError):
        profile.rules_contract.model_validate({**profile.by_rules({}), "outreach_message": "We would like to talk."})
    assert profile.rules_contract.model_validate(profile.by_rules({})).outreach_message is None

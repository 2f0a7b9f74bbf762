"""rules/signals.yaml: what it may say, and what a person is told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.signals.signal import load_signals

PROVIDERS = "providers:\n  pipe0: {credit_usd: 0.03, batch_size: 100, concurrency: 4}\n"
SIGNAL = """signals:
  company_overview:
    subject: company_domain
    lifetimes: {found: 90d, not_found: 30d}
    sources:
      - {provider: pipe0, operation: "company:overview@2", parser: pipe0_company_overview, credits: 1, billing: always}
"""


def test_the_rules_that_ship_are_valid(tmp_path: Path) -> None:
    signals = load_signals(Settings(home=tmp_path))
    overview = signals["company_overview"]
    assert overview.contract.table == "signals.company_overview"
    assert overview.sources[0].price_micros == 30_000
    assert overview.value_columns[0] == "company_description"
    assert "cost_usd" not in overview.value_columns


def test_a_folder_of_the_users_own_replaces_the_file(tmp_path: Path) -> None:
    (tmp_path / "signals.yaml").write_text(PROVIDERS.replace("0.03", "0.05") + SIGNAL.replace("found: 90d", "found: 2w", 1))
    overview = load_signals(Settings(home=tmp_path, rules_dir=tmp_path))["company_overview"]
    assert overview.sources[0].price_micros == 50_000
    assert overview.lifetimes.found.days == 14


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SIGNAL.replace("credits: 1,", "credits: -1,"), ["company_overview", "source 1", "credits"]),
        (SIGNAL.replace("credits: 1,", "credit: 1,"), ["company_overview", "source 1", "credit"]),
        (SIGNAL.replace("30d", "a month"), ["company_overview", "lifetimes.not_found", "90d"]),
        (SIGNAL.replace("subject: company_domain", "subject: company"), ["company_overview", "subject", "person_profile"]),
        (SIGNAL.replace("provider: pipe0", "provider: crystal_ball"), ["company_overview", "source 1", "provider"]),
        (
            SIGNAL.replace("parser: pipe0_company_overview", "parser: tarot"),
            ["company_overview", "no parser 'tarot'", "pipe0_company_overview"],
        ),
        (SIGNAL.replace("company_overview:", "horoscope:"), ["horoscope", "no contract 'signals.horoscope'", "signals.horoscope"]),
        (SIGNAL.replace("sources:", "sources: []\n    ignored:"), ["company_overview"]),
        ("signals: [", ["cannot be read", "line"]),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "signals.yaml").write_text(PROVIDERS + text)
    with pytest.raises(RulesError) as refused:
        load_signals(Settings(home=tmp_path, rules_dir=tmp_path))
    for word in ["signals.yaml", *words]:
        assert word in str(refused.value)


def test_a_provider_without_terms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "signals.yaml").write_text("providers: {}\n" + SIGNAL)
    with pytest.raises(RulesError, match="'pipe0' has no terms"):
        load_signals(Settings(home=tmp_path, rules_dir=tmp_path))

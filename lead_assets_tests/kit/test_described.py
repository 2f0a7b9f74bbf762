"""What the UI says of each asset: where its rows are, which files decide them, what it costs, whether personal data is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetSpec, Definitions

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs


def specs(definitions: Definitions) -> dict[str, AssetSpec]:
    tables = {name.replace(".", "/") for name in TABLES}
    return {name: spec for spec in definitions.resolve_all_asset_specs() if (name := spec.key.to_user_string()) in tables}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def described(home: Path) -> dict[str, AssetSpec]:
    return specs(build_defs(Settings(home=home, env_file=None)))  # type: ignore[call-arg]


def test_the_full_name_and_the_folder_of_a_table(described: dict[str, AssetSpec], home: Path) -> None:
    scores = described["scoring/scores"]
    assert scores.metadata["dagster/table_name"] == "warehouse.scoring.scores"
    assert scores.metadata["dagster/uri"] == (home / "warehouse" / "scoring" / "scores").resolve().as_uri()
    assert scores.tags["dagster/storage_kind"] == "duckdb"


def test_in_production_it_is_snowflakes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, env="production", snowflake_account="org-acc", snowflake_user="u", env_file=None,  # type: ignore[call-arg]
                        gcs_enrichment_bucket="b", ledger_url="postgresql+psycopg2://u:p@127.0.0.1/x", snowflake_token="t")  # type: ignore[arg-type]  # fmt: skip
    scores = specs(build_defs(settings))["scoring/scores"]
    assert scores.metadata["dagster/table_name"] == "LEADS.SCORING.SCORES"
    assert scores.metadata["dagster/uri"] == "snowflake://org-acc/LEADS/SCORING/SCORES"
    assert scores.tags["dagster/storage_kind"] == "snowflake"


def test_each_asset_names_the_file_that_makes_it_and_the_rules_in_force(described: dict[str, AssetSpec], tmp_path: Path) -> None:
    for name, spec in described.items():
        references = spec.metadata["dagster/code_references"].code_references
        assert references, name
        assert all(Path(each.file_path).is_file() for each in references), name

    def rules(spec: AssetSpec) -> dict[str, str]:
        return {each.label: each.file_path for each in spec.metadata["dagster/code_references"].code_references}

    assert Path(rules(described["scoring/scores"])["makes the table"]).parts[-2:] == ("scoring", "assets.py")
    assert rules(described["scoring/scores"])["rules: scoring.yaml"].endswith("lead_assets/rules/scoring.yaml")
    own = tmp_path / "routing.yaml"
    own.write_text(Path(rules(described["routing/decisions"])["rules: routing.yaml"]).read_text())
    edited = specs(build_defs(Settings(home=tmp_path / "home", rules_dir=tmp_path, env_file=None)))  # type: ignore[call-arg]
    assert rules(edited["routing/decisions"])["rules: routing.yaml"] == str(own)


def test_tags_say_what_costs_money_and_what_holds_personal_data(described: dict[str, AssetSpec]) -> None:
    paid = {name for name, spec in described.items() if spec.tags["lead_assets/cost"] == "paid"}
    assert {"signals/company_overview", "classification/classifications", "classification/golden_evaluation"} <= paid
    assert not paid & {"scoring/scores", "identity/leads", "routing/decisions", "marts/campaign_funnel"}
    assert described["intake/raw_leads"].tags["lead_assets/pii"] == "yes"
    assert {spec.tags["lead_assets/pii"] for name, spec in described.items() if name.startswith("marts/")} == {"no"}
    assert {spec.tags["lead_assets/layer"] for spec in described.values()} == {"raw", "core", "mart"}


def test_loading_the_code_location_says_nothing() -> None:
    """Dagster warns of parts that may change, once for each asset; whoever runs a command can do nothing about it."""
    done = subprocess.run(
        [sys.executable, "-c", "from lead_assets.definitions import defs; defs().get_repository_def()"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""

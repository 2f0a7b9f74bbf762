"""LEAD_ASSETS_ENV=production: where each store is, and the errors for missing ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lead_assets.cli.doctor import examine
from lead_assets.core.settings import Settings

POSTGRES = "postgresql+psycopg2://u:p@db.example/leads"


def _production(**values: Any) -> Settings:
    return Settings(env="production", **values)


@pytest.mark.parametrize("written", ["leads", "gs://leads", "gs://leads/"])
def test_a_bucket_is_enough_for_archive_and_landing_zone(written: str) -> None:
    settings = _production(gcs_enrichment_bucket=written, gcs_failed_leads_bucket="failed")
    assert (settings.archive_location, settings.landing_location) == ("gs://leads", "gs://leads/landing")
    assert settings.failed_leads_location == "gs://failed"


def test_a_location_of_its_own_goes_before_the_bucket() -> None:
    settings = _production(gcs_enrichment_bucket="leads", archive_url="gs://other/archive", landing_url="gs://inbox")
    assert (settings.archive_location, settings.landing_location) == ("gs://other/archive", "gs://inbox")


def test_buckets_are_not_used_outside_production(tmp_path: Path) -> None:
    """A demo on a machine that has them set must not write made-up events where real ones are."""
    settings = Settings(home=tmp_path, gcs_enrichment_bucket="leads", gcs_failed_leads_bucket="failed")
    assert not any("gs://" in place for place in (settings.archive_location, settings.landing_location, settings.ledger_location))
    assert settings.failed_leads_location is None


@pytest.mark.parametrize("url", [None, "sqlite:///ledger.sqlite", "postgresql://u:p@db.example/leads"])
def test_a_ledger_that_production_cannot_use_is_refused_without_its_password(url: str | None) -> None:
    with pytest.raises(ValueError, match=r"LEAD_ASSETS_LEDGER_URL to postgresql\+psycopg2://") as raised:
        _ = _production(ledger_url=url).ledger_location
    assert "db.example" not in str(raised.value)
    assert _production(ledger_url=POSTGRES).ledger_location == POSTGRES


def test_doctor_names_each_variable_that_production_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    checks = {check["name"]: check for check in examine(_production(home=tmp_path / "home"))["checks"]}
    assert {name for name in ("archive", "landing", "ledger", "warehouse", "run history") if not checks[name]["ok"]} == {
        *("archive", "landing", "ledger", "warehouse", "run history")
    }
    assert "GCS_ENRICHMENT_BUCKET" in checks["archive"]["detail"]
    assert "LEAD_ASSETS_LANDING_URL" in checks["landing"]["detail"]
    assert "LEAD_ASSETS_LEDGER_URL" in checks["ledger"]["detail"]
    assert "deploy/dagster.yaml" in checks["run history"]["detail"]

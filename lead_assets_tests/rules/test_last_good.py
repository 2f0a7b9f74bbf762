"""A rules file that is saved broken: the last good ones stay in force, in every process, and everyone can see that."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from lead_assets.core.declared import rules_digest
from lead_assets.core.document import RulesError
from lead_assets.core.last_good import faults_passed_over
from lead_assets.core.settings import Settings
from lead_assets.routing.table import load_routing_table
from lead_assets.rules.check import examine_rules, put_in_force
from lead_assets_tests.conftest import Command

GOOD = '{"US": "us@our.example", "DEFAULT": "desk@our.example"}'
BROKEN = '{"US": "us@our.example", "DEFAULT": '


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    (tmp_path / "rules").mkdir()
    return Settings(home=tmp_path / "home", rules_dir=tmp_path / "rules", routing_json=None)


def save(settings: Settings, text: str) -> None:
    assert settings.rules_dir is not None
    (settings.rules_dir / "routing.yaml").write_text(text)


def test_the_last_good_ones_stay_in_force_and_it_is_said(own: Settings, caplog: pytest.LogCaptureFixture) -> None:
    save(own, GOOD)
    put_in_force(own)
    before = rules_digest(own, "routing.yaml")
    save(own, BROKEN)
    with caplog.at_level(logging.WARNING):
        put_in_force(own)
    assert "routing.yaml line 1: cannot be read" in caplog.text
    assert "The rules as they were before stay in force until this is corrected" in caplog.text
    assert load_routing_table(own).fallback_owner == "desk@our.example"
    assert rules_digest(own, "routing.yaml") == before
    assert any("cannot be read" in fault for each in examine_rules(own) for fault in each.faults)
    assert any("cannot be read" in fault for fault in faults_passed_over(own))
    # Another process sees the same.
    code = "from lead_assets.core.settings import Settings; from lead_assets.routing.table import load_routing_table as t; print(t(Settings()).fallback_owner)"
    env = {**os.environ, "LEAD_ASSETS_HOME": str(own.home), "LEAD_ASSETS_RULES_DIR": str(own.rules_dir)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "desk@our.example"
    # Corrected, it is in force at once, even before it is checked.
    save(own, GOOD.replace("desk@", "front@"))
    assert load_routing_table(own).fallback_owner == "front@our.example"
    put_in_force(own)
    assert faults_passed_over(own) == ()


@pytest.mark.slow
def test_status_says_what_is_broken_until_it_is_corrected(own: Settings, command: Command) -> None:
    save(own, GOOD)
    status = partial(command, "status", at=own.home, LEAD_ASSETS_RULES_DIR=str(own.rules_dir))
    assert status("--json").answer()["faults_in_rules"] == []
    save(own, BROKEN)
    assert any("routing.yaml line 1" in fault for fault in status("--json").answer()["faults_in_rules"])
    shown = status().stdout
    assert "the rules are broken" in shown
    assert "cannot be read" in shown
    save(own, GOOD)
    assert "broken" not in status().stdout


def test_a_file_that_was_never_good_is_refused(own: Settings) -> None:
    save(own, BROKEN)
    with pytest.raises(RulesError, match="cannot be read"):
        put_in_force(own)
    assert faults_passed_over(own) == ()


def test_a_broken_setting_is_refused_however_good_the_folder_was(own: Settings) -> None:
    save(own, GOOD)
    put_in_force(own)
    with pytest.raises(RulesError, match="ROUTING_JSON"):
        put_in_force(own.model_copy(update={"routing_json": "{"}))
    put_in_force(own)

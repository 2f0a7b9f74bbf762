"""Settings come only from the product's own variables and the vendors'."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lead_assets.cli.runs import add_campaigns, instance_of, known_campaigns
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import project_file, rules_file
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.vendors import load_vendors


def test_variables_of_the_shell_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A HOME that was read as our home once put the warehouse into the user's home folder."""
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("ENV", "production")
    assert Settings().home == Path(".lead_assets")
    assert Settings().env == "local"


def test_our_own_variables_have_our_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_ASSETS_HOME", "/somewhere")
    monkeypatch.setenv("LEAD_ASSETS_SANDBOX_URL", "")
    settings = Settings()
    assert settings.home == Path("/somewhere")
    assert settings.world == "live", "an empty variable counts as unset"


def test_a_tilde_is_the_users_folder_where_no_shell_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(home=Path("~/leads")).home == tmp_path / "leads"


@pytest.mark.parametrize("name", ["what?", "my%20project", "a?b=1"])
def test_a_home_that_would_be_read_as_a_url_is_refused(name: str, tmp_path: Path) -> None:
    """Its ledger was written elsewhere, and Dagster's storage could not be opened at all."""
    with pytest.raises(ValidationError, match="choose another folder"):
        Settings(home=tmp_path / name)


@pytest.mark.parametrize("name", ["a b", "ümlaut 日本", "em😀ji", "ha#sh", "50%", "q'uote\"", "eq=ual;&+,semi"])
def test_any_other_folder_can_be_a_home(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / name)
    with opened_ledger(settings) as ledger:
        ledger.pause("pipe0")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with instance_of(settings) as instance:
        add_campaigns(instance, ["spring"])
        assert known_campaigns(instance) == ["spring"]
    assert {each.name for each in tmp_path.iterdir()} == {name}
    assert (tmp_path / name / "ledger.sqlite").stat().st_size


def test_vendors_variables_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    monkeypatch.setenv("ACME_API_KEY", "sk-acme")
    settings = Settings()
    key = settings.secret("ANTHROPIC_API_KEY")
    assert key is not None
    assert key.get_secret_value() == "sk-canary"
    assert "canary" not in repr(settings)
    assert settings.secret("PIPE0_API_KEY") is None
    undeclared = settings.secret("ACME_API_KEY")
    assert undeclared is not None
    assert undeclared.get_secret_value() == "sk-acme"


def test_a_vendors_variable_is_read_from_the_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("APOLLO_API_KEY=sk-declared\nACME_API_KEY=sk-acme\nEMPTY_API_KEY=\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    said = {name: Settings().secret(name) for name in ("APOLLO_API_KEY", "ACME_API_KEY", "EMPTY_API_KEY")}
    assert {name: key.get_secret_value() if key else None for name, key in said.items()} == {
        "APOLLO_API_KEY": "sk-declared",
        "ACME_API_KEY": "sk-acme",
        "EMPTY_API_KEY": None,
    }


def test_every_variable_is_in_the_example() -> None:
    listed = project_file(".env.example").read_text()
    names = {vendor.key_variable for vendor in load_vendors().values()}
    names |= {str(field.validation_alias or f"LEAD_ASSETS_{name.upper()}") for name, field in Settings.model_fields.items()}
    assert sorted(name for name in names if name not in listed) == []


def test_a_rules_folder_that_is_not_there_is_no_reason_to_use_others(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="correct it, or unset it"):
        rules_file("routing.yaml", Settings(rules_dir=tmp_path / "nope"))


@pytest.mark.parametrize(("name", "value"), [("LEAD_ASSETS_MAX_PAYLOAD_BYTES", "-1"), ("LEAD_ASSETS_SANDBOX_URL", "garbage")])
def test_values_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()

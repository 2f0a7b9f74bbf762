"""What `lead-assets forget` says of somebody whom nobody has heard of."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.cli import forgetting, show_privacy
from lead_assets.core.settings import Settings


@pytest.mark.parametrize(("asked", "hint"), [("nobody@nowhere.example", False), ("(415) 555-2671", True), ("+14155552671", False)])
def test_a_rehearsal_says_that_nothing_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str, hint: bool
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    answer = forgetting.forget(Settings(home=tmp_path / "home"), asked, dry_run=True)
    show_privacy.forgotten(answer)
    said = capsys.readouterr().out
    assert "nothing is held" in said
    assert "place" not in said.partition("nothing is held")[2]
    assert ("--country" in said) is hint

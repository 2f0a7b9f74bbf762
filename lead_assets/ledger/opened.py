"""Opens the ledger named by the settings. Commands and the asset graph both use it, so they have the same key for suppressions."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger

KEY_FILE = "suppression.key"
_KEY_BYTES = 32


def ledger_of(settings: Settings) -> Ledger:
    return Ledger(settings.ledger_location, key=lambda: suppression_key(settings))


@contextmanager
def opened_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger for the duration of a command."""
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = ledger_of(settings)
    try:
        yield ledger
    finally:
        ledger.close()


def suppression_key(settings: Settings) -> bytes | None:
    """The key that suppressions are hashed with: LEAD_ASSETS_SUPPRESSION_KEY, else a file in the home that is made on first use. Production has no home that
    all its machines see, so without the variable it has no key, and its suppressions are plain hashes."""
    if settings.suppression_key is not None:
        return settings.suppression_key.get_secret_value().encode()
    if settings.env == "production":
        return None
    file = settings.home / KEY_FILE
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
        with open(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as made:
            made.write(secrets.token_hex(_KEY_BYTES))
        # Of two processes that make it at once, one wins.
        with suppress(FileExistsError):
            os.link(aside, file)
        aside.unlink()
    return file.read_text("utf-8").strip().encode()

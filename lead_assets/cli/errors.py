"""Which exceptions are messages for a person, and which are bugs that need their traceback."""

from __future__ import annotations

import sqlite3

from pydantic import ValidationError

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import SuppressionKeyError
from lead_assets.ledger import WorldError
from lead_assets.ledger.model import NewerLedgerError


class CommandError(Exception):
    """The command could not do its work; the text says why and what to do next."""


def explained(error: Exception) -> str | None:
    """The text of an error that says what, where and what to do; None for a bug. Never shows the value of a setting."""
    if isinstance(error, ValidationError):
        faults = "; ".join(f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        return f"settings: {faults}"
    if type(error).__module__ == "sqlalchemy.exc" and type(error).__name__ in ("OperationalError", "InterfaceError"):
        if isinstance(cause := getattr(error, "orig", None), sqlite3.Error):
            return f"a database below {Settings().home.resolve()} cannot be used ({cause}): check that you may write there, and that the disk has space"
        # The driver's own text may name the user, and with some drivers the whole URL.
        return (
            "a database cannot be reached (ledger or Dagster's storage): check that it is running and that LEAD_ASSETS_LEDGER_URL is right"
        )
    if type(damage := getattr(error, "orig", None)) is sqlite3.DatabaseError:
        return f"a database below {Settings().home.resolve()} is damaged ({damage}): restore it from a backup"
    if isinstance(error, FileExistsError) and error.filename is not None:
        return f"{error.filename}: a file stands where a folder is needed: move it, or choose another folder"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror.lower()}: check that it exists, that you may access it, and that the disk has space"
    if (
        isinstance(
            error, ValueError | LookupError | OSError | WorldError | NewerLedgerError | SuppressionKeyError | ProviderError | CommandError
        )
        and error.args
    ):
        return str(error)
    return None


def _variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a setting: LEAD_ASSETS_<field>, unless the field declares another name."""
    name = ".".join(str(part) for part in location)
    field = Settings.model_fields.get(name)
    return f"LEAD_ASSETS_{name.upper()}" if field is not None and field.validation_alias is None else name

"""Which exceptions are messages for a person, and which are bugs that need their traceback."""

from __future__ import annotations

from pydantic import ValidationError

from lead_assets.ledger import WorldError
from lead_assets.providers.errors import ProviderError


def explained(error: Exception) -> str | None:
    """The text of an error that says what, where and what to do; None for a bug. Never shows the value of a setting."""
    if isinstance(error, ValidationError):
        faults = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        return f"settings: {faults}"
    if isinstance(error, ValueError | LookupError | OSError | WorldError | ProviderError) and error.args:
        return str(error)
    return None

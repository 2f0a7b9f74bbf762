"""What an asset that buys says of providers that are down.

Does not belong here: when a provider is left alone (see `lead_assets.ledger.controls`).
"""

from __future__ import annotations

from lead_assets.ledger.ledger import Ledger


def circuits_shown(ledger: Ledger) -> dict[str, str] | None:
    """For an asset's metadata: the providers whose circuit is open now, and until when; None if there are none."""
    return {circuit["provider"]: circuit["open_until"] for circuit in (each.as_row() for each in ledger.circuits())} or None

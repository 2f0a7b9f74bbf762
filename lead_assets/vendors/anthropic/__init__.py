"""Anthropic: the language model. The engine (see `lead_assets.model`) calls it through the vendor's own SDK."""

import sys
import threading
from importlib import import_module

from lead_assets.core.settings import Settings
from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.anthropic.com",
    key_variable="ANTHROPIC_API_KEY",
    without="rules-v1 classifies instead of a model",
)


def needed_soon(settings: Settings) -> None:
    """Import the SDK beside other work if the model can be asked: its 3,000 modules take 0.6 s, in which a run waits for other vendors anyway."""
    if VENDOR.key(settings) is not None and "anthropic" not in sys.modules:
        threading.Thread(target=import_module, args=("anthropic",), name="anthropic", daemon=True).start()

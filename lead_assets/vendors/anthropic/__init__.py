"""Anthropic: the language model. The engine (see `lead_assets.model`) calls it through the vendor's own SDK."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.anthropic.com",
    key_variable="ANTHROPIC_API_KEY",
    without="rules-v1 classifies instead of a model",
)

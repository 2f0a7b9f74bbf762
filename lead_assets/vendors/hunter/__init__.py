"""Hunter: finds and verifies business e-mail addresses."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.hunter.io/v2",
    key_variable="HUNTER_API_KEY",
    without="its signals stay unknown (no_key)",
)

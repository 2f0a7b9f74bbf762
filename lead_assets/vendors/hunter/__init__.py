"""Hunter: business addresses, found and verified."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.hunter.io/v2",
    key_variable="HUNTER_API_KEY",
    without="the signals that it answers stay unknown (no_key)",
)

"""pipe0: runs pipes over records."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.pipe0.com",
    key_variable="PIPE0_API_KEY",
    without="its signals stay unknown (no_key)",
    own_mock=lambda settings: settings.pipe0_environment == "sandbox",
    says_when_it_sends=True,
)

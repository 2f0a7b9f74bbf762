"""The campaign API."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.aturiya.ai",
    key_variable="ATURIYA_BEARER_TOKEN",
    without="the campaign API brings no leads; files still do",
)

"""HubSpot."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.hubapi.com",
    key_variable="HUBSPOT_API_KEY",
    without="contacts are not sent to HubSpot",
)

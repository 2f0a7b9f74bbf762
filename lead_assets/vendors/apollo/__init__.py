"""Apollo: organizations, people, and searches of both."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.apollo.io/api/v1",
    key_variable="APOLLO_API_KEY",
    without="the signals that it answers stay unknown (no_key), and nothing is discovered",
)

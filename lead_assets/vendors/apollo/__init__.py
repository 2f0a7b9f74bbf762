"""Apollo: organizations, people, and searches of both."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.apollo.io/api/v1",
    key_variable="APOLLO_API_KEY",
    without="its signals stay unknown (no_key), and discovery is not available",
)

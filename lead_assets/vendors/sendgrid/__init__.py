"""SendGrid."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.sendgrid.com",
    key_variable="SENDGRID_API_KEY",
    without="leads to be nurtured join no list",
)

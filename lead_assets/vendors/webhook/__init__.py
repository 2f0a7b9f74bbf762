"""A webhook of your own, signed as Standard Webhooks says."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://webhook.invalid",
    key_variable="LEAD_ASSETS_WEBHOOK_SECRET",
    without="no webhook is called (rules/delivery.yaml says which)",
)

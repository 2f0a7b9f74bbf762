"""Salesforce."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://login.salesforce.com",
    key_variable="SALESFORCE_ACCESS_TOKEN",
    without="records are not sent to Salesforce",
)

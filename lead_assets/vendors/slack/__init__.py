"""Slack."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://slack.com/api",
    key_variable="SLACK_BOT_TOKEN",
    without="owners get no messages",
)

"""Segment."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(
    package=__name__,
    live_url="https://api.segment.io",
    key_variable="SEGMENT_WRITE_KEY",
    without="events are archived, but not sent to Segment",
)

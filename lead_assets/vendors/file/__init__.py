"""Files in a folder or a bucket, for whoever fetches deliveries instead of getting them."""

from lead_assets.vendors.vendor import Vendor

VENDOR = Vendor(package=__name__, live_url="file:", key_variable="", without="needs no key")

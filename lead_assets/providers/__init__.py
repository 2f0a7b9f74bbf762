"""One thin HTTP client per vendor: wire format in, wire model out. No cache, no budget, no retry loop of its own (see `lead_assets.ledger.purchase`)."""

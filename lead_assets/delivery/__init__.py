"""The delivery room: what leaves the product. `events` makes the CDP's enrichment events and archives them as NDJSON."""

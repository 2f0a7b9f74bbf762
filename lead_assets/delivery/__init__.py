"""The delivery room: what leaves the product. `events` makes enrichment events for a CDP and archives them as NDJSON."""

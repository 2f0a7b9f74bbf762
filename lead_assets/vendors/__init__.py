"""All that is known of one vendor, a folder each. `http` is what their clients share."""

"""Everything that is known of one lead, and how it came to be known: from the bytes that arrived to what was sent."""

"""Who owns a lead: `table` (what the business declares), `territories` (what it proposes), `ownership` (what the ledger holds)."""

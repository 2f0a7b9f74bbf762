"""Who owns a lead: `model` (what the business declares), `matching` (which rules a lead meets), `choose` (who gets it), `ownership` (what the ledger holds)."""

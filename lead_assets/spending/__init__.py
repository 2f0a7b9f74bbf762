"""The spending room: calls and their cost, from the ledger, as a table beside the others."""

"""The spending room: what the ledger says was asked of whom and what it cost, as a table beside the others."""

"""The signals room, against the sandbox and a real ledger."""

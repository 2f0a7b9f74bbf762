"""The ledger: the journal of what costs money or cannot be redone. Transactional, never rebuilt."""

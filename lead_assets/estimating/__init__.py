"""Estimates what a run would cost, by rehearsing the engines on the same ledger."""

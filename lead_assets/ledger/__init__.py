"""The ledger: the journal of what costs money or cannot be redone. Transactional, never rebuilt.

`Ledger` is the store, `purchase` (or `buy` in async code) buys things, and `model` holds the values they exchange.
"""

from lead_assets.ledger.buying import buy, purchase
from lead_assets.ledger.ledger import Ledger, WorldError
from lead_assets.ledger.model import Answer, Lifetimes, Rate, Reply, Want
from lead_assets.ledger.purchase import Purchase, Retry
from lead_assets.ledger.recall import recall

__all__ = ["Answer", "Ledger", "Lifetimes", "Purchase", "Rate", "Reply", "Retry", "Want", "WorldError", "buy", "purchase", "recall"]

"""What one request may spend, beside the budgets that everybody shares."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Allowance:
    """`limit_micros` is the most that calls may cost together, at the prices that are reserved for them. Safe for threads."""

    limit_micros: int
    taken_micros: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, price_micros: int) -> bool:
        """Take a price, or nothing if too little is left."""
        with self._lock:
            if self.taken_micros + price_micros > self.limit_micros:
                return False
            self.taken_micros += price_micros
            return True

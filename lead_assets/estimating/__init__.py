"""What a run would cost, before it runs: the engines are rehearsed on the same ledger."""

"""A process that routes leads one by one: python -m lead_assets_tests.routing.worker URL TABLE NAME COUNT."""

from __future__ import annotations

import sys
from pathlib import Path

from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.ownership import decide
from lead_assets_tests.routing.frames import content, routable, table


def main(url: str, file: str, name: str, count: int) -> None:
    by = table(Path(file).read_text())
    ledger = Ledger(url)
    for n in range(count):
        decide(routable({"lead_id": f"{name}-{n}", "account_key": f"{name}-{n}.example", "campaign_id": name}), by, ledger, content(by))
    ledger.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))

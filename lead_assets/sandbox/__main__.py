"""`python -m lead_assets.sandbox --port N [--campaigns FILE]`: serve until interrupted."""

from __future__ import annotations

import argparse
from pathlib import Path

from lead_assets.sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lead_assets.sandbox", description="Serve every external service on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--campaigns", type=Path, default=None, help="JSON file with the campaigns that the Aturiya API serves")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input closes (used by lead_assets.sandbox.start)"
    )
    options = parser.parse_args()
    serve(options.port, options.campaigns, until_stdin_closes=options.until_stdin_closes)


if __name__ == "__main__":
    main()

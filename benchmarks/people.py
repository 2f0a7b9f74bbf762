"""How well people and accounts are told apart: for each labelled set, the share that is read as a person reads it, and every miss.

`python -m benchmarks.people`. The sets lie in lead_assets_tests/identity/labels: pairs of leads (one person, two, or cannot tell), domains (a mailbox
provider's, a site that many share, a company's) and e-mail cells as people fill them.
"""

from __future__ import annotations

import polars as pl

from lead_assets.core.emails import email_kinds, normalise_emails, read_emails
from lead_assets.identity.companies import company_domains
from lead_assets_tests.identity.people_labels import labels, merged, merged_from_payloads, possible


def main() -> None:
    pairs = labels("pairs.csv")
    for verdict, wanted in (("different", False), ("same", True)):
        of = [pair for pair in pairs if pair["verdict"] == verdict]
        _say(f"pairs: {verdict}", len(of), [f"{pair['name_a']} / {pair['name_b']}" for pair in of if merged(pair) != wanted])
    of = [pair for pair in pairs if pair["verdict"] == "different"]
    sent = [pair for pair in merged_from_payloads() if pair["verdict"] == "different"]
    _say("pairs: different, without ids", len(of), [f"{pair['name_a']} / {pair['name_b']}" for pair in sent])
    unclear = [pair for pair in pairs if pair["verdict"] == "cannot tell" and not merged(pair)]
    _say("pairs: shown", len(unclear), [f"{pair['name_a']} / {pair['name_b']}" for pair in unclear if not possible(pair)])
    rows = labels("domains.csv")
    domains = pl.Series([row["domain"] for row in rows])
    nobody = pl.Series([None] * len(rows), dtype=pl.String)
    found = zip(rows, company_domains(domains, nobody, nobody).to_list(), email_kinds(domains).to_list(), strict=True)
    wrong = [
        (row["is"], row["domain"])
        for row, company, kind in found
        if (company is not None and kind == "business") != (row["is"] == "company")
    ]
    for kind in ("provider", "shared_site", "company"):
        _say(f"domains: {kind}", sum(row["is"] == kind for row in rows), [domain for of, domain in wrong if of == kind])
    cells = labels("emails.csv")
    read = normalise_emails(read_emails(pl.Series([row["received"] for row in cells])))["email_normalized"].to_list()
    _say(
        "e-mail cells", len(cells), [row["received"] for row, address in zip(cells, read, strict=True) if address != (row["email"] or None)]
    )


def _say(name: str, count: int, misses: list[str]) -> None:
    print(f"{name:22} {count - len(misses)} of {count}", *misses, sep="\n    " if misses else "")


if __name__ == "__main__":
    main()

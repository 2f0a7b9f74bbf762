"""What `lead-assets identity merge`, `unmerge` and `explain` do.

Does not belong here: recording decisions (see `lead_assets.identity.deciding`), or printing (see `show_linked`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.cli.errors import CommandError
from lead_assets.core.settings import Settings
from lead_assets.identity.deciding import article, members_of, merge, unmerge
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.warehouse.base import Warehouse

__all__ = ["explain", "merge", "unmerge"]


def explain(settings: Settings, ledger: Ledger, warehouse: Warehouse, one: str, other: str, picture: Path | None) -> dict[str, Any]:
    """Why two leads, people or companies are one or two. Of a person or account, the member that was known first is compared. Raises CommandError,
    NotDecided."""
    from lead_assets.contracts import Lead
    from lead_assets.identity.explaining import explained
    from lead_assets.identity.records import LEAD_COLUMNS, account_kind, account_records, person_kind, person_records
    from lead_assets.identity.rules import load_identity_rules

    register = ledger.identities
    (kind, ours), (of, theirs) = members_of(register, one), members_of(register, other)
    if kind != of:
        raise CommandError(f"{one} is a{article(kind)} and {other} is a{article(of)}: name two of a kind")
    pair = [ours[0], theirs[0]]
    if pair[0] == pair[1]:
        raise CommandError(f"{one} and {other} are the same {kind}, known first as {pair[0]}: name two leads or domains of it")
    rules = load_identity_rules(settings)
    # A lead needs its campaign alone; a company is what all its leads say.
    campaigns = sorted({member.partition("/")[0] for member in pair}) if kind == "person" else None
    leads = warehouse.query(f"SELECT {', '.join(LEAD_COLUMNS)} FROM identity.leads", [Lead], campaigns)
    if kind == "person":
        keys = pl.concat_str("campaign_id", pl.lit("/"), "lead_id")
        records, of_kind = person_records(leads.filter(keys.is_in(pair))), person_kind(rules)
    else:
        records, of_kind = account_records(leads), account_kind(rules)
    for member in pair:
        if member not in records["member"]:
            raise CommandError(f"{member} is not in identity.leads any more: name another member")
    found = explained(records, pair[0], pair[1], of_kind)
    decided = [each.same for each in register.decisions(kind) if {each.one, each.other} == set(pair)]
    entities = {member: entity for member, entity, _ in register.known(kind, pair)}
    answer: dict[str, Any] = {
        "kind": kind,
        "pair": pair,
        "prior": found.prior,
        "accept": found.accept,
        "steps": [step._asdict() for step in found.steps],
        "weight": found.weight,
        "alike_enough": found.weight >= found.accept,
        "decided": None if not decided else "same" if decided[0] else "apart",
        "one": len(set(entities.values())) == 1,
        "ids": entities,
    }
    if picture is not None:
        from lead_assets.kit.pictures import save_waterfall

        # What was typed by somebody stands in no picture: columns and words of the rules only.
        steps = [("any two", found.prior), *((f"{step.name}: {step.says}", step.bits) for step in found.steps if step.bits)]
        save_waterfall(picture, f"{kind}: {found.weight:+.1f} bits", steps, line=found.accept)
        answer["path"] = str(picture)
    return answer

"""What `lead-assets identity merge`, `unmerge` and `explain` do: record decisions about who is who, and show why.

Does not belong here: acting on decisions (the home-wide tables of the identity room do, in the next run), or printing (see `show_linked`).
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.cli.errors import CommandError
from lead_assets.core.settings import Settings
from lead_assets.ledger.identities import EntityKind, Identities
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.warehouse.base import Warehouse

_MOST_APART = 60
"""Members of a person or account that can be taken apart completely: of more, every pair would be a decision."""
_NEXT = "the next `lead-assets run` brings the tables up to it"


def merge(ledger: Ledger, one: str, other: str) -> dict[str, Any]:
    """Declare two leads, people or companies the same. What was declared apart between them no longer counts. Raises CommandError."""
    register = ledger.identities
    (kind, ours), (of, theirs) = _found(register, one), _found(register, other)
    if kind != of:
        raise CommandError(f"{one} is a{_n(kind)} and {other} is a{_n(of)}: name two people (or leads), or two accounts (or domains)")
    mine, others = set(ours), set(theirs)
    gone = [
        (each.one, each.other)
        for each in register.decisions(kind)
        if not each.same and ((each.one in mine and each.other in others) or (each.one in others and each.other in mine))
    ]
    if not register.decide(kind, [(ours[0], theirs[0])], same=True, instead_of=gone) and not gone:
        raise CommandError(f"{one} and {other} are the same {kind}: nothing to merge")
    return {"kind": kind, "merged": [ours[0], theirs[0]], "no_longer_apart": len(gone), "next": _NEXT}


def unmerge(ledger: Ledger, which: str) -> dict[str, Any]:
    """Take a lead (or domain) out of its person (or account), or all members of one apart. Raises CommandError."""
    register = ledger.identities
    kind, members = _found(register, which)
    if _is_entity(which):
        if len(members) > _MOST_APART:
            raise CommandError(f"{which} has {len(members)} members: take out single ones, up to {_MOST_APART} can be taken apart at once")
        pairs = list(combinations(members, 2))
    else:
        (row,) = register.known(kind, [members[0]])
        pairs = [(members[0], each.member) for each in register.members(kind, [row[1]]) if each.member != members[0]]
    if not pairs:
        raise CommandError(f"{which} is alone: nothing to take apart")
    return {"kind": kind, "apart": register.decide(kind, pairs, same=False), "next": _NEXT}


def explain(settings: Settings, ledger: Ledger, warehouse: Warehouse, one: str, other: str, picture: Path | None) -> dict[str, Any]:
    """Why two leads, people or companies are one or two. Of a person or account, the member that was known first is compared. Raises CommandError."""
    from lead_assets.contracts import Lead
    from lead_assets.identity.explaining import explained
    from lead_assets.identity.records import LEAD_COLUMNS, account_kind, account_records, person_kind, person_records
    from lead_assets.identity.rules import load_identity_rules

    register = ledger.identities
    (kind, ours), (of, theirs) = _found(register, one), _found(register, other)
    if kind != of:
        raise CommandError(f"{one} is a{_n(kind)} and {other} is a{_n(of)}: name two of a kind")
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


def _found(register: Identities, which: str) -> tuple[EntityKind, list[str]]:
    """Kind and members, the first known first: of a person or account all, otherwise the lead or domain itself."""
    if _is_entity(which):
        kind: EntityKind = "person" if which.startswith("person_") else "account"
        members = [row.member for row in register.members(kind, [which])]
    else:
        kind = "account" if which.startswith("name:") or "/" not in which else "person"
        members = [row[0] for row in register.known(kind, [which])]
    if not members:
        raise CommandError(
            f"nothing is known of {which}: write a lead as CAMPAIGN/LEAD_ID, a person or account by its id, a company by its domain "
            "(identity.person_leads and identity.account_members list them), and run the campaign first if it is new"
        )
    return kind, members


def _is_entity(which: str) -> bool:
    return which.startswith(("person_", "account_")) and "/" not in which and "." not in which


def _n(kind: EntityKind) -> str:
    return "n account" if kind == "account" else " person"

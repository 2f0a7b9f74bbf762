"""What people decide about who is who: two are one, or one is several. Recorded in the ledger's register.

Does not belong here: acting on decisions (the home-wide tables of this room do, in the next run), or what speaks for one (see `explaining`).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from lead_assets.ledger.identities import EntityKind, Identities
from lead_assets.ledger.ledger import Ledger


class NotDecided(ValueError):
    """A decision that cannot be recorded. The text says why, and what to do."""


_MOST_APART = 60
"""Members of a person or account that can be taken apart completely: of more, every pair would be a decision."""
_NEXT = "the next `lead-assets run` brings the tables up to it"


def merge(ledger: Ledger, one: str, other: str) -> dict[str, Any]:
    """Declare two leads, people or companies the same. What was declared apart between them no longer counts. Raises NotDecided."""
    register = ledger.identities
    (kind, ours), (of, theirs) = members_of(register, one), members_of(register, other)
    if kind != of:
        raise NotDecided(
            f"{one} is a{article(kind)} and {other} is a{article(of)}: name two people (or leads), or two accounts (or domains)"
        )
    mine, others = set(ours), set(theirs)
    gone = [
        (each.one, each.other)
        for each in register.decisions(kind)
        if not each.same and ((each.one in mine and each.other in others) or (each.one in others and each.other in mine))
    ]
    if not register.decide(kind, [(ours[0], theirs[0])], same=True, instead_of=gone) and not gone:
        raise NotDecided(f"{one} and {other} are the same {kind}: nothing to merge")
    return {"kind": kind, "merged": [ours[0], theirs[0]], "no_longer_apart": len(gone), "next": _NEXT}


def unmerge(ledger: Ledger, which: str) -> dict[str, Any]:
    """Take a lead (or domain) out of its person (or account), or all members of one apart. Raises NotDecided."""
    register = ledger.identities
    kind, members = members_of(register, which)
    if _is_entity(which):
        if len(members) > _MOST_APART:
            raise NotDecided(f"{which} has {len(members)} members: take out single ones, up to {_MOST_APART} can be taken apart at once")
        pairs = list(combinations(members, 2))
    else:
        (row,) = register.known(kind, [members[0]])
        pairs = [(members[0], each.member) for each in register.members(kind, [row[1]]) if each.member != members[0]]
    if not pairs:
        raise NotDecided(f"{which} is alone: nothing to take apart")
    return {"kind": kind, "apart": register.decide(kind, pairs, same=False), "next": _NEXT}


def members_of(register: Identities, which: str) -> tuple[EntityKind, list[str]]:
    """Kind and members, the first known first: of a person or account all, otherwise the lead or domain itself."""
    if _is_entity(which):
        kind: EntityKind = "person" if which.startswith("person_") else "account"
        members = [row.member for row in register.members(kind, [which])]
    else:
        kind = "account" if which.startswith("name:") or "/" not in which else "person"
        members = [row[0] for row in register.known(kind, [which])]
    if not members:
        raise NotDecided(
            f"nothing is known of {which}: write a lead as CAMPAIGN/LEAD_ID, a person or account by its id, a company by its domain "
            "(identity.person_leads and identity.account_members list them), and run the campaign first if it is new"
        )
    return kind, members


def _is_entity(which: str) -> bool:
    return which.startswith(("person_", "account_")) and "/" not in which and "." not in which


def article(kind: EntityKind) -> str:
    """What follows "a" before the kind."""
    return "n account" if kind == "account" else " person"

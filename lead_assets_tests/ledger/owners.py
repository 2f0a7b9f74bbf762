"""Leads to give away, and the simplest way to choose an owner: always the same."""

from __future__ import annotations

from collections.abc import Sequence

from lead_assets.ledger.assignments_model import Assignment, Choice, Choose, Chosen, LeadToRoute, RoutingState

WAY = '{"authority":"rule","reason":"","rule":"country in US","territory":"west"}'


def leads(count: int, campaign: str = "spring") -> list[LeadToRoute]:
    return [LeadToRoute(campaign, f"lead-{n}", f"account-{n}") for n in range(count)]


def to(offered: Sequence[LeadToRoute], owner: str) -> Choose:
    """Gives each lead to the owner of its account, otherwise to `owner`."""

    def choose(standing: RoutingState, indices: Sequence[int]) -> Chosen:
        chosen = Chosen(ways={"west": WAY})
        new: dict[str, Assignment] = {}
        for index in indices:
            lead = offered[index]
            held = standing.accounts.get(lead.account_key)
            if held is None and lead.account_key not in new:
                new[lead.account_key] = Assignment(
                    lead.account_key, owner, "west", "country in US", "", False, lead.lead_id, lead.campaign_id, standing.now
                )
            chosen.choices.append(Choice(index, held.owner if held else owner, "west", None))
        chosen.accounts = list(new.values())
        return chosen

    return choose

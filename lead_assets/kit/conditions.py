"""When Dagster makes a table without being asked. https://docs.dagster.io/guides/automate/declarative-automation

Does not belong here: which sensor looks at the conditions (see `lead_assets.automation`).
"""

from __future__ import annotations

from dagster import AutomationCondition

from lead_assets.contracts import CampaignFunnel
from lead_assets.kit.declare import key_of


def after_the_campaigns() -> AutomationCondition:
    """For tables of the whole home: something that they read has changed, and no run or backfill of campaigns is under way or waits in the queue.

    A hundred campaigns that are dropped together, or backfilled in four runs, so make one run of these tables and not a hundred. The funnel is the last
    table that a run of campaigns makes. What a table reads may be missing for some campaigns: one that was never run must not hold the others up.
    """
    under_way = AutomationCondition.asset_matches(key_of(CampaignFunnel), AutomationCondition.in_progress())
    changed = AutomationCondition.any_deps_updated().since_last_handled()
    return (changed & ~under_way & ~AutomationCondition.any_deps_in_progress() & ~AutomationCondition.in_progress()).with_label(
        "after_the_campaigns"
    )


def where_it_costs_nothing() -> AutomationCondition:
    """For tables of campaigns that are made without buying anything: a campaign's is made again when its code, its rules or what it reads has changed. What
    was never made is left to whoever runs the campaign, and what costs money to a person.
    """
    edited: AutomationCondition = AutomationCondition.code_version_changed()
    changed = edited.since_last_handled() | AutomationCondition.any_deps_updated().since_last_handled()
    busy = AutomationCondition.in_progress() | AutomationCondition.any_deps_in_progress()
    lacking = AutomationCondition.missing() | AutomationCondition.any_deps_missing()
    return (changed & ~busy & ~lacking).with_label("where_it_costs_nothing")

"""When Dagster materializes a table on its own. https://docs.dagster.io/guides/automate/declarative-automation

Does not belong here: which sensor evaluates the conditions (see `lead_assets.automation`).
"""

from __future__ import annotations

from dagster import AutomationCondition

from lead_assets.contracts import CampaignFunnel
from lead_assets.kit.declare import key_of


def after_the_campaigns() -> AutomationCondition:
    """For home-wide tables: something they read has changed, and no run or backfill of campaigns is in progress or queued.

    So a hundred campaigns that arrive together, or are backfilled in four runs, cause one run of these tables and not a hundred. The funnel is the last
    table made by a run of campaigns. Inputs may be missing for some campaigns: one that was never run must not hold up the others.
    """
    under_way = AutomationCondition.asset_matches(key_of(CampaignFunnel), AutomationCondition.in_progress())
    changed = AutomationCondition.any_deps_updated().since_last_handled()
    return (changed & ~under_way & ~AutomationCondition.any_deps_in_progress() & ~AutomationCondition.in_progress()).with_label(
        "after_the_campaigns"
    )


def where_it_costs_nothing() -> AutomationCondition:
    """For campaign tables that cost nothing: a partition is made again when its code, its rules or its inputs have changed. Partitions that
    were never made are left to whoever runs the campaign, and anything that costs money is left to a person.
    """
    edited: AutomationCondition = AutomationCondition.code_version_changed()
    changed = edited.since_last_handled() | AutomationCondition.any_deps_updated().since_last_handled()
    busy = AutomationCondition.in_progress() | AutomationCondition.any_deps_in_progress()
    lacking = AutomationCondition.missing() | AutomationCondition.any_deps_missing()
    return (changed & ~busy & ~lacking).with_label("where_it_costs_nothing")

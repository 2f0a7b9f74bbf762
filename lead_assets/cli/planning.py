"""What a backfill would do and cost, before it starts.

Does not belong here: what is out of date (see `status`), prices (see `lead_assets.estimating`), or running (see `pipeline`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_assets.cli.status import status
from lead_assets.core.settings import Settings
from lead_assets.estimating.estimate import estimate
from lead_assets.kit.partitions import backfill_policy, contiguous_runs
from lead_assets.stores.opened import archive_of, campaigns_of

_PRICED_ONE_BY_ONE = 100
"""Most campaigns that are also priced alone: each takes about as long as reading its leads."""


def plan(settings: Settings, campaigns: Sequence[str] | None) -> dict[str, Any]:
    """The answer of `lead-assets backfill plan`: {"usd", "calls", "runs", "over_budget", "campaigns": [{campaign_id, missing, out_of_date, usd}]}.

    "usd" is for all together: what one campaign buys, the next one finds in the ledger, so the sum of the parts may be more. A campaign's "usd" is null where
    there are more than 100. Raises UnknownWord for a campaign that is not in the archive."""
    wanted = campaigns_of(settings, campaigns)
    standing = {each["campaign_id"]: each["tables"] for each in status(settings, wanted)["campaigns"]}
    together = estimate(settings, wanted)
    rows: list[dict[str, Any]] = []
    for campaign in wanted:
        states = [table["state"] for table in standing.get(campaign, [])]
        alone = estimate(settings, [campaign])["usd"] if len(wanted) <= _PRICED_ONE_BY_ONE else None
        rows.append({"campaign_id": campaign, "missing": states.count("missing"), "out_of_date": states.count("out_of_date"), "usd": alone})
    due = [row["campaign_id"] for row in rows if row["missing"] or row["out_of_date"]]
    per_run = backfill_policy.max_partitions_per_run or 1
    return {
        "usd": together["usd"],
        "calls": together["calls"],
        "runs": len(contiguous_runs(due, archive_of(settings).campaigns(), per_run)),
        "over_budget": together["over_budget"],
        "synthetic": together["synthetic"],
        "campaigns": rows,
    }

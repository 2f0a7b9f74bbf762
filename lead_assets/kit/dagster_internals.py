"""The one module that imports what Dagster keeps private, each piece with what is done where it is gone.

A test fails loudly when an upgrade moves one of them.
"""

from __future__ import annotations

from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetRecordsFilter

try:
    from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData as Target
except ImportError:  # a verdict then does not say which materialization it is about
    Target = None  # type: ignore[assignment,misc]


def target_of(context: AssetExecutionContext, key: AssetKey) -> dict[str, Any]:
    """The materialization of each partition of the run that a verdict is about: the one that this run has just made."""
    if Target is None:
        return {}
    keys = list(context.partition_keys)
    wanted = AssetRecordsFilter(asset_key=key, asset_partitions=keys)
    records = context.instance.fetch_materializations(wanted, limit=len(keys)).records
    return {
        record.partition_key: Target(run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp)
        for record in records
        if record.partition_key is not None and record.run_id == context.run.run_id
    }

"""Metadata for the materialization of each partition of a run.

`context.add_asset_metadata` asks Dagster's storage, for each partition, whether the run targets it, and lists every known partition for that: three queries and
all campaigns, for each campaign and table. The step knows its partitions, so this writes to the place from which Dagster then reads, or,
if Dagster no longer has it, asks as usual.

Does not belong here: what the metadata says (see `tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import AssetExecutionContext, AssetKey

from lead_assets.kit.dagster_internals import METADATA, load


def add(context: AssetExecutionContext, key: AssetKey, by_partition: Mapping[Any, Mapping[str, Any]]) -> None:
    """Add to the metadata of the asset's materializations in this step. The partition None is an asset without partitions."""
    internals = load(METADATA)
    gathered = getattr(context.get_step_execution_context(), "_metadata_accumulator", None)
    if internals is None or not isinstance(gathered, internals.OutputMetadataAccumulator):
        for partition, shown in by_partition.items():
            context.add_asset_metadata(shown, asset_key=key, partition_key=partition)
        return
    every: Any = gathered.per_output_metadata
    for partition, shown in by_partition.items():
        handle = internals.AssetMetadataHandle(asset_key=key, partition_key=partition)
        every[handle] = {**every.get(handle, {}), **shown}

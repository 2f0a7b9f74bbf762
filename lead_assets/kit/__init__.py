"""The Dagster side of every room: declaring tables as assets, partitions, resources, the IO manager, and handling failed runs."""

import gc

import dagster  # noqa: F401

# Dagster's modules and classes live as long as the process. Frozen, they are no longer searched for garbage, which took half the time of importing ours.
gc.freeze()

"""The Dagster side of every room: declaring tables as assets, partitions, resources, the IO manager, and handling failed runs."""

import gc

import dagster  # noqa: F401

# Dagster's modules and classes live as long as the process. Frozen, they are no longer searched for garbage, which took half the time of importing ours.
gc.freeze()
# Garbage that refers to itself is sought after 200,000 new objects instead of 700: rows and parsed answers hold none, and looking for some took a third of a
# rebuild's time. What no cycle holds is freed at once, as ever. For good: a return to 700 after a step searches all that the step has made.
gc.set_threshold(200_000, 20, 20)

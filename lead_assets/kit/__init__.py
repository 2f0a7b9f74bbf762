"""The Dagster side of every room: declaring tables as assets, partitions, resources, the IO manager, and handling failed runs."""

"""Dagster's side of every room: how a table is declared as an asset, partitions, resources, the IO manager, what follows when a run fails."""

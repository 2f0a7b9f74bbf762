"""What the `lead-assets` command does, one module per concern; `lead_assets.cli.app` only parses options and prints.

`pipeline` is the main job, `runs` executes it with Dagster, `report` reads the results from the tables, `show` formats them for a terminal.
"""

"""What the `lead-assets` command does, one module a concern; `lead_assets.cli.app` only parses options and prints.

`pipeline` is the main job, `runs` how Dagster runs it, `report` what the tables say, `show` how that looks in a terminal.
"""

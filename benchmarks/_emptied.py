"""The code location of `dropped`'s comparison: the graph without its work, with the sensor that takes files."""

from __future__ import annotations

from dagster import Definitions

from benchmarks.backfill_again import emptied
from lead_assets import automation
from lead_assets.core.settings import Settings

defs = Definitions.merge(emptied(Settings()), Definitions(sensors=[automation.drop_sensor]))

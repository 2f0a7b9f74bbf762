"""Answers are bought for real leads: the classification room's fixtures."""

from lead_assets_tests.classification.conftest import ledger, run

__all__ = ["ledger", "run"]

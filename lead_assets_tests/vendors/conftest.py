"""Vendors' runs are begun by signals: the signals room's fixture."""

from lead_assets_tests.signals.conftest import room

__all__ = ["room"]

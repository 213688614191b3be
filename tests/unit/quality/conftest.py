"""The small real lake of tests/unit/publishing/lake.py, as fixtures."""

from tests.unit.publishing.lake import contracts, settings, write_gold

__all__ = ["contracts", "settings", "write_gold"]

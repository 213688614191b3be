"""The small real lake of tests/unit/publishing/lake.py, as fixtures."""

from tests.unit.publishing.lake import audit, contracts, gold, settings, write_gold

__all__ = ["audit", "contracts", "gold", "settings", "write_gold"]

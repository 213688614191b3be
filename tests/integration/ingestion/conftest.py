"""The small real lake of tests/unit/ingestion/lake.py, as fixtures."""

from tests.unit.ingestion.lake import lake, source

__all__ = ["lake", "source"]

"""The small real lake of lake.py and the server of http_server.py, as fixtures."""

from tests.unit.ingestion.http_server import fetch, nothing_public_is_asked
from tests.unit.ingestion.lake import lake, source

__all__ = ["fetch", "lake", "nothing_public_is_asked", "source"]

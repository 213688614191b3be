"""Removing one device of one source, for good: its rows, its bytes, and what tells of them."""

from ingestion.erasing.device import Erased, erase_device

__all__ = ["Erased", "erase_device"]

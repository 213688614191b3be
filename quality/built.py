"""The version of a product's table that the gate looks at: the newest."""

from __future__ import annotations

from pathlib import Path

from lakehouse import delta, tables
from lakehouse.contracts import ProductContract
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings


def require_built(settings: Settings, contract: ProductContract) -> tuple[Path, int]:
    """The address of a product's gold table, and its newest version.

    Raises:
        LakeError: The model has not been built.
    """
    address = tables.model(settings, "gold", contract.model)
    version = delta.version_of(address)
    if version is None:
        raise LakeError(
            Problem(str(address), "the model has not been built", "Run 'sjostad build' first.")
        )
    return address, version

"""dbt's manifest of this project: written when a model has changed, read where lineage is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from lakehouse.errors import LakeError, Problem
from lakehouse.settings import PROJECT

DBT: Final = PROJECT / "dbt"
MANIFEST: Final = DBT / "target" / "manifest.json"

Nodes = Mapping[str, Mapping[str, Any]]
"""Models, tests and the like by dbt's id."""


def write_if_stale() -> None:
    """Let dbt write its manifest, if there is none or the project has changed since.

    Raises:
        LakeError: dbt cannot parse its project.
    """
    if _is_stale():
        _parse()


def nodes() -> Nodes:
    """The nodes of the manifest, as the project now is.

    Raises:
        LakeError: dbt cannot parse its project.
    """
    write_if_stale()
    return _nodes(MANIFEST.stat().st_mtime_ns)


def require() -> Path:
    """Where the manifest is.

    Raises:
        LakeError: dbt has not parsed the project yet.
    """
    if not MANIFEST.is_file():
        raise LakeError(
            Problem(str(MANIFEST), "dbt has not parsed its project", "Run 'sjostad prepare'.")
        )
    return MANIFEST


@cache
def _nodes(_written: int) -> Nodes:
    found: Nodes = json.loads(MANIFEST.read_bytes())["nodes"]
    return found


def _is_stale() -> bool:
    if not MANIFEST.is_file():
        return True
    made = MANIFEST.stat().st_mtime
    project = [
        path
        for path in DBT.rglob("*")
        if path.suffix in (".sql", ".yml") and MANIFEST.parent not in path.parents
    ]
    return any(path.stat().st_mtime > made for path in project)


def _parse() -> None:
    """In its own process, because dbt keeps global state."""
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "parse"]
    places = ["--project-dir", str(DBT), "--profiles-dir", str(DBT)]
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter
    if done.returncode != 0:
        raise LakeError(
            Problem(
                str(DBT), f"dbt cannot parse it:\n{done.stdout}{done.stderr}", "Mend the model."
            )
        )

"""The dbt project with one of its files changed in memory; nothing in the checkout is touched."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from benchmarks.sql_mutants.rules import Mutant, mutants_of
from lakehouse.settings import PROJECT, Settings

DBT = PROJECT / "dbt"
_PLANNING = frozenset({
    "first_build", "generate_schema_name", "lake_plan", "materialization_delta", "partitions",
    "parts", "plan_conditions", "publish_curated",
})  # fmt: skip
"""Macros about what is built, not about rows: builds in tests/integration hold them."""


class DbtProject:
    """The parsed project, its files and their mutants.

    Args:
        settings: The lake that dbt works on.
        target: Folder for what dbt writes.
    """

    def __init__(self, settings: Settings, target: Path) -> None:
        os.environ |= settings.as_environment()
        self._quietly = [
            *("--project-dir", str(DBT), "--profiles-dir", str(DBT), "--quiet", "--no-write-json"),
            *("--target-path", str(target), "--log-path", str(target), "--log-level", "none"),
            *("--log-level-file", "none"),
        ]
        self.manifest = dbtRunner().invoke(["parse", "--no-partial-parse", *self._quietly]).result

    def run(self, arguments: Iterable[str], manifest: Manifest) -> RunExecutionResult:
        """Run dbt in this process on a manifest; returns what became of each node.

        Raises:
            Exception: What dbt says if it did not come to that.
        """
        done = dbtRunner(manifest=manifest).invoke([*arguments, *self._quietly])
        if done.exception is not None and done.result is None:
            raise done.exception
        return done.result

    @cached_property
    def texts(self) -> dict[str, str]:
        """What stands in each file that is mutated, by what it is called."""
        models = {path.stem: path for path in sorted((DBT / "models").rglob("*.sql"))}
        macros = {
            f"macros/{path.stem}": path
            for path in sorted((DBT / "macros").glob("*.sql"))
            if path.stem not in _PLANNING
        }
        return {name: path.read_text("utf-8").strip() for name, path in (models | macros).items()}

    @cached_property
    def mutants(self) -> list[Mutant]:
        """Every mutant of every file."""
        types = self._column_types()
        return [one for file, text in self.texts.items() for one in mutants_of(file, text, types)]

    def _column_types(self) -> dict[str, str]:
        """Types of the columns that models promise; of names that have more than one, none."""
        found: dict[str, set[str]] = {}
        for node in self.manifest.nodes.values():
            for column in getattr(node, "columns", {}).values():
                found.setdefault(column.name, set()).add(str(column.data_type))
        return {name: one.pop() for name, one in found.items() if len(one) == 1}

    def with_mistake(self, mutant: Mutant) -> Manifest:
        """The manifest of the project with a mutant in it."""
        nodes, macros = dict(self.manifest.nodes), dict(self.manifest.macros)
        text = self.texts[mutant.file]
        if not mutant.file.startswith("macros/"):
            nodes[_model_id(mutant.file)] = node = copy.copy(nodes[_model_id(mutant.file)])
            node.raw_code = mutant.applied(text)
        else:
            macro, start = self._macro_at(mutant)
            macros[macro.unique_id] = changed = copy.copy(macro)
            end = start + len(macro.macro_sql)
            changed.macro_sql = mutant.applied(text)[start : end + len(mutant.after) - (
                mutant.end - mutant.start)]  # fmt: skip
        return self._manifest_with(nodes, macros)

    def _manifest_with(self, nodes: Mapping[str, Any], macros: Mapping[str, Any]) -> Manifest:
        changed = object.__new__(Manifest)  # copying one moves its fields
        changed.__dict__.update(vars(self.manifest))
        changed.nodes, changed.macros = nodes, macros
        # What has been looked up in the other one.
        changed._macros_by_name = changed._macros_by_package = None
        return changed

    def _macro_at(self, mutant: Mutant) -> tuple[Any, int]:
        text = self.texts[mutant.file]
        for macro in self.manifest.macros.values():
            if macro.original_file_path == f"{mutant.file}.sql" and macro.package_name == "sjostad":
                start = text.find(macro.macro_sql)
                if start >= 0 and start <= mutant.start < start + len(macro.macro_sql):
                    return macro, start
        raise LookupError(f"{mutant.name}: no macro stands there")

    def models_with(self, mutant: Mutant) -> list[str]:
        """The models whose SQL a mutant changes."""
        if not mutant.file.startswith("macros/"):
            return [mutant.file]
        names, grown = {self._macro_at(mutant)[0].name}, True
        while grown:
            asked = re.compile(
                r"\b(?:duckdb__)?(?:"
                + "|".join(sorted(one.removeprefix("duckdb__") for one in names))
                + r")\b"
            )
            more = {
                macro.name
                for macro in self.manifest.macros.values()
                if macro.package_name == "sjostad" and "spark" not in macro.original_file_path
                and asked.search(macro.macro_sql)
            }  # fmt: skip
            grown = not more <= names
            names |= more
        return [
            name
            for name, text in self.texts.items()
            if not name.startswith("macros/") and asked.search(text)
        ]

    def unit_tests_of(self, models: Iterable[str]) -> list[Any]:
        """The unit tests of models, in one order."""
        wanted = {_model_id(name) for name in models}
        return [
            test
            for _, test in sorted(self.manifest.unit_tests.items())
            if test.depends_on.nodes[0] in wanted
        ]


def _model_id(name: str) -> str:
    return f"model.sjostad.{name}"

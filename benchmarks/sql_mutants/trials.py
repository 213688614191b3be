"""What catches a mutant: the unit tests of models, a build with its data tests, or an audit."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import get_adapter_by_type
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import UnitTestDefinition
from dbt.task.test import TestRunner
from dbt_common.exceptions import DbtBaseException

from benchmarks.sql_mutants.project import DbtProject
from benchmarks.sql_mutants.rules import Mutant
from lakehouse.contracts import load_contracts
from lakehouse.settings import Settings
from quality import audit_product

_NEEDED = ("lake", "audits", "operations", "keys")
"""Folders of a home that builds and audits look into."""

Catcher = Literal["unit test", "error in a unit test", "error in a build", "data test", "audit"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a mutant.

    Attributes:
        mutant: The mutant.
        catcher: What caught it; None if nothing did.
        said: The test or check that did.
        seconds: How long it took.
    """

    mutant: Mutant
    catcher: Catcher | None
    said: str
    seconds: float


class UnitTests:
    """dbt's unit tests, one after the other in one connection, until the first that fails.

    dbt's own runner judges each of them. A run of dbt for each mutant would spend two seconds on
    what is the same for all.

    Args:
        project: The project, parsed for a lake in which every model has been built.
    """

    def __init__(self, project: DbtProject) -> None:
        self.project = project
        DuckDBConnectionManager.close_all_connections()  # else it may be another lake's
        # Opens the lake, and registers the adapter with all that it needs.
        project.run(["test", "--select", "portal_utan_anvandning,test_type:unit"],
                       project.manifest)  # fmt: skip
        self._adapter = get_adapter_by_type("duckdb")
        self._caught: Counter[str] = Counter()

    def control(self, models: Iterable[str]) -> list[str]:
        """The unit tests of models that fail, or are wrong, without a mutant."""
        tests = self.project.unit_tests_of(models)
        told = ((test, self._run(test, self.project.manifest)) for test in tests)
        return [test.name for test, failure in told if failure]

    def trial(self, mutant: Mutant, without: Iterable[str] = ()) -> Trial:
        """Run the unit tests of the models that a mutant changes.

        Args:
            mutant: The mutant.
            without: Models whose unit tests are left out.
        """
        began = time.perf_counter()
        changed = self.project.with_mistake(mutant)
        models = set(self.project.models_with(mutant)) - set(without)
        # What catches one mistake of a model often catches the next: those come first.
        tests = self.project.unit_tests_of(models)
        for test in sorted(tests, key=lambda one: -self._caught[one.name]):
            catcher = self._run(test, changed)
            if catcher:
                self._caught[test.name] += 1
                return Trial(mutant, catcher, test.name, time.perf_counter() - began)
        return Trial(mutant, None, "", time.perf_counter() - began)

    def _run(self, test: UnitTestDefinition, manifest: Manifest) -> Catcher | None:
        try:
            with self._adapter.connection_named(test.unique_id):
                result = TestRunner(self._adapter.config, self._adapter, test, 1, 1).execute(
                    test, manifest
                )
        except DbtBaseException:
            return "error in a unit test"
        return None if result.status == "pass" else "unit test"


class Builds:
    """Builds of a mutant's models and their children in a copy of a lake, then audits.

    Args:
        project: The project, parsed for the lake.
        settings: A lake that has been built and audited.
        folder: Where its copy may stand.
    """

    def __init__(self, project: DbtProject, settings: Settings, folder: Path) -> None:
        self.project = project
        self.settings = settings
        self.folder = folder
        self.contracts = load_contracts(settings.contracts)
        logging.getLogger("great_expectations").setLevel(logging.WARNING)

    def trial(self, mutant: Mutant | None) -> Trial:
        """Build and audit with a mutant in it, or, as the control, everything without one."""
        began = time.perf_counter()
        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        for name in _NEEDED:
            if (self.settings.home / name).is_dir():
                shutil.copytree(self.settings.home / name, home / name)
        catcher, said = self._look(mutant, replace(self.settings, home=home))
        DuckDBConnectionManager.close_all_connections()
        shutil.rmtree(home)
        return Trial(mutant, catcher, said, time.perf_counter() - began)  # type: ignore[arg-type]

    def _look(self, mutant: Mutant | None, settings: Settings) -> tuple[Catcher | None, str]:
        DuckDBConnectionManager.close_all_connections()
        os.environ |= settings.as_environment()
        manifest, chosen = self.project.manifest, ["sjostad"]
        if mutant:
            manifest = self.project.with_mistake(mutant)
            chosen = [f"{name}+" for name in self.project.models_with(mutant)]
        done = self.project.run(
            ["build", "--fail-fast", "--full-refresh", "--select", *chosen,
             "--exclude", "test_type:unit"],
            manifest,
        )  # fmt: skip
        for one in done.results:
            if one.status == "fail":
                return "data test", one.node.name
            if one.status == "error":
                return "error in a build", f"{one.node.name}: {str(one.message).strip()}"
        built = {one.node.name for one in done.results if one.node.resource_type == "model"}
        for product in self.contracts.products.values():
            if product.model in built:
                verdict = audit_product(settings, product)
                if not verdict.passed:
                    return "audit", f"{product.id}: {verdict.reasons[0]}"
        return None, ""

"""How many mistakes in the SQL of silver and gold are caught, and by what.

A mutant is a model, or a macro, with one small mistake in it (`rules.py`). It is caught by the
first of: unit tests of the models that it changes; a build of them and of their children with data
tests and contracts, in a copy of a sample city; the audits of products made from those. Mutants
that no input can tell are listed with the reason (`equivalent.yaml`) and counted apart.

Run: python -m benchmarks.sql_mutants [--all | --count 100 --seed 1] [--only luftkvalitet_dygn]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.sql_mutants.equivalents import accepted, reasons
from benchmarks.sql_mutants.project import DbtProject
from benchmarks.sql_mutants.rules import Mutant
from benchmarks.sql_mutants.trials import Builds, Trial, UnitTests
from lakehouse.settings import PROJECT, Settings


def sampled(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Mutants of every file, as many as its share of all, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    chosen = []
    for file in dict.fromkeys(one.file for one in mutants):
        of_file = [one for one in mutants if one.file == file]
        share = max(1, round(count * len(of_file) / len(mutants)))
        chosen += chance.sample(of_file, min(share, len(of_file)))
    return sorted(chosen, key=mutants.index)


def sample_city(home: Path, console: Console) -> None:
    """Deliver, build, audit and publish the sample city."""
    console.print("building the sample city, some two minutes")
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run", "--sample"],
        cwd=PROJECT,
        env={**os.environ, "SJOSTAD_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def tried(
    project: DbtProject, mutants: Sequence[Mutant], tier: Builds | None, console: Console
) -> list[Trial]:
    """Each mutant against the unit tests, then those that survived against builds and audits."""
    units = UnitTests(project)
    touched = {name for one in mutants for name in project.models_with(one)}
    if failing := units.control(touched):
        raise SystemExit(f"these unit tests fail without a mutant: {', '.join(failing)}")
    trials = {one: units.trial(one) for one in track(mutants, "unit tests", console=console)}
    survived = [one for one in mutants if trials[one].catcher is None]
    excused = reasons(survived, accepted())
    survived = [one for one in survived if one not in excused]
    if tier and survived:
        if (control := tier.trial(None)).catcher:
            raise SystemExit(f"the build fails without a mutant: {control.said}")
        for one in track(survived, "builds and audits", console=console):
            trials[one] = tier.trial(one)
    return list(trials.values())


def report(trials: Sequence[Trial], console: Console) -> float:
    """Print what was caught by what; returns the share of mutants that some input could tell."""
    whys = reasons([one.mutant for one in trials if one.catcher is None], accepted())
    counted = [one for one in trials if one.mutant not in whys]
    _print_table(counted, console)
    for mutant, why in whys.items():
        console.print(f"equivalent  {mutant.name}\n            {why}", markup=False)
    for one in counted:
        if one.catcher is None:
            console.print(f"survived  {one.mutant.name}\n          {one.mutant.code}", markup=False)
    caught = sum(one.catcher is not None for one in counted)
    by_words = sum(one.catcher in ("error in a unit test", "error in a build") for one in counted)
    mean = sum(one.seconds for one in trials) / max(1, len(trials))
    console.print(
        f"{len(trials)} mutants, {len(whys)} of them equivalent; {caught} of {len(counted)} caught "
        f"({caught / max(1, len(counted)):.1%}); {by_words} of those are no valid SQL, "
        f"{(caught - by_words) / max(1, len(counted) - by_words):.1%} of the others; "
        f"{mean:.2f} s a mutant"
    )
    return caught / max(1, len(counted))


def _print_table(counted: Sequence[Trial], console: Console) -> None:
    catchers = ("unit test", "error in a unit test", "data test", "error in a build", "audit")
    table = Table("rule", *catchers, "survived", "all")
    for column in table.columns[1:]:
        column.justify = "right"
    for rule in (*sorted({one.mutant.rule for one in counted}), ""):
        found = Counter(one.catcher for one in counted if not rule or one.mutant.rule == rule)
        numbers = [found[name] for name in catchers]  # type: ignore[index]
        table.add_row(rule or "all", *map(str, (*numbers, found[None], found.total())))
    console.print(table)


def main() -> None:
    """Make mutants, try them and print what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every mutant there is")
    parser.add_argument("--count", type=int, default=100, help="about so many, of every file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="a model, or macros/ and a file of macros")
    parser.add_argument("--units-only", action="store_true", help="no builds and audits")
    parser.add_argument("--lake", type=Path, help="home of a sample city that has been built")
    asked = parser.parse_args()
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        home = asked.lake or folder / "city"
        if not asked.lake:
            sample_city(home, console)
        settings = Settings.from_environment({}, home=home)
        project = DbtProject(settings, folder / "target")
        mutants = [one for one in project.mutants if not asked.only or one.file in asked.only]
        if not asked.all and not asked.only:
            mutants = sampled(mutants, asked.count, asked.seed)
        tier = None if asked.units_only else Builds(project, settings, folder)
        report(tried(project, mutants, tier, console), console)


if __name__ == "__main__":
    main()

"""What one more audience costs, as it is estimated and as it is.

The estimate is what `gold.delningskostnad_dygn` would tell: processor seconds of gate, release and
portal of the product as it is shared now. Then the product gets four more contracts, for other
audiences, and everything is published again from the same lake: a quarter of what that takes more
is the truth.

Run: python -m benchmarks.one_more_audience [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from lakehouse import delta, tables
from lakehouse.settings import PROJECT, Settings
from sample_city import generate

PRODUCTS = ("luftkvalitet_timme", "trafikflode_kvart")
MORE = 4
"""Audiences that are added at a time: one alone would be lost in the noise of a whole run."""


def run(settings: Settings, *words: str) -> float:
    """Run a command on a lake; its processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *words],
        cwd=PROJECT,
        env={**os.environ, **settings.as_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def metered(settings: Settings, product: str) -> float:
    """Processor seconds of gate, release and portal of a product."""
    table = delta.open_table(tables.metering(settings)).to_pyarrow_table()
    stages = ("audit", "sharing", "release", "portal")
    found = [
        float(row["processor_s"])
        for row in table.to_pylist()
        if row["subject"] == product and row["stage"] in stages
    ]
    return sum(found)


def add_audience(contracts: Path, product: str, number: int) -> Path:
    """One more contract about the same model, for the city's own use."""
    text = (contracts / "products" / f"{product}.yaml").read_text("utf-8")
    name = f"{product}_intern_{number}"
    text = text.replace(f"id: {product}\n", f"id: {name}\n", 1)
    other = contracts / "products" / f"{name}.yaml"
    other.write_text(text.replace("audience: open", "audience: internal"), "utf-8")
    return other


def published(built: Path, folder: Path, contracts: Path) -> tuple[float, Settings]:
    """Publish from a copy of a lake that is built: its processor seconds, and the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built, folder, symlinks=True)
    settings = Settings.from_environment({}, home=folder, contracts=contracts)
    return run(settings, "publish"), settings


def main() -> None:
    """Print estimate and truth for each product."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contracts, built = folder / "contracts", folder / "built"
        shutil.copytree(PROJECT / "contracts", contracts)
        settings = Settings.from_environment({}, home=built, contracts=contracts)
        generate(settings.inbox)
        run(settings, "ingest")
        run(settings, "build")
        alone: list[float] = []
        estimates: dict[str, list[float]] = {product: [] for product in PRODUCTS}
        truths: dict[str, list[float]] = {product: [] for product in PRODUCTS}
        for _ in range(rounds):
            took, lake = published(built, folder / "home", contracts)
            alone.append(took)
            for product in PRODUCTS:
                estimates[product].append(metered(lake, product))
                others = [add_audience(contracts, product, number) for number in range(MORE)]
                more, _ = published(built, folder / "home", contracts)
                for other in others:
                    other.unlink()
                truths[product].append((more - took) / MORE)
    print(f"publishing everything: {median(alone):.2f} processor seconds")
    for product in PRODUCTS:
        estimate, truth = median(estimates[product]), median(truths[product])
        spread = f"{min(truths[product]):.2f}-{max(truths[product]):.2f}"
        print(f"{product}: estimated {estimate:.2f}, in truth {truth:.2f} ({spread}) more")


if __name__ == "__main__":
    main()

"""Wrong data over sixty days of history: what the audit catches, and what it did by contract alone.

A mutant is caught if the audit does not pass. One that is only told as a warning is counted apart.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from lakehouse.contracts import Contracts
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict
from quality import audit_product
from quality.audit.disclosed import EXPECTATION
from quality.audit.keys import EXPECTATION as IN_TWO
from tests.unit.publishing.lake import OTHER, PRODUCT, lake_settings
from tests.unit.quality.dated import MADE, at, days, put

HISTORY = 60
DATES = days(HISTORY + 2)
OLD, YESTERDAY, NEW = DATES[30], DATES[HISTORY - 1], DATES[HISTORY]
"""A day long audited, the last one audited, and the new one; one more has just begun."""

Frames = dict[date, pd.DataFrame]
Mutate = Callable[[Frames], Frames | None]
"""What the days to write become; None for one that is gone altogether."""

NUMBERS = {
    PRODUCT: ["pm10_ug_m3", "pm2_5_ug_m3", "no2_ug_m3", "readings", "longitude"],
    OTHER: ["energy_kwh", "readings"],
}
TEXTS = {PRODUCT: ["station_name", "district"], OTHER: ["place_name", "district"]}
SWAPS = {
    PRODUCT: [("pm10_ug_m3", "no2_ug_m3"), ("pm2_5_ug_m3", "no2_ug_m3"),
              ("longitude", "latitude"), ("station_name", "district")],
    OTHER: [("energy_kwh", "readings"), ("place_name", "district"), ("meter_id", "place_name")],
}  # fmt: skip


def on(day: date, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Mutate:
    return lambda frames: {**frames, day: change(frames[day].copy())}


def of_column(name: str) -> Iterator[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    yield "null", lambda rows: rows.assign(**{name: None})
    yield "constant", lambda rows: rows.assign(**{name: rows[name].iloc[0]})


def of_number(name: str) -> Iterator[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    yield from of_column(name)
    yield "x1000", lambda rows: rows.assign(**{name: rows[name] * 1000})

    def out_of_range(rows: pd.DataFrame) -> pd.DataFrame:
        rows.iloc[7, rows.columns.get_loc(name)] = 10**7
        return rows

    yield "out of range", out_of_range


def shifted(rows: pd.DataFrame, hours: int) -> pd.DataFrame:
    return rows.assign(hour_start=rows["hour_start"] + timedelta(hours=hours))


def of_rows() -> Iterator[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    yield "half of the rows", lambda rows: rows.iloc[::2]
    yield "the second half lost", lambda rows: rows[rows["hour_start"].dt.hour < 12]
    yield "rows twice", lambda rows: pd.concat([rows, rows])
    yield "an hour later", lambda rows: shifted(rows, 1)
    yield "an hour earlier", lambda rows: shifted(rows, -1)
    yield "a year later", lambda rows: shifted(rows, 24 * 365)

    def timeless(rows: pd.DataFrame) -> pd.DataFrame:
        times = rows["hour_start"].astype(object)
        times.iloc[3] = None
        return rows.assign(hour_start=times)

    yield "no time", timeless


def stale(day: date, source: date) -> Mutate:
    def copy(frames: Frames) -> Frames:
        return {**frames, day: shifted(frames[source], 24 * (day - source).days)}

    return copy


def of_day(product: str) -> Iterator[tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    for name in NUMBERS[product]:
        for what, change in of_number(name):
            yield f"{what}: {name}", change
    for name in TEXTS[product]:
        for what, change in of_column(name):
            yield f"{what}: {name}", change
    for one, other in SWAPS[product]:
        yield f"swapped: {one} and {other}", partial(swapped, one=one, other=other)
    yield from of_rows()


def swapped(rows: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    return rows.assign(**{one: rows[other], other: rows[one]})


def mutants(product: str) -> Iterator[tuple[str, date, Mutate]]:
    for day in (NEW, OLD):
        for what, change in of_day(product):
            yield what, day, on(day, change)
    yield "stale copy", NEW, stale(NEW, YESTERDAY)
    yield "stale copy of a week ago", NEW, stale(NEW, DATES[HISTORY - 7])
    for gone in (DATES[0], OLD, YESTERDAY):
        yield "partition lost", gone, lambda frames: None
    yield "never came", NEW, lambda frames: None


@pytest.fixture(scope="module")
def lake(tmp_path_factory, contracts) -> tuple[Settings, dict[str, Frames]]:
    """Both products with sixty audited days, the last of them whole."""
    settings = lake_settings(tmp_path_factory.mktemp("mutants"))
    made = {product: MADE[product](DATES) for product in (PRODUCT, OTHER)}
    for product, frames in made.items():
        history = {day: frames[day] for day in DATES[:HISTORY]}
        put(settings, history, product)
        verdict = audit_product(settings, contracts.product(product), at(YESTERDAY, 1))
        assert verdict.passed, verdict.reasons
    return settings, made


def audited(
    lake: tuple[Settings, dict[str, Frames]], folder: Path, contracts: Contracts,
    product: str, day: date, mutate: Mutate,
) -> Verdict:  # fmt: skip
    """The audit of a copy of the lake into which a mutant, and the newest days, have come."""
    kept, made = lake
    settings = lake_settings(folder)
    shutil.copytree(kept.home, settings.home)
    became = mutate(dict(made[product]))
    last = DATES[HISTORY + 1]
    begun = made[product][last].iloc[::2]
    coming = {one: (became or made[product])[one] for one in dict.fromkeys((NEW, day))}
    if became is None and day == NEW:
        del coming[NEW]
    address, _ = put(settings, {**coming, last: begun}, product)
    if became is None and day != NEW:
        DeltaTable(str(address)).delete(f"partition_date = '{day}'")
    verdict = audit_product(settings, contracts.product(product), at(NEW, 13))
    shutil.rmtree(settings.home)
    return verdict


def by_contract(verdict: Verdict) -> bool:
    """What the audit before would have said: the contract's own checks, on the whole table."""
    checks = [
        one
        for one in verdict.checks
        if one.expectation.startswith("expect_") or one.expectation in (IN_TWO, EXPECTATION)
    ]
    return all(one.passed or one.severity == "warning" for one in checks)


def test_clean_days_pass(lake, tmp_path, contracts):
    for product in (PRODUCT, OTHER):
        folder = tmp_path / product
        verdict = audited(lake, folder, contracts, product, NEW, lambda frames: frames)
        assert verdict.passed
        assert [one for one in verdict.checks if not one.passed] == []


@pytest.mark.slow
def test_nineteen_of_twenty_mutants_are_caught(lake, tmp_path, contracts, capsys):
    caught, told, missed, before, total = 0, [], [], 0, 0
    for product in (PRODUCT, OTHER):
        for number, (what, day, mutate) in enumerate(mutants(product)):
            verdict = audited(
                lake, tmp_path / f"{product}-{number}", contracts, product, day, mutate
            )
            total += 1
            caught += not verdict.passed
            before += not by_contract(verdict)
            if verdict.passed:
                name = f"{product}, {day}: {what}"
                is_told = any(not one.passed for one in verdict.checks)
                (told if is_told else missed).append(name)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{total} mutants: {caught} caught ({caught / total:.1%}), {len(told)} told as "
            f"warnings {told}, {len(missed)} missed {missed}; by contract alone {before} "
            f"({before / total:.1%})\n"
        )
    assert total >= 80
    assert caught / total >= 0.95
    assert before / total < 0.8, "the control: the contract alone must not catch them, too"

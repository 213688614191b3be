"""The locks of home care through the lake: counted a second time by hand, and told to nobody."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quality import audit_product
from quality.audit.small_groups.changed import EXPECTATION
from sample_city.chance import seeded
from tests.flow import Lake, reading

pytestmark = pytest.mark.slow
LOCKS, TABLE = "smarta_las", "gold.smarta_las_dygn"
BUILD = ("--select", "+smarta_las_dygn")
DISTRICTS = ("Gamla stan", "Kista", "Kungsholmen", "Norrmalm", "Södermalm", "Östermalm")
ZONE = ZoneInfo("Europe/Stockholm")
# Around go-live, where partitions become days, and the night in which clocks go back.
SPANS = datetime(2025, 12, 30, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)

Told = dict[tuple[str, datetime], dict[str, object]]


def _news(rng: random.Random) -> Told:
    """Events of a batch, by lock and time; times of other batches come again, corrected."""
    told: Told = {}
    for start in SPANS:
        for _ in range(160):
            lock = rng.randrange(18)
            when = start + rng.randrange(48) * timedelta(hours=1)
            area = rng.choice(("Södermalm", "Södermalm", "Kista", "Sodermalm", None))
            told[f"LAS-{lock}", when] = {
                "event": rng.choice(("öppnat", "öppnat", "öppnat", "nekat", "status")),
                "battery": rng.choice((10, 15, 80, None)),
                "area": "Norrmalm" if lock < 4 else area,
            }
    return told


def _rows(told: Told) -> list[dict[str, object]]:
    return [
        reading(lock, channel, when, value if channel == "battery" else None,
                text=None if channel == "battery" else value)
        for (lock, when), values in told.items()
        for channel, value in values.items() if value is not None
    ]  # fmt: skip


def _told_of(locks: dict[str, int], others: int) -> int | None:
    """A sum over locks, if five stand behind it; zero only if five others might have had some."""
    count = sum(locks.values())
    return count if len(locks) >= 5 or (not count and others >= 5) else None


def _expected(known: Told) -> list[tuple[object, ...]]:
    """The rows of the product without its partitions, counted one by one."""
    by_day: dict[tuple[str, date], list] = defaultdict(list)
    days = set()
    for (lock, when), values in known.items():
        day = when.astimezone(ZONE).date()
        days.add(day)
        by_day[str(values.get("area")), day].append((when, lock, values))
    rows = []
    for area in DISTRICTS:
        for day in days:
            opened, refused, battery = defaultdict(int), defaultdict(int), {}
            for _, lock, values in sorted(by_day[area, day], key=lambda one: one[:2]):
                opened[lock] += values["event"] == "öppnat"
                refused[lock] += values["event"] == "nekat"
                if values.get("battery") is not None:
                    battery[lock] = values["battery"]
            used = {lock: count for lock, count in opened.items() if count}
            no = {lock: count for lock, count in refused.items() if count}
            low = dict.fromkeys((lock for lock, level in battery.items() if level < 20), 1)
            numbers = (
                _told_of(dict.fromkeys(used, 1), len(used)),
                _told_of(used, len(used)),
                _told_of(no, len(used)),
                _told_of(low, min(len(used), len(battery))),
            )
            rows.append((area, day, *numbers, None in numbers))
    return sorted(rows, key=str)


def _found(lake: Lake) -> list[tuple[object, ...]]:
    return sorted((row[:-1] for row in lake.rows(TABLE)), key=str)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_deliveries_give_what_is_counted_by_hand(lake: Lake, seed):
    """Late, repeated and corrected events in builds of their own; and the same built at once."""
    rng, known = seeded(seed, "locks"), {}
    for _ in range(3):
        told = _news(rng)
        lake.land(LOCKS, _rows(told))
        for key, values in told.items():
            said = {name: value for name, value in values.items() if value is not None}
            known[key] = known.get(key, {}) | said
        lake.build(*BUILD)
        assert _found(lake) == _expected(known)
    told_of = [row for row in _found(lake) if row[0] == "Södermalm"]
    assert {row[-1] for row in told_of} == {True, False}
    assert all(row[2:] == (None,) * 4 + (True,) for row in _found(lake) if row[0] == "Norrmalm")
    before = lake.versions()
    lake.land(LOCKS, _rows(told))  # told once more: nothing is another
    lake.build(*BUILD)
    assert _found(lake) == _expected(known)
    assert lake.written_since(TABLE, before[TABLE]) == set()
    lake.build(*BUILD, "--full-refresh")
    assert _found(lake) == _expected(known)


def test_another_division_of_the_city_counts_its_past_anew(lake: Lake):
    when = datetime(2026, 1, 3, 8, tzinfo=UTC)
    events = {(f"LAS-{n}", when): {"event": "öppnat", "area": "Hagsätra"} for n in range(5)}
    lake.land(LOCKS, _rows(events))
    lake.build(*BUILD)
    assert [row[0] for row in _found(lake)] == [*DISTRICTS]
    assert {row[3] for row in _found(lake)} == {None}
    path = lake.settings.contracts / "vocabulary" / "districts.geojson"
    path.write_text(path.read_text("utf-8").replace('"Kista"', '"Hagsätra"'), "utf-8")
    lake.write_reference()
    lake.build(*BUILD)
    assert [row[3] for row in _found(lake) if row[0] == "Hagsätra"] == [5]


def test_a_late_event_of_one_home_is_told_of(lake: Lake):
    """Not by whom or when: which numbers, and how many of them."""
    product = lake.contracts.product("smarta_las_dygn")
    when = datetime(2026, 1, 3, 8, tzinfo=UTC)

    def audited(locks: range) -> dict[str | None, int]:
        told = {(f"LAS-{n}", when): {"event": "öppnat", "area": "Kista"} for n in locks}
        lake.land(LOCKS, _rows(told))
        lake.build(*BUILD)
        verdict = audit_product(lake.settings, product, datetime(2026, 1, 5, 8, tzinfo=UTC))
        assert verdict.passed, verdict.reasons
        return {check.column: check.unexpected for check in verdict.checks
                if check.expectation == EXPECTATION and not check.passed}  # fmt: skip

    assert audited(range(6)) == {}
    assert audited(range(6, 7)) == {"locks_used": 1, "openings": 1}
    assert audited(range(7, 12)) == {}

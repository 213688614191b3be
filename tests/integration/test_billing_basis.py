"""The billing basis of shore power: what was drawn, and what was known of it at any time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.flow import METERS, Lake, reading

pytestmark = pytest.mark.slow

TABLE = "gold.landstrom_debiteringsunderlag"
MODEL = ("--select", "landstrom_debiteringsunderlag")
QUAY = "vartahamnen/kaj1"
BEGAN = datetime(2026, 3, 1, 20, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 3, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SEEN = "interval_start, interval_end, register_start_kwh, register_end_kwh, energy_kwh, status"

Reading = dict[str, object]


def shown(quarter: float, kwh: float, **more: object) -> Reading:
    """What the register shows some quarters of an hour after the beginning."""
    return reading(QUAY, "energi_kwh", BEGAN + quarter * QUARTER, kwh, **more)


def receive(lake: Lake, day: int, rows: Sequence[Reading]) -> datetime:
    """Land rows that were received on a day, and build."""
    when = RECEIVED + timedelta(days=day)
    lake.land(METERS, [row | {"_received_at": when} for row in rows])
    lake.build(*MODEL)
    return when


def known_at(lake: Lake, when: datetime) -> list[tuple]:
    """What was known at a time."""
    rows = lake.rows(TABLE, f"known_from, known_to, datastream_id, {SEEN}")
    found = [
        row[3:]
        for row in rows
        if row[2] == f"{METERS}/{QUAY}/energi_kwh"
        and row[0] <= when
        and (row[1] is None or when < row[1])
        and row[4] >= BEGAN
    ]
    return sorted(found, key=lambda row: row[1])


def energies(rows: list[tuple]) -> list[float | None]:
    return [row[4] for row in rows]


def test_a_correction_keeps_what_was_known_before(lake):
    first = receive(lake, 0, [shown(0, 100), shown(1, 110), shown(2, 130)])
    was = known_at(lake, first)
    assert energies(was) == [None, 10, 20]
    assert [row[-1] for row in was] == ["no_start", "measured", "measured"]
    second = receive(lake, 1, [shown(1, 115)])
    assert energies(known_at(lake, second)) == [None, 15, 15]
    assert known_at(lake, first) == was
    assert known_at(lake, second - timedelta(seconds=1)) == was
    assert known_at(lake, first - timedelta(seconds=1)) == []


def test_a_late_reading_parts_an_interval_and_the_sum_stays(lake):
    first = receive(lake, 0, [shown(0, 100), shown(3, 130)])
    second = receive(lake, 1, [shown(1, 108), shown(2, 119)])
    assert energies(known_at(lake, first)) == [None, 30]
    assert energies(known_at(lake, second)) == [None, 8, 11, 11]


def test_what_is_missing_is_never_zero(lake):
    """A day without a link, a reset, a bad reading, and a meter that truly used nothing."""
    registers = {0: 100, 97: 500, 98: 500, 99: 3, 100: 5, 102: 9}
    rows = [shown(quarter, kwh) for quarter, kwh in registers.items()]
    when = receive(lake, 0, [*rows, shown(101, 7, quality="bad")])
    found = known_at(lake, when)
    assert [(row[4], row[5]) for row in found] == [
        (None, "no_start"), (None, "no_start"), (0, "measured"), (None, "reset"), (2, "measured"),
        (4, "measured"),
    ]  # fmt: skip
    assert found[-1][0] == BEGAN + 100 * QUARTER, "over the bad reading the register counts on"


def test_a_reading_that_is_found_bad_later_is_taken_back(lake):
    first = receive(lake, 0, [shown(0, 100), shown(1, 110), shown(2, 130)])
    second = receive(lake, 1, [shown(1, 110, quality="bad")])
    assert energies(known_at(lake, first)) == [None, 10, 20]
    assert energies(known_at(lake, second)) == [None, 30]


def test_the_source_s_own_time_of_change_decides_as_it_does_in_silver(lake):
    """A revision that is received last may be the older one: then it changes nothing."""
    changed = BEGAN + timedelta(hours=9)
    newer = shown(1, 120, result_time=changed)
    first = receive(lake, 0, [shown(0, 100), newer])
    second = receive(lake, 1, [shown(1, 110, result_time=changed - timedelta(hours=1))])
    assert energies(known_at(lake, first)) == energies(known_at(lake, second)) == [None, 20]
    lake.build("--select", "observation")
    assert (newer["phenomenon_time"], 120.0) in lake.rows(
        "silver.observation", "phenomenon_time, result"
    )


def test_any_deliveries_are_remembered_as_they_were_known(lake):
    """Readings in any order, with corrections, over midnight: nine builds of what is new.

    What was known at each stays known after all that follows, is that of a build from nothing, and
    agrees with what plain Python makes of the readings received until then.
    """
    chance = random.Random(20261126)  # noqa: S311
    received: list[Reading] = []
    moments: list[tuple[datetime, list[tuple]]] = []
    for day in range(9):
        quarters = chance.sample(range(40), chance.randint(1, 12))
        rows = [
            shown(quarter, quarter * 10 + chance.randint(0, 6),
                  quality=chance.choice(["good", "good", "good", "bad"]))
            for quarter in quarters
        ]  # fmt: skip
        received += rows
        when = receive(lake, day, rows)
        found = known_at(lake, when)
        assert found == by_hand(received), day
        moments.append((when, found))
    for when, found in moments:
        assert known_at(lake, when) == found
    before = lake.rows(TABLE)
    lake.build(*MODEL, "--full-refresh")
    assert lake.rows(TABLE) == before
    good = [row for _, row in sorted(newest(received).items()) if row["quality"] == "good"]
    told = [row for row in moments[-1][1] if row[-1] == "measured"]
    falls = sum(max(0, one["value"] - after["value"]) for one, after in pairwise(good))
    resets = [row for row in moments[-1][1] if row[-1] == "reset"]
    between = sum(row[3] - row[2] for row in resets)
    assert falls == -between
    drawn = good[-1]["value"] - good[0]["value"] - between
    assert sum(row[4] for row in told) == pytest.approx(drawn)


def newest(received: Sequence[Reading]) -> dict[datetime, Reading]:
    return {row["phenomenon_time"]: row for row in received}


def by_hand(received: Sequence[Reading]) -> list[tuple]:
    """What is known of the intervals, from the readings in the order they were received."""
    found: list[tuple] = []
    before: Reading | None = None
    for when, row in sorted(newest(received).items()):
        if row["quality"] != "good":
            continue
        if before is None:
            found.append((None, when, None, row["value"], None, "no_start"))
        else:
            drawn = row["value"] - before["value"]
            told = (drawn, "measured") if drawn >= 0 else (None, "reset")
            found.append((before["phenomenon_time"], when, before["value"], row["value"], *told))
        before = row
    return sorted(found, key=lambda row: row[1])

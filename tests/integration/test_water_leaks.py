"""Nights of water zones: a leak is found when it opens, and clocks that change open none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from lakehouse.duck import connect, delta_scan
from tests.flow import Lake, reading

pytestmark = pytest.mark.slow

WATER = "svoa_vatten"
NIGHTS, CANDIDATES = "gold.vattenzon_natt", "gold.vattenlacka_kandidater"
MODELS = ("--select", "+vattenlacka_kandidater")
CITY = ZoneInfo("Europe/Stockholm")
HOUR = timedelta(hours=1)
OCTOBER, MARCH = date(2026, 10, 25), date(2026, 3, 29)

Flow = Callable[[datetime], float]


def habit(when: datetime) -> float:
    """l/s that people draw by the clock on the wall, a little another on every day."""
    wall = when.astimezone(CITY)
    drawn = 3.0 if 1 <= wall.hour < 5 else 12.0
    return drawn + 0.1 * (wall.toordinal() * 7 % 5)


def flows(
    first: date, days: int, flow: Flow = habit, device: str = "ENS-01"
) -> Iterator[dict[str, object]]:
    """What a meter tells each half hour of local days; more of it, the inflow of Enskede."""
    begin = datetime(first.year, first.month, first.day, tzinfo=CITY).astimezone(UTC)
    end = begin + timedelta(days=days)
    while begin < end:
        yield reading(device, "flow", begin, flow(begin))
        begin += HOUR / 2


def told(lake: Lake, zone: str = "Enskede") -> dict[date, tuple[str, str]]:
    rows = lake.rows(CANDIDATES, "zone, night, status, reason")
    return {night: (status, reason) for one, night, status, reason in rows if one == zone}


@pytest.fixture
def plain(lake: Lake) -> Lake:
    """A zone of one meter: what goes on to Årsta and what is used is told by none."""
    lake.edit_contract(WATER, "outflow_of: Enskede, ", "")
    lake.edit_contract(WATER, "consumption_of: Enskede", "was_of: Enskede")
    lake.write_reference()
    return lake


def counted_by_the_clock(lake: Lake, window: str) -> dict[date, bool]:
    """The control: nights summed by hours on the wall, judged by the same rule.

    Returns:
        For each night with at least five before it, whether the rule would have spoken.
    """
    with connect() as connection:
        sums = connection.execute(
            f"""select cast(timezone('Europe/Stockholm', hour_start) as date) as night,
                sum(mean_value)
            from {delta_scan(lake.address("gold.observations_hourly"))}
            where datastream_id = 'svoa_vatten/ENS-01/flow' and {window}
            group by night order by night"""
        ).fetchall()
    alarms = {}
    for place, (night, total) in enumerate(sums):
        before = [earlier for _, earlier in sums[:place]]
        if len(before) >= 5:
            usual = median(before)
            spread = 4 * 1.4826 * median(abs(one - usual) for one in before)
            alarms[night] = total > usual + max(spread, 0.15 * usual, 0.5)
    return alarms


BY_THE_CLOCK = "hour(timezone('Europe/Stockholm', hour_start)) in (2, 3)"
TRUNCATED = """date_trunc('hour', timezone('Europe/Stockholm', hour_start))
    - date_trunc('day', timezone('Europe/Stockholm', hour_start)) between interval 2 hour
    and interval 3 hour"""


@pytest.mark.parametrize(("changes", "alarms_by_the_clock"), [(OCTOBER, [OCTOBER]), (MARCH, [])])
def test_the_night_on_which_clocks_change_is_a_night_like_any_other(
    plain, changes, alarms_by_the_clock
):
    """The control: hours counted by the clock cry wolf in October, so this test can fail."""
    first = changes - timedelta(days=8)
    plain.land(WATER, flows(first, 14))
    plain.build(*MODELS)
    found = told(plain)
    assert {found[first + timedelta(days=day)][0] for day in range(5)} == {"too_little_data"}
    judged = {night: said for night, said in found.items() if night >= first + timedelta(days=5)}
    assert len(judged) >= 8
    assert set(judged.values()) == {("normal", "within_history")}
    assert dict(plain.rows(NIGHTS, "night, hours_told"))[changes] == 2
    for window in (BY_THE_CLOCK, TRUNCATED):
        alarms = counted_by_the_clock(plain, window)
        assert [night for night, is_one in alarms.items() if is_one] == alarms_by_the_clock


def test_in_march_the_clock_would_have_hidden_a_leak(plain):
    """Of the two hours one is none, so a sum of half a night is as small as a leak is large."""
    first = MARCH - timedelta(days=8)
    begins = datetime(2026, 3, 28, 12, tzinfo=UTC)

    def leaking(when: datetime) -> float:
        return habit(when) + (2.5 if when >= begins else 0)

    plain.land(WATER, flows(first, 14, leaking))
    plain.build(*MODELS)
    found = told(plain)
    assert found[MARCH - timedelta(days=1)] == ("normal", "within_history")
    assert found[MARCH] == ("raised_minimum", "minimum_above_history")
    assert not counted_by_the_clock(plain, BY_THE_CLOCK)[MARCH]


def test_a_leak_stands_in_the_zone_it_is_in_and_only_nights_before_count(lake):
    """Water for Årsta flows through Enskede; what is lost there is not lost here."""
    lake.edit_contract(WATER, "consumption_of: ", "was_of: ")
    lake.write_reference()
    first, opens = date(2026, 6, 1), datetime(2026, 6, 8, 20, tzinfo=UTC)

    def into_arsta(when: datetime) -> float:
        return habit(when) / 2 + (3 if when >= opens else 0)

    def into_both(when: datetime) -> float:
        return habit(when) + into_arsta(when)

    def land(day: int, days: int) -> None:
        begin = first + timedelta(days=day)
        lake.land(WATER, [*flows(begin, days, into_both),
                          *flows(begin, days, into_arsta, "ENS-ARS")])  # fmt: skip
        lake.build(*MODELS)

    land(0, 9)
    leak = date(2026, 6, 9)
    # The ninth night has begun to be told, and the leak is known on its first morning.
    before = lake.rows(CANDIDATES)
    assert told(lake, "Årsta")[leak] == ("raised_minimum", "minimum_above_history")
    assert {status for night, (status, _) in told(lake, "Årsta").items()
            if date(2026, 6, 6) <= night < leak} == {"normal"}  # fmt: skip
    assert told(lake)[leak] == ("normal", "within_history")
    land(9, 4)
    after = lake.rows(CANDIDATES)
    assert [row for row in after if row in before] == before
    assert len(after) == len(before) + 8


def test_late_readings_judge_every_night_after_them_anew(plain):
    """Built day by day and in any order, the rows are those of a build of everything."""
    first = date(2026, 10, 19)
    lost = {datetime(2026, 10, 21, 0, 0, tzinfo=UTC) + n * HOUR / 2 for n in range(4)}
    rows = list(flows(first, 9))
    late = [row for row in rows if row["phenomenon_time"] in lost]
    plain.land(WATER, [row for row in rows if row not in late])
    plain.build(*MODELS)
    night = date(2026, 10, 21)
    assert told(plain)[night] == ("too_little_data", "hours_missing")
    assert told(plain)[night + timedelta(days=3)] == ("too_little_data", "few_earlier_nights")
    before = plain.versions()
    plain.land(WATER, late)
    plain.build(*MODELS)
    assert plain.written_since(NIGHTS, before[NIGHTS]) == {"2026-10-21"}
    assert told(plain)[night + timedelta(days=3)] == ("normal", "within_history")
    found = {table: plain.rows(table) for table in (NIGHTS, CANDIDATES)}
    plain.build(*MODELS, "--full-refresh")
    assert {table: plain.rows(table) for table in found} == found
    nothing_new = plain.versions()
    plain.build(*MODELS)
    assert plain.versions() == nothing_new


def test_what_is_older_than_four_weeks_is_history_no_more(plain):
    """A pipe that was laid anew makes an old history wrong; it fades."""
    plain.land(WATER, [*flows(date(2026, 5, 1), 6, lambda when: 10 * habit(when)),
                       *flows(date(2026, 6, 4), 7)])  # fmt: skip
    plain.build(*MODELS)
    earlier = dict(plain.rows(CANDIDATES, "night, earlier_nights"))
    assert earlier[date(2026, 5, 6)] == 5
    assert earlier[date(2026, 6, 3)] == 1
    assert [earlier[date(2026, 6, day)] for day in range(4, 11)] == [0, 1, 2, 3, 4, 5, 6]
    assert told(plain)[date(2026, 6, 10)] == ("normal", "within_history")

"""Days that are lost, missing, ahead of time, or none at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lakehouse.duck import connect
from quality.audit.periods import AHEAD, GAP, LOST, TIMED, Periods, check_periods, periods_of
from quality.audit.scope import since, whole
from quality.audit.times import Time, day_of, number_of, time_of
from tests.unit.quality.dated import air_days, days, put

TODAY = date(2026, 6, 1)
DAYS = [TODAY - timedelta(days=number) for number in range(100)]


def periods(*without: date, more: tuple[date, ...] = (), timeless: int = 0) -> Periods:
    rows = {day: 24 for day in (*DAYS, *more) if day not in without}
    newest = datetime(2026, 6, 1, 5, tzinfo=UTC)
    return Periods(rows, frozenset(rows), frozenset(), timeless, newest)


def failed(found):
    return {(one.expectation, one.severity) for one in found if not one.passed}


def test_whole_days_pass():
    assert failed(check_periods(periods(), DAYS, TODAY)) == set()


@pytest.mark.parametrize("gone", [DAYS[-1], DAYS[50], DAYS[0]])
def test_a_lost_day_is_critical(gone):
    found = check_periods(periods(gone), DAYS, TODAY)
    assert failed(found) == {(LOST, "critical")}
    (lost,) = [one for one in found if one.expectation == LOST]
    assert gone.isoformat() in lost.observed


def test_days_that_are_not_kept_may_go():
    found = check_periods(periods(DAYS[-1]), DAYS, TODAY, kept_from=DAYS[-2])
    assert failed(found) == set()


def test_a_new_gap_is_critical_and_an_old_one_is_known():
    history = DAYS[10:]
    assert failed(check_periods(periods(DAYS[3]), history, TODAY)) == {(GAP, "critical")}
    known = [day for day in DAYS if day != DAYS[50]]
    assert failed(check_periods(periods(DAYS[50]), known, TODAY)) == set()


def test_a_gap_is_a_warning_where_days_are_sparse_or_nobody_has_looked_before():
    sparse = periods(*DAYS[3:95:9])
    assert failed(check_periods(sparse, [DAYS[-1]], TODAY)) == {(GAP, "warning")}
    assert failed(check_periods(periods(DAYS[3]), [], TODAY)) == {(GAP, "warning")}


def test_a_day_that_the_contract_excepts_may_be_missing():
    assert failed(check_periods(periods(DAYS[3]), DAYS, TODAY, exceptions={DAYS[3]})) == set()


def test_rows_of_the_future_and_of_no_time_are_critical():
    tomorrow, after = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    assert failed(check_periods(periods(more=(tomorrow,)), DAYS, TODAY)) == set()
    ahead = check_periods(periods(more=(tomorrow, after)), DAYS, TODAY)
    assert failed(ahead) == {(AHEAD, "critical")}
    assert failed(check_periods(periods(timeless=2), DAYS, TODAY)) == {(TIMED, "critical")}


def test_a_table_of_the_present_has_no_days_to_lose():
    found = check_periods(periods(*DAYS[5:90], timeless=2), DAYS, TODAY, is_history=False)
    assert failed(found) == set()
    assert {one.expectation for one in found} == {AHEAD}  # where nothing was heard is no time


@pytest.mark.parametrize("kind", ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "DATE", "VARCHAR"])
@pytest.mark.parametrize("day", [date(1859, 12, 31), date(1970, 1, 1), date(2026, 3, 29)])
def test_the_day_of_a_time_is_its_utc_day(kind, day):
    time = Time("t", kind)
    with connect(extensions=()) as connection:
        for clock in ("00:00:00", "23:59:59.999999"):
            value = f"cast('{day} {clock}' as {kind})"
            query = f"select {time.day} from (select {value} as t)"
            ((number,),) = connection.execute(query).fetchall()
            assert day_of(number) == day
            assert number_of(day) == number


def test_what_the_log_tells_is_what_the_rows_say(settings):
    frames = air_days(days(6))
    address, version = put(settings, frames)
    scope = whole(address, version)
    with connect() as connection:
        time = time_of(connection, scope.relation, "hour_start")
        read = periods_of(connection, scope, time)
        changed = replace(scope, changed=frozenset({"2026-01-07"}))
        told = periods_of(connection, changed, time)
    assert told.days == read.days == {day: len(frame) for day, frame in frames.items()}
    assert told.newest == read.newest
    assert told.touched == {date(2026, 1, 7)}
    assert told.elsewhere == set(frames) - told.touched
    assert since(scope, None) == scope

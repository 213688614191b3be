"""A build of what is new gives the rows of a build of everything, and touches nothing else."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lakehouse import delta
from tests.flow import AIR, FOLLOWERS, LAMPS, METERS, Lake, reading

pytestmark = pytest.mark.slow

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
CURTAIN = datetime(2025, 1, 1, tzinfo=UTC)
AFTER = (NEW_YEAR, CURTAIN, NEW_YEAR + timedelta(days=3))
QUARTER = timedelta(minutes=15)
CUTS = int(os.environ.get("SJOSTAD_CUTS", "9"))
"""Deliveries at least that are built one after the other, in shares that are tests of their own."""
DELIVERIES_AT_LEAST = 3
EXAMPLES = 3
"""Lakes of a share, each of which takes its deliveries and is then held against a full refresh."""


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


# --- the same rows -------------------------------------------------------------------------

instants = st.builds(
    lambda anchor, quarters: anchor + quarters * QUARTER,
    st.sampled_from(AFTER),
    st.integers(-6, 6),
)
readings = st.builds(
    reading,
    device=st.sampled_from(["vartahamnen/kaj1", "vartahamnen/kaj2"]),
    channel=st.sampled_from(["energi_kwh", "effekt_w", "not_in_the_contract"]),
    when=instants,
    value=st.integers(0, 40).map(float),
    quality=st.sampled_from(["good", "good", "good", "bad"]),
    result_time=st.one_of(st.none(), instants),
)
air = st.builds(
    reading,
    device=st.sampled_from(["HORN-01", "unknown station"]),
    channel=st.sampled_from(["pm10", "no2"]),
    when=instants,
    value=st.integers(0, 40).map(float),
)
uplinks = st.builds(
    lambda device, when, frame, session: reading(
        device, "vdd", when, 3600 - frame,
        attributes=json.dumps({"session": session, "f_cnt": frame}, separators=(",", ":")),
    ),
    device=st.sampled_from(["a84041000181c001", "a84041000181c002"]),
    when=instants,
    frame=st.integers(0, 20),
    session=st.sampled_from(["x", "x", "y"]),
)  # fmt: skip
deliveries = st.lists(
    st.one_of(
        st.tuples(st.just(METERS), st.lists(readings, min_size=1, max_size=25)),
        st.tuples(st.just(AIR), st.lists(air, min_size=1, max_size=10)),
        st.tuples(st.just(LAMPS), st.lists(uplinks, min_size=1, max_size=10)),
    ),
    min_size=DELIVERIES_AT_LEAST,
    max_size=5,
)


@pytest.mark.parametrize("share", range(max(1, -(-CUTS // (EXAMPLES * DELIVERIES_AT_LEAST)))))
def test_any_deliveries_in_any_order_give_the_rows_of_a_full_refresh(built, tmp_path, share):
    """Late, repeated and corrected rows, before and after go-live, over three years."""
    home = tmp_path / "home"

    @seed(share)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],  # shrinking would take many minutes
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(batches=deliveries)
    def gives_the_rows_of_a_full_refresh(batches):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(built.settings.home, home)
        lake = Lake(replace(built.settings, home=home))
        for source_id, rows in batches:
            lake.land(source_id, rows)
            lake.build(*PRODUCTS)
        require_same_as_full_refresh(lake)

    gives_the_rows_of_a_full_refresh()


# --- only what is new ----------------------------------------------------------------------


def test_a_delivery_rewrites_its_own_day_and_the_hours_beside_it(lake):
    lake.land(METERS, [reading("vartahamnen/kaj1", "energi_kwh", at(5, hour), hour)
                       for hour in range(24)])  # fmt: skip
    lake.build()
    before = lake.versions()
    lake.land(METERS, [reading("vartahamnen/kaj1", "energi_kwh", at(2, 3, 10), 1140)])
    lake.build()
    since = {table: before[table] for table in FOLLOWERS}
    assert lake.written_since(FOLLOWERS[0], since[FOLLOWERS[0]]) == {"2026-01-02"}
    for table in FOLLOWERS[1:]:
        beside = lake.written_since(table, since[table])
        assert "2026-01-02" in beside or not lake.rows(table), table
        assert beside <= {"2026-01-01", "2026-01-02", "2026-01-03"}, table
    nothing_new = lake.versions()
    lake.build()
    assert lake.versions() == nothing_new


def test_late_history_goes_to_the_partition_of_its_year(lake):
    before = lake.versions()
    lake.land(AIR, [reading("HORN-01", "pm10", datetime(2024, 7, 1, tzinfo=UTC), 5)])
    lake.build(*PRODUCTS)
    assert lake.written_since("silver.observation", before["silver.observation"]) == {"2024-01-01"}
    # The year after is built again as well, and has no other rows than before.
    assert lake.written_since("gold.observations_hourly", before["gold.observations_hourly"]) == {
        "2024-01-01"
    }
    require_same_as_full_refresh(lake)


def test_news_that_no_model_uses_move_the_marks_and_no_row(lake):
    """A day on which only channels arrive that the contract does not name."""
    before = {table: lake.rows(table) for table in FOLLOWERS}
    lake.land(AIR, [reading("HORN-01", "not_in_the_contract", at(20), 1)])
    lake.build()
    assert {table: lake.rows(table) for table in FOLLOWERS} == before
    nothing_new = lake.versions()
    lake.build()
    assert lake.versions() == nothing_new


def test_a_full_refresh_of_the_same_rows_writes_no_row_anew(lake):
    lake.dbt("run", "--full-refresh")
    before = lake.versions()
    lake.dbt("run", "--full-refresh")
    assert lake.versions() == before


def test_parts_of_any_size_give_the_same_rows(lake):
    """Built over what is there, where they are compared, and from nothing, several at once."""
    small = ("--vars", "{rows_at_a_time: 10}", "--threads", "3")
    before = lake.versions()
    lake.build("--full-refresh", *small)
    assert lake.versions() == before
    rows = {table: lake.rows(table) for table in FOLLOWERS}
    for layer in ("silver", "gold"):
        shutil.rmtree(lake.settings.lake / layer)
    lake.build(*small)
    assert {table: lake.rows(table) for table in FOLLOWERS} == rows


# --- another meaning -----------------------------------------------------------------------


def test_a_corrected_unit_rebuilds_the_history_of_that_source_alone(lake):
    lake.land(METERS, [reading("vartahamnen/kaj1", "energi_kwh", at(20), 5000)])
    lake.build()
    before, rows = lake.versions(), observations(lake)
    lake.edit_contract(AIR, "value: ug/m3", "value: mg/m3")
    lake.write_reference()
    lake.build()
    after = observations(lake)
    assert after[AIR] == [1000 * value for value in rows[AIR]]
    assert after[METERS] == rows[METERS]
    assert "2026-01-20" not in lake.written_since(FOLLOWERS[0], before[FOLLOWERS[0]])
    require_same_as_full_refresh(lake)


def test_a_corrected_unit_counts_even_when_nothing_has_been_ingested_since(lake):
    """What is joined must be what the contracts say now, or the old meaning would stay for good."""
    rows = observations(lake)
    lake.edit_contract(AIR, "value: ug/m3", "value: mg/m3")
    lake.build(*PRODUCTS)
    assert observations(lake)[AIR] == [1000 * value for value in rows[AIR]]
    lake.edit_contract(AIR, "value: mg/m3", "value: ug/m3")  # it was right: that is news as well
    lake.build(*PRODUCTS)
    assert observations(lake)[AIR] == rows[AIR]


def test_another_go_live_date_is_refused(lake):
    other = Lake(replace(lake.settings, daily_from=date(2025, 1, 1)))
    before = lake.versions()
    said = other.dbt("run", succeeds=False)
    assert "SJOSTAD_DAILY_FROM" in said
    assert lake.versions() == before
    # What the message advises helps.
    for layer in ("silver", "gold"):
        shutil.rmtree(lake.settings.lake / layer)
    other.build()
    dates = {day for (day,) in other.rows("silver.observation", "partition_date::varchar")}
    assert "2025-12-31" in dates


@pytest.mark.parametrize("level", ["k: 2", "personalData: true"])
def test_readings_that_may_not_be_shared_leave_every_open_table(lake, level):
    assert observations(lake).keys() == {AIR, METERS, LAMPS}
    key, _, _ = level.partition(":")
    lake.edit_contract(AIR, {"k": "k: 0", "personalData": "personalData: false"}[key], level)
    lake.write_reference()
    lake.land(AIR, [reading("HORN-02", "pm10", at(9), 3)])
    lake.dbt("run")
    assert observations(lake).keys() == {METERS, LAMPS}
    assert lake.rows("silver.observation_restricted", "distinct source_id") == [(AIR,)]
    series = lake.rows("silver.datastream_restricted", "datastream_id, last_time")
    assert (f"{AIR}/HORN-02/pm10", at(9)) in series
    assert {one.partition("/")[0] for one, _ in series} == {AIR}
    tables = sorted(lake.settings.lake.glob("[sg][io]l*/*"))
    assert len(tables) >= 20
    for path in tables:
        table = f"{path.parent.name}.{path.name}"
        told = [row for row in lake.rows(table) if "HORN-0" in str(row)]
        assert bool(told) is table.endswith("_restricted"), table


def test_a_source_may_become_restricted_open_and_restricted_again(lake):
    """Also without a new row, and as if it had always been so: what it said before is no mark."""
    shared = ("silver.observation", "silver.datastream", "silver.thing", "silver.location")
    names = (*shared, "silver.observation_restricted", "silver.datastream_restricted")
    silver = ("run", "--select", "sjostad.silver")

    def build() -> dict[str, list]:
        lake.write_reference()
        lake.dbt(*silver)
        return {name: lake.rows(name) for name in names}

    open_first = build()
    lake.edit_contract(AIR, "k: 0", "k: 2")
    restricted = build()
    assert {row[2] for row in restricted["silver.datastream_restricted"]} == {AIR}
    lake.edit_contract(AIR, "k: 2", "k: 0")
    assert build() == open_first
    lake.edit_contract(AIR, "k: 0", "k: 2")
    assert build() == restricted
    lake.land(AIR, [reading("HORN-01", "pm10", at(9), 3)])
    lake.land(METERS, [reading("vartahamnen/kaj1", "effekt_w", at(9), 3)])
    grown = build()
    assert at(9) in {time for row in grown["silver.datastream_restricted"] for time in row[-2:]}
    assert len(grown["silver.datastream"]) == len(restricted["silver.datastream"]) + 1
    lake.dbt(*silver, "--full-refresh")
    assert {name: lake.rows(name) for name in names} == grown


# --- interrupted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "moment"),
    [("silver.observation", "after the commit"), ("gold.observations_hourly", "before the commit")],
)
def test_a_build_that_dies_at_a_commit_is_made_good_by_the_next(lake, monkeypatch, table, moment):
    lake.land(AIR, [reading("HORN-01", "pm10", at(1, 5), 77)])
    real = delta.replace_files

    def dies(address, *arguments, **more):
        if address != lake.address(table):
            return real(address, *arguments, **more)
        if moment == "after the commit":
            real(address, *arguments, **more)
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(delta, "replace_files", dies)
        assert "killed" in lake.dbt("run", succeeds=False)
    lake.build()
    assert (77.0,) in lake.rows("gold.observations_hourly", "max_value")
    require_same_as_full_refresh(lake)


def test_a_table_that_was_made_and_never_filled_is_filled_by_the_next_build(lake):
    """Making a table and filling it are two commits."""
    for table in FOLLOWERS[:2]:
        log = lake.address(table) / "_delta_log"
        for entry in [*log.glob("*.json")]:
            if int(entry.stem) > 0:
                entry.unlink()
        assert lake.rows(table) == []
    lake.build()
    assert lake.rows("gold.observations_hourly")
    require_same_as_full_refresh(lake)


# --- how to look ---------------------------------------------------------------------------

PRODUCTS = ("--select", "+luftkvalitet_timme", "+energianvandning_timme",
            "+energi_och_vatten_dygn", "+states_hourly", "+sensorhalsa_dygn",
            "+luftkvalitet_overskridanden")  # fmt: skip
OTHERS = ("gold.uplinks_daily", "gold.sensorhalsa_dygn", "gold.luftkvalitet_dygn",
         "gold.luftkvalitet_overskridanden")  # fmt: skip


def observations(lake: Lake) -> dict[str, list[float]]:
    """The values of each source in the open table, sorted."""
    found: dict[str, list[float]] = {}
    for source_id, value in lake.rows("silver.observation", "source_id, result"):
        found.setdefault(source_id, []).append(value)
    return found


def require_same_as_full_refresh(lake: Lake) -> None:
    names = (*FOLLOWERS, "silver.datastream", "silver.thing")
    rows = {table: lake.rows(table) for table in names}
    lake.build(*PRODUCTS)  # the others, which not every test builds
    rows |= {table: lake.rows(table) for table in OTHERS}
    lake.build(*PRODUCTS, "--full-refresh")
    for table, before in rows.items():
        assert before == lake.rows(table), table

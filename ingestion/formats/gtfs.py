"""GTFS timetables: how often each stop is called at in the period a feed is for.

A timetable is a plan, not telemetry, so what is measured is the plan itself: a record is a stop,
its one value `planned_calls` the number of departures and arrivals on all days of the feed, `t`
and `t_end` the feed's period in the agency's zone. A row of stop_times.txt that names a trip or
a stop there is not is quarantined. Stops, routes and shapes are registers and stay in the
delivery as it was landed.

A feed is an archive, or the files of one folder that are taken together.

Source: GTFS Schedule Reference (gtfs.org), revision of 2025.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.deliveries import Member
from ingestion.reading.offered import Reading, together
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

CHANNEL: Final = "planned_calls"
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "agency": ("agency_timezone",),
    "stops": ("stop_id", "stop_name", "stop_lat", "stop_lon"),
    "trips": ("trip_id", "service_id"),
    "stop_times": ("trip_id", "stop_id"),
    "calendar": (
        "service_id", "start_date", "end_date", "monday", "tuesday", "wednesday", "thursday",
        "friday", "saturday", "sunday",
    ),
    "calendar_dates": ("service_id", "date", "exception_type"),
    "frequencies": ("trip_id", "start_time", "end_time", "headway_secs"),
    "feed_info": ("feed_start_date", "feed_end_date"),
}  # fmt: skip
"""Columns that are read of each table; what a file lacks of them is null."""
_REQUIRED: Final = ("agency", "stops", "trips", "stop_times")


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read timetables.

    Raises:
        DeliveryRefused: A feed lacks a required file or column, or has no days.
    """
    feeds: dict[str, dict[str, Member]] = {}
    for member in members:
        path = PurePosixPath(member.label)
        if path.stem in _COLUMNS and "__MACOSX" not in path.parts:
            key = member.delivery.sha256 if member.name else str(path.parent)
            feeds.setdefault(key, {})[path.stem] = member
    if not feeds:
        raise _refused(members[0], f"no file of a GTFS feed among {len(members)} files")
    return together(
        [_feed(connection, files, number) for number, files in enumerate(feeds.values())]
    )


def _feed(
    connection: duckdb.DuckDBPyConnection, files: Mapping[str, Member], number: int
) -> Reading:
    one = next(iter(files.values()))
    missing = [f"{name}.txt" for name in _REQUIRED if name not in files]
    if "calendar" not in files and "calendar_dates" not in files:
        missing.append("calendar.txt or calendar_dates.txt")
    if missing:
        raise _refused(one, f"the feed lacks {', '.join(missing)}")
    for name in _COLUMNS:
        _load(connection, name, files.get(name), number)
    connection.execute(_DAYS.format(number=number))
    connection.execute(_CALLS.format(number=number))
    start, end = _period(connection, one, number)
    stops, times = files["stops"].number, files["stop_times"].number
    return Reading(
        f"""
        select {stops} as _file, _row, _raw from stops_{number}
        union all select {times}, _row, _raw from strays_{number}
        """,
        f"""
        select {stops} as _file, _row, stop_id as device, '{CHANNEL}' as channel,
            {literal(start)}::timestamp as t, {literal(end)}::timestamp as t_end,
            coalesce(calls, 0)::varchar as cell, coalesce(calls, 0)::double as value,
            try_cast(stop_lon as double) as longitude, try_cast(stop_lat as double) as latitude,
            to_json({{'name': stop_name}})::varchar as attributes
        from stops_{number} left join calls_{number} using (stop_id)
        union all by name
        select {times} as _file, _row, stop_id as device, '{CHANNEL}' as channel,
            'layout' as rule, reason
        from strays_{number}
        """,
    )


_DAYS: Final = """
create temp table days_{number} as
with dated as (
    select *, try_strptime(start_date, '%Y%m%d')::date as first,
        try_strptime(end_date, '%Y%m%d')::date as last,
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday] as runs
    from calendar_{number}
),
changed as (
    select service_id, try_strptime(date, '%Y%m%d')::date as day, exception_type
    from calendar_dates_{number}
),
regular as (
    select service_id, runs, unnest(generate_series(first, last, interval 1 day))::date as day
    from dated
)
(select service_id, day from regular where runs[isodow(day)] = '1'
    union select service_id, day from changed where exception_type = '1')
except
select service_id, day from changed where exception_type = '2'
"""

# With frequencies a trip runs several times a day: at the start and after each headway.
_CALLS: Final = """
create or replace temp macro gtfs_seconds(clock) as
    3600 * try_cast(split_part(clock, ':', 1) as bigint)
    + 60 * try_cast(split_part(clock, ':', 2) as bigint)
    + try_cast(split_part(clock, ':', 3) as bigint);

create temp table runs_{number} as
select t.trip_id, count(d.day) * coalesce(any_value(f.times), 1) as runs
from trips_{number} t left join days_{number} d using (service_id) left join (
    select trip_id, sum(ceil((gtfs_seconds(end_time) - gtfs_seconds(start_time))
        / nullif(try_cast(headway_secs as double), 0)))::bigint as times
    from frequencies_{number} group by trip_id) f using (trip_id)
group by t.trip_id;

create temp table calls_{number} as
select stop_id, sum(runs)::bigint as calls
from stop_times_{number} join runs_{number} using (trip_id) group by stop_id;

create temp table strays_{number} as
select s._row, s._raw, s.stop_id,
    case when r.trip_id is null
        then format('the trip ''{{}}'' is not in trips.txt', s.trip_id)
        else format('the stop ''{{}}'' is not in stops.txt', s.stop_id) end as reason
from stop_times_{number} s left join runs_{number} r using (trip_id)
where r.trip_id is null or s.stop_id not in (select stop_id from stops_{number}
    where stop_id is not null)
"""


def _load(
    connection: duckdb.DuckDBPyConnection, name: str, member: Member | None, number: int
) -> None:
    """Make table `{name}_{number}` of a file: `_row` (from 1), `_raw` and the columns read."""
    read = _COLUMNS[name]
    if member is None:
        columns = ", ".join(f"{column} varchar" for column in read)
        connection.execute(f"create temp table {name}_{number} ({columns})")
        return
    with member.path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    try:
        table = pacsv.read_csv(
            member.path,
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            # Codes such as 0012 are texts, so no type is guessed.
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _refused(member, f"the file cannot be read: {error}") from error
    missing = [column for column in read if column not in table.column_names]
    if missing and name != "feed_info":
        raise _refused(member, f"columns are missing: {', '.join(missing)}")
    chosen = ", ".join(
        f"nullif(trim(\"{column}\"), '') as {column}"
        if column not in missing
        else f"null::varchar as {column}"
        for column in read
    )
    connection.register("gtfs_rows", table)
    connection.execute(
        f"""create temp table {name}_{number} as
        select row_number() over () as _row, to_json(f)::varchar as _raw, {chosen}
        from gtfs_rows f"""
    )
    connection.unregister("gtfs_rows")


def _period(
    connection: duckdb.DuckDBPyConnection, one: Member, number: int
) -> tuple[datetime, datetime]:
    """Start and end of the feed in UTC: as feed_info says, else of the days its trips run."""
    ((zone, told_first, told_last, first, last),) = connection.execute(
        f"""select (select any_value(agency_timezone) from agency_{number}),
            (select any_value(try_strptime(feed_start_date, '%Y%m%d')) from feed_info_{number}),
            (select any_value(try_strptime(feed_end_date, '%Y%m%d')) from feed_info_{number}),
            min(day), max(day) from days_{number}"""
    ).fetchall()
    if first is None:
        raise _refused(one, "no service of the feed runs on any day")
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, TypeError, ValueError) as error:
        raise _refused(one, f"agency_timezone is '{zone}', no zone that there is") from error

    def midnight(day: date) -> datetime:
        local = datetime(day.year, day.month, day.day, tzinfo=place)
        return local.astimezone(UTC).replace(tzinfo=None)

    return midnight(told_first or first), midnight((told_last or last) + timedelta(days=1))


def _refused(member: Member, what: str) -> DeliveryRefused:
    return DeliveryRefused(Problem(member.label, what, "Ask the operator for the whole feed."))

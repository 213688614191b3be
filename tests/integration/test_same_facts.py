"""The same physical facts by three protocols, in three units and two systems, are the same rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyproj
import pytest

from ingestion import ingest_source
from lakehouse.contracts import load_source
from tests.flow import Lake
from tests.unit.ingestion.http_server import INTERNAL, reply, serving
from tests.unit.ingestion.lake import Lake as Sources
from tests.unit.ingestion.lake import column

LONGITUDE, LATITUDE = 18.06852, 59.31943
EASTING, NORTHING = (
    round(one, 2)
    for one in pyproj.Transformer.from_crs(4326, 3011, always_xy=True).transform(
        LONGITUDE, LATITUDE
    )
)
# The night in which clocks go back: 02:00 to 03:00 stands twice on them.
TIMES = [datetime(2026, 10, 24, 22, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(9)]
CELSIUS = [round(8.5 - 0.7 * number, 1) for number in range(9)]
WALL = ("2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30",
        "2026-10-25 02:00", "2026-10-25 02:30", "2026-10-25 02:00", "2026-10-25 02:30",
        "2026-10-25 03:00")  # fmt: skip


def by_file(lake: Sources) -> None:
    """A folder with CSV: clocks in Stockholm, degrees Fahrenheit, metres in SWEREF 99 18 00."""
    lake.write(
        "by_file",
        columns=[column("mast", kind="string"), measured("°F", "[degF]")],
        delivery={
            "protocol": "folder",
            "format": "csv",
            "csv": {"delimiter": ";", "decimal": ","},
            "time": {"columns": ["tid"], "zone": "Europe/Stockholm", "fold": "sequence"},
            "device": {"column": "mast"},
            "position": {"easting": "E", "northing": "N", "crs": "EPSG:3011"},
        },
    )
    place = f"{EASTING};{NORTHING}".replace(".", ",")
    rows = [
        f"mast-1;{wall};{round(celsius * 9 / 5 + 32, 2)};{place}".replace(".", ",")
        for wall, celsius in zip(WALL, CELSIUS, strict=True)
    ]
    lake.deliver("a.csv", "mast;tid;°F;E;N\n" + "\n".join(rows) + "\n", folder="by_file")


def by_database(lake: Sources) -> None:
    """A table in a database: times in UTC, kelvin, degrees in WGS 84."""
    lake.write(
        "by_database",
        columns=[column("mast", kind="string"), measured("kelvin", "K")],
        location="sqlite:///{inbox}/masts.sqlite",
        delivery={
            "protocol": "sql_table",
            "format": "sql_rows",
            "time": {"columns": ["t"], "zone": "UTC"},
            "device": {"column": "mast"},
            "position": {"longitude": "lon", "latitude": "lat"},
            "pull": {"table": "readings", "overlapH": 1, "attempts": 1},
        },
    )
    rows = [
        ("mast-1", f"{time:%Y-%m-%d %H:%M:%S}", round(celsius + 273.15, 2), LONGITUDE, LATITUDE)
        for time, celsius in zip(TIMES, CELSIUS, strict=True)
    ]
    with sqlite3.connect(lake.inbox / "masts.sqlite") as database:
        database.execute("create table readings (mast text, t text, kelvin real, lon, lat)")
        database.executemany("insert into readings values (?, ?, ?, ?, ?)", rows)
    database.close()


def by_web(lake: Sources, address: str) -> None:
    """NGSI-LD over HTTP: times with an offset, degrees Celsius told by code, GeoJSON."""
    lake.write(
        "by_web",
        columns=[measured("temperature", "Cel")],
        location=f"{address}/entities.json",
        delivery={
            "protocol": "http",
            "format": "ngsi_ld",
            "framing": "document",
            "http": INTERNAL,
        },
    )


def entity() -> dict[str, object]:
    point = {"type": "Point", "coordinates": [LONGITUDE, LATITUDE]}
    instances = [
        {
            "type": "Property",
            "value": celsius,
            "unitCode": "CEL",
            "observedAt": time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }
        for time, celsius in zip(TIMES, CELSIUS, strict=True)
    ]
    place = {"type": "GeoProperty", "value": point}
    return {
        "id": "mast-1",
        "type": "WeatherObserved",
        "location": place,
        "temperature": instances,
        "@context": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    }


def measured(delivered_as: str, unit: str) -> dict[str, object]:
    return column("temperature", "air_temperature", unit, delivered_as=delivered_as)


@pytest.fixture
def lake(lake: Lake) -> Iterator[Lake]:
    """The lake with the three sources taken and built."""
    sources = Sources(lake.settings)
    lake.settings.inbox.mkdir(parents=True, exist_ok=True)
    with serving(lambda _: reply(json.dumps([entity()]).encode())) as server:
        by_file(sources)
        by_database(sources)
        by_web(sources, server.url)
        for name in ("by_file", "by_database", "by_web"):
            contract = load_source(lake.settings.contracts / "sources" / f"{name}.yaml")
            assert ingest_source(lake.settings, contract).ledger.landed == len(TIMES)
    lake.write_reference()
    lake.build("--select", "+location", "+observations_daily")
    return lake


def of_each(lake: Lake, table: str, columns: str, key: str) -> list[list[tuple]]:
    """The rows of each source, without what names it."""
    rows = lake.rows(table, f"{key}, {columns}")
    names = ("by_file/", "by_database/", "by_web/")
    return [[row[1:] for row in rows if row[0].startswith(name)] for name in names]


@pytest.mark.slow
def test_the_same_facts_are_the_same_rows(lake):
    stream = "datastream_id"
    observed = "phenomenon_time, phenomenon_time_end, result, result_text, unit_id, quality"
    first, second, third = of_each(lake, "silver.observation", observed, stream)
    assert first == second == third
    assert [(row[0], row[2], row[4]) for row in first] == [
        (time, celsius, "Cel") for time, celsius in zip(TIMES, CELSIUS, strict=True)
    ]

    place = "longitude, latitude, northing_m, easting_m, district, position_status, valid_from"
    first, second, third = of_each(lake, "silver.location", place, "thing_id")
    assert first == second == third
    assert first == [
        (LONGITUDE, LATITUDE, NORTHING, EASTING, "Södermalm", "in_district", None)
    ]  # fmt: skip

    series = "device, channel, observed_property_id, unit_id, aggregation, first_time, last_time"
    first, second, third = of_each(lake, "silver.datastream", series, stream)
    assert first == second == third

    hourly = of_each(lake, "gold.observations_hourly", "hour_start, mean_value, readings", stream)
    assert hourly[0] == hourly[1] == hourly[2]
    assert len(hourly[0]) == 5, "the hour that clocks show twice is two hours"
    daily = of_each(lake, "gold.observations_daily", "local_date, hours_in_day, readings", stream)
    assert daily[0] == daily[1] == daily[2] == [(datetime(2026, 10, 25).date(), 25, len(TIMES))]

"""Gold tables of two real products with a partition for each UTC day, made of clean days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import write_deltalake

from lakehouse import delta, tables
from lakehouse.settings import Settings
from tests.unit.publishing.lake import GOLD, METERS, OTHER, PRODUCT
from tests.unit.quality.seasons import Weather, air, energy

FIRST = date(2026, 1, 5)
STATIONS = ("Hornsgatan 108", "Sveavägen 59", "Lilla Essingen", "Torkel Knutssonsgatan")
PLACES = (18.0486, 18.0581, 18.0023, 18.0571)


def days(count: int, start: date = FIRST) -> list[date]:
    return [start + timedelta(days=number) for number in range(count)]


def air_days(dates: list[date], seed: int = 1) -> dict[date, pd.DataFrame]:
    weather = Weather(seed)
    return {day: _air(weather, day) for day in dates}


def _air(weather: Weather, day: date) -> pd.DataFrame:
    rows = pd.DataFrame(air(weather, day))
    number = rows["station"].str.removeprefix("station-").astype(int)
    return _timed(rows, day, number).assign(
        station_id="miljo_luft/" + rows["station"],
        station_name=[STATIONS[one] for one in number],
        district=["Södermalm" if one % 2 else "Norrmalm" for one in number],
        longitude=[PLACES[one] for one in number],
        latitude=[59.31 + 0.01 * one for one in number],
        pm10_ug_m3=rows["pm10"],
        pm2_5_ug_m3=rows["pm10"] * weather.random.uniform(0.3, 0.6, len(rows)),
        no2_ug_m3=rows["no2"],
        readings=rows["readings"].astype("int32"),
        secret_note="never released",  # noqa: S106
    )


def meter_days(dates: list[date], seed: int = 2) -> dict[date, pd.DataFrame]:
    weather = Weather(seed)
    return {day: _meters(weather, day) for day in dates}


def _meters(weather: Weather, day: date) -> pd.DataFrame:
    rows = pd.DataFrame(energy(weather, day))
    number = rows["meter"].str.removeprefix("m").astype(int)
    return _timed(rows, day, number).assign(
        meter_id="kaj-" + number.astype(str),
        place_name="Kaj " + number.astype(str),
        district=["Frihamnen" if one % 2 else "Stadsgården" for one in number],
        energy_kwh=rows["kwh"],
        readings=weather.random.integers(3, 5, len(rows)),
    )


def _timed(rows: pd.DataFrame, day: date, number: pd.Series) -> pd.DataFrame:
    """A time for each row, an hour after the one before of the same thing."""
    hour = rows.groupby(number).cumcount()
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    times = pd.DatetimeIndex([start + timedelta(hours=int(one)) for one in hour])
    local = [one.isoformat() for one in times.tz_convert("Europe/Stockholm")]
    return pd.DataFrame({"hour_start": times, "hour_start_local": local})


MADE: dict[str, Callable[[list[date]], dict[date, pd.DataFrame]]] = {
    PRODUCT: air_days,
    OTHER: meter_days,
}


def put(
    settings: Settings, frames: dict[date, pd.DataFrame], product: str = PRODUCT
) -> tuple[Path, int]:
    """Replace days of a product's gold table, in one commit for each; the address and version."""
    address = tables.model(settings, "gold", product)
    schema = (GOLD if product == PRODUCT else METERS).append(
        pa.field("partition_date", pa.date32())
    )
    if not delta.exists(address):
        whole = pa.concat_tables(_table(frame, day, schema) for day, frame in frames.items())
        write_deltalake(str(address), whole, partition_by=["partition_date"])
    else:
        for day, frame in frames.items():
            write_deltalake(str(address), _table(frame, day, schema), mode="overwrite",
                            predicate=f"partition_date = '{day}'")  # fmt: skip
    version = delta.version_of(address)
    assert version is not None
    return address, version


def _table(frame: pd.DataFrame, day: date, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        if field.name == "partition_date":
            columns.append(pa.array([day] * len(frame), field.type))
            continue
        values = frame[field.name]
        kept = [None if _is_nothing(one) else one for one in values]
        columns.append(pa.array(kept, field.type))
    return pa.table(columns, schema=schema)


def _is_nothing(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def at(day: date, hour: int = 6) -> datetime:
    """A time of the day after a day: when it is audited."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(days=1)

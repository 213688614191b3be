"""Real samples as a newcomer has them: what is typed, what is answered, what must land."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Truth = Callable[[list[Path]], Mapping[str, list[float]]]


@dataclass(frozen=True)
class Case:
    """One sample.

    Attributes:
        sample: Path, folder or glob below the real data.
        format: The format it must be recognised as.
        asks: What must be left to a person besides what is always asked.
        answers: What the newcomer writes there.
        devices: Devices that must land.
        truth: Every value that must land, by channel, read by plain Python.
        held: Rules that rows of the sample break, with their number.
    """

    sample: str
    format: str
    asks: set[str]
    answers: Mapping[str, object]
    devices: int
    truth: Truth
    held: Mapping[str, int] = field(default_factory=dict)


def rows(path: Path, delimiter: str = ",", skip: int = 0) -> Iterable[dict[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:  # type: ignore[operator]
        for _ in range(skip):
            next(file)
        yield from csv.DictReader(file, delimiter=delimiter)


def climate(paths: list[Path]) -> dict[str, list[float]]:
    found = [row for path in paths for row in rows(path, ";")]
    return {
        "air_temperature": [float(row["temperature"]) for row in found if row["temperature"]],
        "relative_humidity": [float(row["humidity"]) for row in found if row["humidity"]],
    }


def street(paths: list[Path]) -> dict[str, list[float]]:
    columns = {"co": "CO(GT)", "benzene": "C6H6(GT)", "no2": "NO2(GT)", "air_temperature": "T",
               "relative_humidity": "RH"}  # fmt: skip
    found = [row for row in rows(paths[0], ";") if row["Date"]]
    return {
        name: [float(row[column].replace(",", ".")) for row in found
               if float(row[column].replace(",", ".")) != -200]
        for name, column in columns.items()
    }  # fmt: skip


def water(paths: list[Path]) -> dict[str, list[float]]:
    columns = {
        "maincounter": "maincounter",
        "022414755_k20_0": "022414755(K20-0)",
        "022414601_k20_1": "022414601(K20-1)",
        "24120008_k20_2": "24120008(K20-2)",
    }
    found = list(rows(paths[0]))
    return {n: [float(row[c]) for row in found if row[c]] for n, c in columns.items()}


def speed(paths: list[Path]) -> dict[str, list[float]]:
    return {"value": [float(row["value"]) for path in paths for row in rows(path)]}


def snow(paths: list[Path]) -> dict[str, list[float]]:
    found = [float(row["Snödjup"]) for row in rows(paths[0], ";", skip=9)]
    return {"snow_depth": [value for value in found if value >= 0]}


def temperature(paths: list[Path]) -> dict[str, list[float]]:
    found = [row["Lufttemperatur"] for path in paths for row in rows(path, ";", skip=9)]
    return {"air_temperature": [float(cell) for cell in found]}


def basel(paths: list[Path]) -> dict[str, list[float]]:
    return {"vacant_parking_spaces": [float(one["free"]) for one in json.loads(paths[0].read_text())
                                      if one["free"] is not None]}  # fmt: skip


def freiburg(paths: list[Path]) -> dict[str, list[float]]:
    found = [one["properties"] for one in json.loads(paths[0].read_text())["features"]]
    return {
        "vacant_parking_spaces": [float(one["obs_free"]) for one in found],
        "occupied_parking_spaces": [float(one["belegt"]) for one in found],
    }


def frost(paths: list[Path]) -> dict[str, list[float]]:
    found = {}
    for stream in json.loads(paths[0].read_text())["Datastreams"]:
        name = stream["ObservedProperty"]["name"].lower().replace(" ", "_")
        found[name] = [float(one["result"]) for one in stream["Observations"]]
    return found


def madrid(paths: list[Path]) -> dict[str, list[float]]:
    entity = json.loads(paths[0].read_text())
    names = {"no": "no", "no2": "no2", "nox": "nox", "so2": "so2",
             "air_temperature": "temperature", "wind_speed": "windSpeed",
             "pressure": "pressure"}  # fmt: skip
    return {name: [float(entity[key]["value"])] for name, key in names.items()}


def prices(paths: list[Path]) -> dict[str, list[float]]:
    found = [row["Day-ahead Price [EUR/MWh]"] for path in paths for row in rows(path)]
    return {"electricity_price": [float(cell) for cell in found if cell]}


CLOCK = {"delivery.time.zone", "delivery.time.fold"}
CASES = {
    "sensor_community": Case(
        "iot/sensor-community/2018-10-0[4-6]_dht22_*.csv", "csv", CLOCK, {"zone": "UTC"}, 2, climate
    ),
    "uci_air_quality": Case(
        "messy/airquality-uci/AirQualityUCI.csv.gz", "csv",
        CLOCK | {"delivery.device.constant", "co.unit", "benzene.unit", "no2.unit"},
        {"zone": "Etc/GMT-1", "constant": "street", "co.unit": "mg/m3", "benzene.unit": "ug/m3",
         "no2.unit": "ug/m3"},
        1, street, {"time_missing": 5},
    ),
    "kanthaus_water": Case(
        "ot/kanthaus-meters/water.csv", "csv",
        CLOCK | {"delivery.device.constant"}
        | {f"{name}.{what}" for what in ("observedProperty", "unit")
           for name in ("maincounter", "022414755_k20_0", "022414601_k20_1", "24120008_k20_2")},
        {"zone": "Europe/Berlin", "constant": "house", "observedProperty": "water_register",
         "unit": "m3"},
        1, water,
    ),
    "nab_speed": Case(
        "ot/nab-traffic/speed_*.csv", "csv", CLOCK | {"value.observedProperty", "value.unit"},
        {"zone": "America/Chicago", "fold": "sequence", "observedProperty": "vehicle_speed",
         "unit": "[mi_i]/h"},
        2, speed,
    ),
    "smhi_snow": Case(
        "opendata/smhi-metobs/parameter_8", "csv", {"delivery.device.constant"},
        {"constant": "98210"}, 1, snow, {"value_below_minimum": 9},  # -0.01 is a patch of snow
    ),
    "smhi_temperature": Case(
        "opendata/smhi-metobs/parameter_2/*.csv", "csv", set(), {}, 3, temperature
    ),
    "basel_parking": Case(
        "opendata/parking/basel.json", "json", set(), {}, 16, basel, {"time_missing": 1}
    ),
    "freiburg_parking": Case(
        "opendata/parking/freiburg_p_r_sensors.json", "geojson", CLOCK, {"zone": "Europe/Berlin"},
        5, freiburg,
    ),
    "frost": Case(
        "iot/sensorthings-frost/entitiesDefault.json", "sensorthings",
        {"tempretaure.observedProperty"},  # so it is spelt there
        {"observedProperty": "air_temperature"}, 1, frost,
    ),
    "madrid_air": Case(
        "iot/fiware-environment/AirQualityObserved/examples/example-normalized.json", "ngsi_v2",
        CLOCK | {"wind_speed.unit", "nox.observedProperty", "pressure.observedProperty",
                 "pressure.unit"},
        {"zone": "Europe/Madrid", "wind_speed.unit": "m/s", "nox.observedProperty": "no2",
         "pressure.observedProperty": "air_pressure", "pressure.unit": "bar"},
        1, madrid, {"value_above_maximum": 1},  # its carbon monoxide, 500 mg/m3
    ),
    "entsoe_prices": Case(
        "messy/entsoe-dst/*.csv.gz", "csv", CLOCK | {"delivery.device.constant"},
        {"zone": "Europe/Stockholm", "fold": "sequence", "constant": "SE3"}, 1, prices,
        {"time_nonexistent": 3},
    ),
}  # fmt: skip

"""Open data that need no format of their own: contracts over the general ones."""

from __future__ import annotations

import csv
import io
import json

import pytest

from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {"protocol": "folder", "format": "json", "framing": "document"}
TEXT = {"kind": "string"}

# SMHI Open Data API, meteorological observations: the answer of a station's period.
OBSERVED = {
    "value": [
        {"date": 1760868000000, "value": "7.90", "quality": "G"},
        {"date": 1760871600000, "value": "-0.1", "quality": "Y"},
        {"date": 1760875200000, "value": None, "quality": None},
    ],
    "updated": 1760878800000,
    "parameter": {"key": "1", "name": "Lufttemperatur", "summary": "", "unit": "celsius"},
    "station": {"key": "98210", "name": "Stockholm", "height": 2.0},
    "period": {"key": "latest-day"},
    "position": [
        {"from": 1, "to": 2, "longitude": 18.0, "latitude": 59.0},
        {"from": 2, "to": 3, "longitude": 18.0549, "latitude": 59.3417},
    ],
}
SMHI = DELIVERY | {
    "records": "$.value[*]",
    "narrow": {
        "channel": "$.parameter.name",
        "value": "value",
        "unit": "$.parameter.unit",
    },
    "time": {"columns": ["date"], "format": "epoch_ms", "zone": "UTC"},
    "device": {"column": "$.station.key"},
    "quality": {"column": "quality", "good": ["G"], "uncertain": ["Y"]},
    "position": {"longitude": "$.position[-1].longitude", "latitude": "$.position[-1].latitude"},
}
AIR = [column("air_temperature", "air_temperature", "Cel", delivered_as="Lufttemperatur")]


@pytest.fixture
def read(lake):
    def judged(columns, delivery, content: str | bytes, name: str = "a.json"):
        return lake.judged(
            lake.source(columns=columns, delivery=delivery), lake.deliver(name, content)
        )

    return judged


def test_smhi_observations(read):
    rows = read(AIR, SMHI, json.dumps(OBSERVED))
    assert [(r["device"], str(r["t"]), r["cell"], r["quality"], r["rule"]) for r in rows] == [
        ("98210", "2025-10-19 10:00:00", "7.90", "good", None),
        ("98210", "2025-10-19 11:00:00", "-0.1", "uncertain", None),
        ("98210", "2025-10-19 12:00:00", None, "good", "empty_value"),
    ]
    assert {(row["longitude"], row["latitude"]) for row in rows} == {(18.0549, 59.3417)}
    fahrenheit = OBSERVED | {"parameter": OBSERVED["parameter"] | {"unit": "Fahrenheit"}}
    assert {r["rule"] for r in read(AIR, SMHI, json.dumps(fahrenheit))} == {"unit_differs"}


def test_smhi_means_and_station_sets(read):
    mean = {"from": 1760832000000, "to": 1760918400000, "ref": "2025-10-19", "value": "6.5"}
    whole = {"time": {"columns": ["from"], "endColumns": ["to"], "format": "epoch_ms",
                      "zone": "UTC"}}  # fmt: skip
    (row,) = read(AIR, SMHI | whole, json.dumps(OBSERVED | {"value": [mean]}))
    assert (str(row["t"]), str(row["t_end"])) == ("2025-10-19 00:00:00", "2025-10-20 00:00:00")
    stations = [
        {"key": key, "longitude": 18.0, "latitude": 59.0, "value": value}
        for key, value in (("1", OBSERVED["value"][:1]), ("2", None), ("3", OBSERVED["value"][:1]))
    ]
    answer = {"parameter": OBSERVED["parameter"], "station": stations}
    of_all = {
        "records": "$.station[*].value[*]",
        "device": {"column": "^.key"},
        "position": {"longitude": "^.longitude", "latitude": "^.latitude"},
    }
    rows = read(AIR, SMHI | of_all, json.dumps(answer))
    assert [(row["device"], row["value"]) for row in rows] == [("1", 7.9), ("3", 7.9)]


def test_smhi_lists_of_parameters_and_stations_are_no_observations(read, real_data):
    folder = real_data / "opendata" / "smhi-metobs-json" / "metobs"
    for name in ("parameters", "stations", "periods", "versions", "data"):
        answer = (folder / f"{name}.txt").read_text("utf-8").partition("\n\n")[2]
        rows = read(AIR, SMHI, answer)
        assert [row["rule"] for row in rows] == ["layout"], name
        assert "there are no records at $.value[*]" in rows[0]["reason"]


def test_smhi_observation_in_a_list_of_unlike_parts(read, real_data):
    folder = real_data / "opendata" / "smhi-metobs-json" / "metobs"
    delivery = DELIVERY | {
        "records": "$[3]",
        "time": {
            "columns": ["Från Datum Tid (UTC)"],
            "endColumns": ["Till Datum Tid (UTC)"],
            "zone": "UTC",
        },
        "device": {"column": "$[0].Stationsnummer"},
        "quality": {"column": "Kvalitet", "good": ["G"], "uncertain": ["Y"]},
        "position": {
            "longitude": "$[2].Longitud (decimalgrader)",
            "latitude": "$[2].Latitud (decimalgrader)",
        },
    }
    (row,) = read(AIR, delivery, (folder / "metobs_integration_2.json").read_bytes())
    assert (row["device"], row["cell"], row["quality"]) == ("192840", "-16.1", "uncertain")
    assert (row["longitude"], row["latitude"]) == (22.4435, 68.4418)
    assert str(row["t_end"]) == "2008-11-02 00:00:00"


def test_smhi_table_of_the_same_service_as_csv(read, real_data):
    path = real_data / "opendata" / "smhi-metobs-json" / "metobs" / "data.csv"
    delivery = {
        "protocol": "folder",
        "format": "csv",
        "csv": {"delimiter": ";", "quote": None, "headerRow": 10, "extraColumns": "ignore"},
        "time": {"columns": ["Datum", "Tid (UTC)"], "format": "%Y-%m-%d %H:%M:%S", "zone": "UTC"},
        "device": {"constant": "1"},
        "quality": {"column": "Kvalitet", "good": ["G"], "uncertain": ["Y"]},
    }
    rows = read(AIR, delivery, path.read_bytes(), "data.csv")
    assert [(str(row["t"]), row["cell"], row["quality"]) for row in rows] == [
        ("2013-01-01 00:00:00", "5.3", "uncertain"),
        ("2013-01-01 01:00:00", "5.3", "uncertain"),
    ]


def test_openaq_sensors_with_their_latest_value(read, real_data):
    path = real_data / "opendata" / "openaq-v3" / "sensors.json"
    delivery = DELIVERY | {
        "records": "$.results[*]",
        "narrow": {
            "channel": "parameter.name",
            "value": "latest.value",
            "unit": "parameter.units",
        },
        "time": {"columns": ["latest.datetime.utc"], "zone": "UTC"},
        "device": {"column": "id"},
        "quality": {"column": "coverage.percentComplete"},
        "position": {
            "longitude": "latest.coordinates.longitude",
            "latitude": "latest.coordinates.latitude",
        },
    }
    rows = read([column("pm2_5", "pm2_5", "ug/m3", delivered_as="pm25")], delivery,
                path.read_bytes())  # fmt: skip
    told = json.loads(path.read_text())["results"]
    assert len(rows) == len(told) == 8
    for row, sensor in zip(rows, told, strict=True):
        latest = sensor["latest"]
        assert row["device"] == str(sensor["id"])
        assert row["value"] == latest["value"]
        assert f"{row['t']:%Y-%m-%dT%H:%M:%SZ}" == latest["datetime"]["utc"]
        assert float(row["quality_code"]) == sensor["coverage"]["percentComplete"]
        assert row["longitude"] == latest["coordinates"]["longitude"]


def test_ulm_spots_say_whether_they_are_taken(read, real_data):
    path = real_data / "opendata" / "parking" / "ulm-sensors" / "realtime-parking-spots.json"
    delivery = DELIVERY | {
        "records": "$[*]",
        "time": {"columns": ["timestamp"], "zone": "UTC"},
        "device": {"column": "id"},
    }
    rows = read([column("occupied", "uplink_payload", "1", **TEXT)], delivery, path.read_bytes())
    told = [
        (spot["id"], {True: "true", False: "false", None: None}[spot.get("occupied")])
        for spot in json.loads(path.read_text())
    ]
    assert [(row["device"], row["text"]) for row in rows] == told
    assert len(told) == 44


CLOCK = {"sequence": {"start": "2026-01-01 00:00", "stepS": 1}, "zone": "UTC"}
REGISTERS = [
    ("messy/parking-csv/reutlingen.csv", ",", "utf-8", "id", "ort"),
    ("messy/parking-csv/reutlingen_disabled.csv", ";", "utf-8-sig", "id", "ort"),
    ("messy/parking-csv/neckarsulm.csv", ";", "utf-8", "id", "strasse"),
    ("opendata/parking/bielefeld.csv", ";", "utf-8", "gid", "zufahrt"),
    ("ot/bdg1-metadata/meta_open.csv", ",", "utf-8", "uid", "primaryspaceusage"),
]


@pytest.mark.parametrize(("place", "delimiter", "encoding", "key", "told"), REGISTERS)
@pytest.mark.parametrize("written", ["as it is", "cp1252"])
def test_registers_are_read_byte_for_byte(
    read, real_data, place, delimiter, encoding, key, told, written
):
    """Umlauts, a byte order mark, quoted delimiters, lines that end with CR alone."""
    content = (real_data / place).read_bytes()
    text = content.decode(encoding)
    if written == "cp1252":
        content, encoding = text.encode("cp1252"), "cp1252"
    delivery = {
        "protocol": "folder",
        "format": "csv",
        "csv": {"delimiter": delimiter, "encoding": encoding, "extraColumns": "ignore"},
        "time": CLOCK,
        "device": {"column": key},
    }
    rows = read([column("told", "uplink_payload", "1", delivered_as=told, **TEXT)], delivery,
                content, "a.csv")  # fmt: skip
    expected = [
        (record[key], record[told] or None)
        for record in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    assert len(expected) > 40
    assert [(row["device"], row["text"]) for row in rows] == expected


@pytest.mark.parametrize(
    ("file", "form", "values"),
    [
        ("electricity.csv", "%Y-%m-%d", [37.0, 57.0]),
        ("gas.csv", "iso8601", [10.774, 13.155, 29, 69, 175, 251]),
        ("water.csv", "%Y%m%d", [None, 15.8511, 0, 24.3842, 37.8082, 46.8985, 49.165, 53.076,
                                57.255, 63.614, 66.433]),
    ],
)  # fmt: skip
def test_meters_read_by_hand(read, real_data, file, form, values):
    """Without a header, the first reading names the columns; that is what the contract says."""
    content = (real_data / "ot" / "kanthaus-meters" / file).read_bytes()
    date, value, *_ = content.decode().splitlines()[0].split(",")
    delivery = {
        "protocol": "folder",
        "format": "csv",
        "csv": {"extraColumns": "ignore"},
        "time": {"columns": [date], "format": form, "zone": "Europe/Berlin"},
        "device": {"constant": "house"},
    }
    rows = read([column("register", "active_energy_register", "kW.h", delivered_as=value)],
                delivery, content, "a.csv")  # fmt: skip
    assert [row["value"] for row in rows] == values
    assert {row["rule"] for row in rows} <= {None, "empty_value"}


def test_detectors_of_the_same_form(read, real_data):
    delivery = {
        "protocol": "folder",
        "format": "csv",
        "time": {"columns": ["timestamp"], "zone": "America/Chicago"},
        "device": {"file": r"occupancy_(\d+)"},
    }
    path = real_data / "ot" / "nab-traffic" / "occupancy_6005.csv"
    rows = read([column("occupancy", "relative_humidity", "%", delivered_as="value")], delivery,
                path.read_bytes(), "occupancy_6005.csv")  # fmt: skip
    assert len(rows) == 2380
    # 13:45 in a Chicago summer.
    assert (rows[0]["device"], str(rows[0]["t"]), rows[0]["value"]) == (
        "6005", "2015-09-01 18:45:00", 3.06,
    )  # fmt: skip


def test_error_answer_of_an_api_is_not_taken_for_an_empty_one(read):
    (row,) = read(AIR, SMHI, '{"detail": "Too many requests"}')
    assert (row["rule"], "'value' is missing" in row["reason"]) == ("layout", True)
    with pytest.raises(DeliveryRefused, match="a web page"):
        read(AIR, SMHI, "<!doctype html><title>429</title>")

"""Responses of OGC SensorThings services."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [column("temperature", "air_temperature", "Cel")]
T = "2026-03-01T10:00:00Z"


def delivery(**more):
    return {"protocol": "folder", "format": "sensorthings", "framing": "document"} | more


def observation(**changes):
    return {"@iot.id": 1, "phenomenonTime": T, "resultTime": None, "result": 1.5} | changes


def datastream(**changes):
    return {
        "@iot.id": 12,
        "name": "air",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": None},
        "ObservedProperty": {"name": "temperature"},
    } | changes


@pytest.fixture
def read(lake):
    def judged(*contents, columns=CHANNELS, **more):
        contract = lake.source(columns=columns, delivery=delivery(**more))
        return lake.judged(
            contract,
            *(
                lake.deliver(f"{n}.json", one if isinstance(one, str | bytes) else json.dumps(one))
                for n, one in enumerate(contents)
            ),
        )

    return judged


def series(rows):
    return [(row["device"], row["channel"], row["cell"], row["rule"]) for row in rows]


def test_values_of_every_kind(read):
    results = [3, -1.5e2, True, False, "klar", {"a": [1]}, [1, 2], None]
    page = {"value": [observation(result=one, Datastream=datastream()) for one in results]}
    rows = read(page, columns=[column("other", "air_temperature", "Cel")])
    assert [(row["cell"], row["value"], row["text"]) for row in rows] == [
        ("3", 3, None),
        ("-150.0", -150, None),
        ("true", 1, None),
        ("false", 0, None),
        ("klar", None, "klar"),
        ('{"a":[1]}', None, '{"a":[1]}'),
        ("[1,2]", None, "[1,2]"),
        (None, None, None),
    ]
    assert [row["verdict"] for row in rows] == ["sound"] * 7 + ["filtered"]
    assert {row["unit"] for row in rows} == {"Cel"}


def test_an_instant_and_an_interval(read):
    interval = "2026-03-01T10:00:00+01:00/2026-03-01T11:00:00+01:00"
    rows = read({"value": [observation(), observation(phenomenonTime=interval, resultTime=T)]})
    assert [(str(row["t"]), str(row["t_end"]), str(row["result_time"])) for row in rows] == [
        ("2026-03-01 10:00:00", "None", "None"),
        ("2026-03-01 09:00:00", "2026-03-01 10:00:00", "2026-03-01 10:00:00"),
    ]


@pytest.mark.parametrize("time", ["2026-03-01T10:00:00", "igår", f"{T}/sedan"])
def test_a_time_that_is_none(read, time):
    (row,) = read({"value": [observation(phenomenonTime=time)]})
    assert (row["rule"], time in row["reason"]) == ("time_unreadable", True)


def test_a_time_without_offset_follows_the_contract(read):
    page = {"value": [observation(phenomenonTime="2026-07-01T10:00:00")]}
    zone = {"columns": ["phenomenonTime"], "zone": "Europe/Stockholm"}
    (row,) = read(page, time=zone)
    assert str(row["t"]) == "2026-07-01 08:00:00"


def test_device_from_the_link_of_the_page(read):
    link = "/v1.1/Datastreams('a b')/Observations?$top=1&$skip=1"
    rows = read(
        {"@iot.nextLink": link, "value": [observation()]},
        {"value": [observation(**{"Datastream@iot.navigationLink": "x/Datastreams(7)"})]},
        {"value": [observation(**{"Datastream@iot.navigationLink": "Observations(7)/Datastream"})]},
    )
    assert series(rows) == [
        ("a b", "result", "1.5", None),
        ("7", "result", "1.5", None),
        (None, "result", "1.5", "device_missing"),
    ]


THING = {
    "@iot.id": 3,
    "name": "mast",
    "Locations": [{"location": {"type": "Point", "coordinates": [18.06, 59.33]}}],
}
EXPANDED = {
    "observations": {"value": [observation(Datastream=datastream(Thing=THING))]},
    "datastreams": {"value": [datastream(Thing=THING, Observations=[observation()])]},
    "things": {"value": [THING | {"Datastreams": [datastream(Observations=[observation()])]}]},
    "locations": {
        "value": [
            {
                "name": "torg",
                "location": THING["Locations"][0]["location"],
                "Things": [
                    {"name": "mast", "Datastreams": [datastream(Observations=[observation()])]}
                ],
            }
        ]
    },
    "properties": {
        "value": [
            {
                "name": "temperature",
                "definition": "urn:t",
                "Datastreams": [
                    datastream(ObservedProperty=None, Thing=THING, Observations=[observation()])
                ],
            }
        ]
    },
    "created": THING | {"Datastreams": [datastream(Observations=[observation()])]},
}


@pytest.mark.parametrize("way", EXPANDED)
@pytest.mark.parametrize("careful", [False, True])
def test_expanded_in_every_direction(read, way, careful):
    content = json.dumps(EXPANDED[way])
    (row,) = read(content, framing="lines" if careful else "document")
    assert series([row]) == [("mast", "temperature", "1.5", None)]
    assert (row["longitude"], row["latitude"], row["unit"]) == (18.06, 59.33, "Cel")


def test_the_contract_says_what_names_are_taken(read):
    names = {"device": "datastream", "channel": "datastream"}
    (row,) = read(EXPANDED["things"], sensorthings=names)
    assert series([row]) == [("12", "air", "1.5", None)]


def test_a_collection_that_was_cut_short_is_told(read):
    page = {
        "value": [
            datastream(Observations=[observation()], **{"Observations@iot.nextLink": "…/more"}),
            datastream(Observations=[observation(result=2)]),
        ]
    }
    cut, first, second = read(page)
    assert (cut["rule"], cut["verdict"]) == ("truncated", "broken")
    assert "1 are here, more are at …/more" in cut["reason"]
    assert [first["cell"], second["cell"]] == ["1.5", "2"]


def test_data_arrays_in_any_order_of_components(read):
    group = {
        "Datastream@iot.navigationLink": "x/Datastreams(3)",
        "components": ["result", "id", "phenomenonTime"],
        "dataArray": [[1, 10, T], [2, 11], [3, 12, T]],
    }
    written = [
        {
            "Datastream": {"@iot.id": 4},
            "components": ["phenomenonTime", "result"],
            "dataArray": [[T, 9]],
        }
    ]
    rows = read({"value": [group]}, written)
    assert [(row["device"], row["cell"], row["rule"]) for row in rows] == [
        ("3", "1", None),
        ("3", "2", "layout"),
        ("3", "3", None),
        ("4", "9", None),
    ]


@pytest.mark.parametrize(
    ("content", "rule", "reason"),
    [
        ('{"value": [', "layout", "not a whole JSON document"),
        ('{"value": [5]}', "layout", "no JSON object: 5"),
        ('{"value": [{"result": 1, "result": 2}]}', "layout", "a key twice"),
        ("{}", "format", "no Observation"),
        ('{"code": 404, "message": "no"}', "format", "no Observation"),
        ('{"value": [{"name": "a", "Observations": {}}]}', "layout", "Observations is no list"),
        ('{"value": [{"name": "a", "@iot.id": 1}]}', "no_measurement", "$expand"),
        (b'{"value": [{"result": "\xff"}]}', "encoding", "not utf-8"),
        ('{"value": [{"result": 1e999, "phenomenonTime": "' + T + '"}]}', None, None),
    ],
)
def test_damage_does_not_stop_the_others(read, content, rule, reason):
    good = {"value": [observation(Datastream=datastream())]}
    first, broken, last = read(good, content, good)
    assert (first["verdict"], last["verdict"]) == ("sound", "sound")
    assert broken["verdict"] == "broken"
    assert rule is None or (broken["rule"] == rule and reason in broken["reason"])


def test_one_damaged_observation_does_not_stop_its_page(read):
    page = {"value": [observation(Datastream=datastream()), 5, observation(result=2)]}
    rows = read(page)
    assert [(row["_row"], row["rule"]) for row in rows] == [
        (1, None),
        (2, "layout"),
        (3, "device_missing"),
    ]


def test_an_empty_page_is_no_record(read):
    assert read({"value": []}) == []


def test_quality_and_parameters_are_kept(read):
    page = {
        "value": [observation(resultQuality=["a"], parameters={"h": 2}, Datastream=datastream())]
    }
    (row,) = read(page)
    assert (row["quality_code"], row["attributes"]) == ('["a"]', '{"parameters":{"h":2}}')


def test_bulk_and_careful_reading_agree(read):
    values = [
        observation(result=n, Datastream=datastream(), parameters={"n": n}) for n in range(50)
    ]
    page = {"value": values}

    def told(rows):
        kept = [{key: row[key] for key in row if key not in ("_file", "_row")} for row in rows]
        return sorted(kept, key=lambda row: int(row["cell"] or -1))

    bulk = read(page)
    assert told(bulk) == told(read(json.dumps(page), framing="lines"))
    assert told(bulk) == told(read({"value": [*values, 5]}))[1:]


def test_real_deep_insert_value_by_value(lake, real_data):
    path = real_data / "iot" / "sensorthings-frost" / "entitiesDefault.json"
    contract = lake.source(columns=CHANNELS, delivery=delivery())
    rows = lake.judged(contract, lake.deliver("frost.json", path.read_bytes()))
    thing = json.loads(path.read_text())
    expected = [
        (
            thing["name"],
            stream["ObservedProperty"]["name"],
            one["phenomenonTime"][:10],
            float(one["result"]),
            stream["unitOfMeasurement"]["symbol"],
            *thing["Locations"][0]["location"]["coordinates"],
        )
        for stream in thing["Datastreams"]
        for one in stream["Observations"]
    ]
    assert expected[0] == ("thing name 1", "Luminous Flux", "2015-03-03", 3, "lm", -117.05, 51.05)
    assert expected == [
        (
            row["device"],
            row["channel"],
            str(row["t"])[:10],
            row["value"],
            row["unit"],
            row["longitude"],
            row["latitude"],
        )
        for row in rows
    ]


def test_real_datastreams_without_observations_are_told(lake, real_data):
    folder = real_data / "iot" / "sensorthings-bgs-datastreams"
    by_feature = json.loads((folder / "datastreamsByFeatureFixture.json").read_text())
    page = {"value": [one for streams in by_feature.values() for one in streams]}
    contract = lake.source(columns=CHANNELS, delivery=delivery())
    rows = lake.judged(contract, lake.deliver("bgs.json", json.dumps(page)))
    assert len(rows) == len(page["value"]) > 100
    assert {row["rule"] for row in rows} == {"no_measurement"}

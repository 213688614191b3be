"""NGSI-LD entities in their representations."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.unit.ingestion.lake import column

CHANNELS = [column("no2", "no2", "ug/m3"), column("temperature", "air_temperature", "Cel")]
T = "2026-03-01T10:00:00Z"
POINT = {"type": "Point", "coordinates": [18.06, 59.33]}


def delivery(**more):
    return {"protocol": "folder", "format": "ngsi_ld", "framing": "document"} | more


def prop(value, **more):
    return {"type": "Property", "value": value, "observedAt": T} | more


def entity(**attributes):
    context = ["https://example.org/context.jsonld"]
    return {"id": "urn:a", "type": "AirQualityObserved", "@context": context} | attributes


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
    return [(row["channel"], row["cell"], row["rule"]) for row in rows]


def test_normalized_and_concise_say_the_same(read):
    rows = read(
        entity(
            no2=prop(69, unitCode="GQ", modifiedAt=T),
            location={"type": "GeoProperty", "value": POINT},
        ),
        entity(
            no2={"value": 69, "unitCode": "GQ", "observedAt": T, "modifiedAt": T}, location=POINT
        ),
    )
    assert {
        (r["device"], r["channel"], r["value"], r["unit"], r["longitude"], r["latitude"])
        for r in rows
    } == {("urn:a", "no2", 69.0, "ug/m3", 18.06, 59.33)}
    assert len(rows) == 2
    assert {(str(r["t"]), str(r["result_time"])) for r in rows} == {("2026-03-01 10:00:00",) * 2}


def test_values_of_every_kind(read):
    values = {"a": 1.5, "b": True, "c": "klar", "d": [1, 2], "e": {"x": 1}, "f": None}
    rows = read(entity(**{name: prop(value) for name, value in values.items()}))
    assert [(r["channel"], r["cell"], r["value"], r["text"]) for r in rows] == [
        ("a", "1.5", 1.5, None),
        ("b", "true", 1, None),
        ("c", "klar", None, "klar"),
        ("d", "[1,2]", None, "[1,2]"),
        ("e", '{"x":1}', None, '{"x":1}'),
        ("f", None, None, None),
    ]
    assert rows[-1]["rule"] == "empty_value"


def test_other_kinds_of_attributes_are_no_danger(read):
    rows = read(
        entity(
            no2=prop(1),
            road={"type": "Relationship", "object": "urn:b", "observedAt": T},
            area={"type": "GeoProperty", "value": POINT, "observedAt": T},
            name={"type": "LanguageProperty", "languageMap": {"sv": "å"}, "observedAt": T},
            word={"type": "VocabProperty", "vocab": "x", "observedAt": T},
            items={"type": "ListProperty", "valueList": [1, 2], "observedAt": T},
            when={"type": "Property", "value": {"@type": "DateTime", "@value": T}, "observedAt": T},
        )
    )
    assert {row["channel"]: row["cell"] for row in rows} == {
        "items": "[1,2]",
        "name": '{"sv":"å"}',
        "no2": "1",
        "when": T,
        "word": "x",
    }


def test_datasets_are_channels_of_their_own(read):
    rows = read(entity(no2=[prop(1), prop(2, datasetId="urn:d:1")]))
    assert [(r["channel"], r["value"], r["is_known"]) for r in rows] == [
        ("no2", 1, True),
        ("no2@urn:d:1", 2, False),
    ]


def test_temporal_representations(read):
    later = "2026-03-01T11:00:00Z"
    normalized = [entity(no2=[prop(1), prop(2, observedAt=later)], temperature=prop(3))]
    pairs = entity(no2={"type": "Property", "values": [[1, T], [2, later]]})
    rows = read(normalized, pairs)
    told = [(r["_file"], r["channel"], r["value"], r["t"].hour) for r in rows]
    assert told == [
        (0, "no2", 1, 10),
        (0, "no2", 2, 11),
        (0, "temperature", 3, 10),
        (1, "no2", 1, 10),
        (1, "no2", 2, 11),
    ]
    aggregated = entity(no2={"type": "Property", "avg": [[1, T, later]]})
    (row,) = read(aggregated)
    assert (row["rule"], "aggregatedValues" in row["reason"]) == ("format", True)


def test_a_notification_and_a_list_hold_entities(read):
    data = [entity(no2=prop(1)), entity(id="urn:b", no2=prop(2))]
    notification = {"id": "urn:n", "type": "Notification", "notifiedAt": T, "data": data}
    rows = read(notification, data, json.dumps(notification) + " ")
    assert [(r["_file"], r["device"], r["value"]) for r in rows] == [
        (n, device, value) for n in range(3) for device, value in (("urn:a", 1), ("urn:b", 2))
    ]


def test_simplified_is_refused_unless_the_contract_says_when(read):
    simplified = entity(
        no2=69, other=5, name="torg", dateObserved="2026-07-01T11:00:00/2026-07-01T12:00:00"
    )
    (row,) = read(simplified)
    assert (row["channel"], row["rule"]) == ("no2", "time_missing")
    (row,) = read(simplified, columns=[column("x", "no2", "ug/m3")])
    assert (row["channel"], row["rule"]) == (None, "time_missing")
    assert "delivery.time.columns" in row["reason"]
    rows = read(simplified, time={"columns": ["dateObserved"], "zone": "Europe/Madrid"})
    assert [(r["channel"], r["value"], str(r["t"]), str(r["t_end"])) for r in rows] == [
        ("no2", 69, "2026-07-01 09:00:00", "2026-07-01 10:00:00"),
        ("other", 5, "2026-07-01 09:00:00", "2026-07-01 10:00:00"),
    ]


def test_the_time_of_the_contract_may_have_another_format(read):
    rule = {"columns": ["at"], "format": "%d.%m.%Y %H:%M", "zone": "Europe/Stockholm"}
    (row,) = read(entity(no2=1, at="01.07.2026 11:30"), time=rule)
    assert str(row["t"]) == "2026-07-01 09:30:00"
    (row,) = read(entity(no2=1, at="sedan"), time=rule)
    assert (row["rule"], "sedan" in row["reason"]) == ("time_unreadable", True)


def test_what_describes_the_entity_gives_no_row(read):
    rows = read(entity(no2=prop(1), owner={"type": "Property", "value": "x"}, height=3))
    assert series(rows) == [("no2", "1", None)]
    rows = read(entity(no2=prop(1), temperature={"type": "Property", "value": 2}))
    assert series(rows) == [("no2", "1", None), ("temperature", "2", "time_missing")]


@pytest.mark.parametrize(
    ("content", "rule", "reason"),
    [
        ('{"id": "a", "no2": ', "layout", "not a whole JSON document"),
        ('[{"id": "a", "id": "b"}]', "layout", "a key twice"),
        ('[{"id": "a", "no2": {"value": 1, "value": 2}}]', "layout", "a key twice"),
        ('[{"id": "a", "no2": [{"value": 1, "value": 2}]}]', "layout", "a key twice"),
        ("[5]", "layout", "no JSON object: 5"),
        ("[null]", "layout", "no JSON object"),
        ('{"type": "x"}', "format", "it has no id"),
        ('{"id": "a", "type": "Feature", "properties": {}}', "format", "GeoJSON"),
        ('{"id": "a", "type": "x"}', "time_missing", "no attribute says when"),
        (b'{"id": "\xff"}', "encoding", "not utf-8"),
        (json.dumps(entity(no2=prop(1, observedAt="igår"))), "time_unreadable", "igår"),
        (json.dumps(entity(no2=prop(1, observedAt=T[:-1]))), "time_unreadable", "no offset"),
        (json.dumps(entity(no2=prop(float("nan")))), "value_not_finite", "NaN"),
        (json.dumps(entity(no2=prop("7"))), "value_unreadable", "no number"),
        ('{"id":"a","no2":' + "[" * 5000 + "]" * 5000 + "}", None, ""),
    ],
)
@pytest.mark.parametrize("framing", ["document", "lines"])
def test_damage_does_not_stop_the_others(read, content, rule, reason, framing):
    good = entity(no2=prop(1))
    rows = read(good, content, good, framing=framing)
    first, broken, last = rows
    assert (first["verdict"], last["verdict"]) == ("sound", "sound")
    assert broken["verdict"] == "broken"
    assert rule is None or (broken["rule"] == rule and reason in broken["reason"])


def test_many_entities_in_one_file_keep_their_own_rows(read):
    entities = [entity(id=f"urn:{n}", no2=[prop(k) for k in range(n)]) for n in range(1, 60)]
    rows = read(entities)
    assert [(r["device"], r["value"]) for r in rows] == [
        (f"urn:{n}", k) for n in range(1, 60) for k in range(n)
    ]
    assert len({r["_row"] for r in rows}) == len(rows)


def real(real_data, pattern):
    found = sorted((real_data / "iot").glob(pattern))
    assert found
    return found


def test_real_normalized_entities_value_by_value(lake, real_data):
    rule = {"columns": ["dateObserved"], "zone": "Europe/Madrid"}
    contract = lake.source(columns=CHANNELS, delivery=delivery(time=rule))
    (path,) = real(
        real_data, "fiware-environment/AirQualityObserved/examples/example-normalized.jsonld"
    )
    rows = lake.judged(contract, lake.deliver("air.jsonld", path.read_bytes()))
    told = {row["channel"]: (row["value"], row["unit"]) for row in rows}
    assert told["no2"] == (69, "ug/m3")
    assert told["co"] == (500, "mg/m3")
    assert {row["t"] for row in rows} == {datetime(2016, 3, 15, 10)}
    document = json.loads(path.read_text())
    assert {name: value for name, (value, _) in told.items()} == {
        name: attribute["value"]
        for name, attribute in document.items()
        if isinstance(attribute, dict) and isinstance(attribute.get("value"), int | float)
    }


def test_real_entities_of_every_shape_give_rows_or_reasons(lake, real_data):
    contract = lake.source(columns=CHANNELS, delivery=delivery())
    paths = real(real_data, "fiware-*/*/examples/*.json*")
    paths = [path for path in paths if path.suffix != ".csv"]
    rows = lake.judged(
        contract, *(lake.deliver(f"{n}.json", path.read_bytes()) for n, path in enumerate(paths))
    )
    assert {row["_file"] for row in rows} == set(range(len(paths)))
    assert all(row["reason"] for row in rows if row["verdict"] == "broken")
    for row in rows:
        if row["rule"] == "format":
            assert "geojsonfeature" in paths[row["_file"]].name

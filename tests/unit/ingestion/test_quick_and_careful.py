"""Nested JSON that was spoilt at random: the quick way and the careful one give the same rows."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingestion.reading import elements
from tests.unit.ingestion.lake import column

T = "2026-03-01T10:00:00Z"
CHANNELS = [column("temperature", "air_temperature", "Cel")]


def observation(number: int) -> dict[str, Any]:
    return {"@iot.id": number, "phenomenonTime": T, "resultTime": None, "result": number + 0.5}


def stream(number: int) -> dict[str, Any]:
    return {
        "@iot.id": number,
        "name": "air",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C"},
        "ObservedProperty": {"name": "temperature"},
        "Observations": [observation(one) for one in range(3)],
    }


def group(number: int) -> dict[str, Any]:
    return {
        "Datastream": {"@iot.id": number, "ObservedProperty": {"name": "temperature"}},
        "components": ["phenomenonTime", "result"],
        "dataArray": [[T, 1.5], [T, 2]],
    }


PAGES: dict[str, Any] = {
    "things": {
        "value": [
            {"@iot.id": one, "name": f"mast {one}", "Datastreams": [stream(1), stream(2)]}
            for one in range(2)
        ]
    },
    "streams": {"@iot.nextLink": "x/Datastreams?$skip=2", "value": [stream(1), stream(2)]},
    "arrays": {"value": [group(1), group(2)]},
    "both": {"value": [group(1), stream(2)]},
}
ENTITIES: dict[str, Any] = {
    "temporal": [
        {
            "id": f"urn:{one}",
            "type": "Air",
            "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
            "temperature": [
                {"type": "Property", "value": one + n, "observedAt": T, "unitCode": "CEL"}
                for n in range(3)
            ],
        }
        for one in range(2)
    ],
    "normalized": {
        "data": [{"id": "a", "type": "A", "temperature": {"value": 1, "observedAt": T}}]
    },
}
PACKS: dict[str, Any] = {
    "first": [
        {"bn": "urn:dev:ow:1:", "bt": 1772359200, "n": "temperature", "u": "Cel", "v": 1.5},
        {"n": "temperature", "u": "Cel", "t": 60, "v": -2},
        {"n": "humidity", "t": 120, "v": 3e1},
    ],
    "apart": [
        {"bn": "mast/1/", "bt": 1772359200, "bu": "Cel", "bver": 10},
        {"n": "temperature", "t": 60, "v": 2},
        {"n": "state", "t": 1, "vs": "on"},
        {"n": "open", "vb": True},
    ],
    "whole": [{"n": "a:temperature", "u": "Cel", "t": 1772359200, "v": 1}],
}
WRONG = st.sampled_from(
    (
        *(None, True, 5, -0.0, 1e300, 10**30, math.nan, "", "5", "NaN", "x"),
        *([], [7], [None], [[T, 1]], [{"result": 1}], {}, {"a": 1}, {"value": 2}),
    )
).map(copy.deepcopy)
KNOWN = (
    "Things", "Observations", "Datastreams@iot.nextLink", "Observations@iot.nextLink", "values",
    "object", "bt", "bn", "bv", "bver", "s", "vs", "ut_",
)  # fmt: skip
NOT_READ = ("@iot.id", "type")
TWICE = "~twice"
"""At the end of a key: it is written once more as it was."""


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that stands in a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in items:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


@st.composite
def spoilt(draw: st.DrawFn, document: Any) -> str:
    """A document as text, with a few things in it wrong."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        *above, key = draw(st.sampled_from(places(document) or [(None,)]))
        if key is None:
            break
        node = document
        for step in above:
            node = node[step]
        match draw(st.sampled_from(["wrong", "wrong", "gone", "twice", "more"])):
            case "wrong":
                node[key] = draw(WRONG)
            case "gone":
                del node[key]
            case "twice" if isinstance(node, dict) and key not in NOT_READ:
                node[f"{str(key).removesuffix(TWICE)}{TWICE}"] = draw(WRONG)
            case "more" if isinstance(node, dict):
                node[draw(st.sampled_from(KNOWN))] = draw(WRONG)
            case _:
                node[key] = None
    text = json.dumps(document, indent=draw(st.sampled_from([None, 1]))).replace(TWICE, "")
    return text[: -draw(st.sampled_from([1, 20]))] if draw(st.integers(0, 15)) == 0 else text


@pytest.fixture
def read(lake):
    def judged(form: str, texts: list[str], framing: str = "document") -> list[dict[str, Any]]:
        rule = {"protocol": "folder", "format": form, "framing": framing}
        contract = lake.source(columns=CHANNELS, delivery=rule)
        rows = lake.judged(
            contract, *(lake.deliver(f"{n}.json", one) for n, one in enumerate(texts))
        )
        # NaN is not itself.
        return [{key: repr(value) for key, value in row.items()} for row in rows]

    return judged


def both(
    read, monkeypatch, form: str, texts: list[str], framing: str = "document"
) -> tuple[list[Any], list[Any]]:
    quick = read(form, texts, framing)
    with monkeypatch.context() as patch:
        patch.setattr(elements, "_BULK_BYTES", -1)
        return quick, read(form, texts, framing)


def verdicts(rows: list[dict[str, Any]]) -> list[Any]:
    """Sound rows whole; of a broken one, where it is told and why hangs on the way."""
    return sorted(
        [f"{row}" for row in rows if row["verdict"] == "'sound'"]
        + [row["rule"] for row in rows if row["verdict"] != "'sound'"]
    )


FEW = settings(  # each example is a delivery of many files
    max_examples=6,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def many(documents: dict[str, Any]) -> st.SearchStrategy[list[str]]:
    """Files, some of each document."""
    one = st.sampled_from(list(documents)).flatmap(lambda name: spoilt(documents[name]))
    return st.lists(one.filter(bool), min_size=12, max_size=12)


@FEW
@given(many(PAGES))
def test_sensorthings(read, monkeypatch, texts):
    quick, careful = both(read, monkeypatch, "sensorthings", texts)
    for number, text in enumerate(texts):
        assert of(number, quick) == of(number, careful), text


@FEW
@given(many(ENTITIES))
def test_ngsi_ld(read, monkeypatch, texts):
    quick, careful = both(read, monkeypatch, "ngsi_ld", texts)
    for number, text in enumerate(texts):
        assert verdicts(of(number, quick)) == verdicts(of(number, careful)), text


def test_an_empty_list_has_a_number_in_ngsi_ld(read, monkeypatch):
    first, second = ENTITIES["temporal"]
    text = json.dumps([first | {"none": []}, second])
    quick, careful = both(read, monkeypatch, "ngsi_ld", [text])
    assert quick == careful


@FEW
@given(many(PACKS))
def test_senml(read, monkeypatch, texts):
    quick, careful = both(read, monkeypatch, "senml", texts)
    for number, text in enumerate(texts):
        assert of(number, quick) == of(number, careful), text


@FEW
@given(many(PACKS))
def test_senml_by_line(read, monkeypatch, texts):
    files = ["\n".join(" ".join(one.split("\n")) for one in texts[at : at + 3]) for at in (0, 3, 6)]
    quick, careful = both(read, monkeypatch, "senml", files, "lines")
    for number, text in enumerate(files):
        assert of(number, quick) == of(number, careful), text


def of(number: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["_file"] == str(number)]


@pytest.mark.parametrize("page", PAGES)
def test_clean_pages_are_read_the_quick_way(lake, monkeypatch, read, page):
    monkeypatch.setattr(elements, "load", None)
    rows = read("sensorthings", [json.dumps(PAGES[page])])
    assert len(rows) == {"things": 12, "streams": 6, "arrays": 4, "both": 5}[page]

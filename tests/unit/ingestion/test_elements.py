"""Objects inside documents: the bulk way and the careful way find the same ones."""

from __future__ import annotations

import json

import pytest

from ingestion.reading import elements
from tests.unit.ingestion.lake import column

CHANNELS = [column("result", "air_temperature", "Cel")]
PAGE = {
    "@iot.nextLink": "/v1.1/Datastreams(1)/Observations?$skip=1",
    "value": [{"phenomenonTime": "2026-03-01T10:00:00Z", "result": 1}],
}


@pytest.fixture
def read(lake):
    def judged(contents: dict[str, str]):
        form = {"protocol": "folder", "format": "sensorthings", "framing": "document"}
        contract = lake.source(columns=CHANNELS, delivery=form)
        return lake.judged(contract, *(lake.deliver(*one) for one in contents.items()))

    return judged


def test_more_damaged_files_than_the_search_bears(read):
    contents = {
        f"{n}.json": json.dumps(PAGE | {"n": n})[: -1 if n % 2 else None] for n in range(60)
    }
    rows = read(contents)
    assert [(row["_file"], row["rule"]) for row in rows] == [
        (n, "layout" if n % 2 else None) for n in range(60)
    ]


def test_parts_of_any_size_give_the_same_rows(read, monkeypatch):
    contents = {f"{n}.json": json.dumps(PAGE | {"n": n}) for n in range(20)} | {"x.json": "[5]"}
    whole = read(contents)
    monkeypatch.setattr(elements, "_AT_ONCE", 100)
    assert read(contents) == whole
    assert len(whole) == 21


def test_a_file_too_large_for_the_bulk_is_read_carefully(read, monkeypatch):
    bulk = read({"a.json": json.dumps(PAGE)})
    monkeypatch.setattr(elements, "_BULK_BYTES", 10)
    assert read({"a.json": json.dumps(PAGE)}) == bulk
    assert bulk[0]["value"] == 1


def test_a_byte_order_mark_and_space_before_the_document(read):
    text = json.dumps(PAGE)
    rows = read({"a.json": "\n  " + text, "b.json": "\ufeff" + text, "c.json": " " * 99 + text})
    assert [row["rule"] for row in rows] == [None] * 3

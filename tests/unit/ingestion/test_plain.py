"""Rows that were read the quick way and break a rule: quarantine shows what the record said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestion.formats import (
    ngsi,
    ngsi_temporal,
    senml,
    senml_packs,
    sensorthings,
    sensorthings_pages,
)
from tests.unit.ingestion.lake import column, new_lake

HOT = [21.5, 999, 22]
"""The second is above what the contract allows."""
PAGES: dict[str, Any] = {
    "sensorthings": {
        "value": [
            {
                "name": "mast",
                "Datastreams": [
                    {
                        "@iot.id": 1,
                        "name": "temperature",
                        "Observations": [
                            {"phenomenonTime": f"2026-03-01T1{n}:00:00Z", "result": one}
                            for n, one in enumerate(HOT)
                        ],
                    }
                ],
            }
        ]
    },
    "ngsi_ld": [
        {
            "id": "urn:mast",
            "type": "Air",
            "name": {"type": "Property", "value": "a mast"},
            "temperature": [
                {"type": "Property", "value": one, "observedAt": f"2026-03-01T1{n}:00:00Z"}
                for n, one in enumerate(HOT)
            ],
        }
    ],
    "senml": [
        {"bn": "mast:", "bt": 1772359200},
        *({"n": "temperature", "t": n, "v": one} for n, one in enumerate(HOT)),
    ],
}

QUICK = {"sensorthings": sensorthings_pages, "ngsi_ld": ngsi_temporal, "senml": senml_packs}
CAREFUL = {"sensorthings": sensorthings, "ngsi_ld": ngsi, "senml": senml}


def taken(folder, form: str, text: str) -> tuple[list[Any], int]:
    """What quarantine shows after a file was taken, and the rows that landed."""
    lake = new_lake(folder)
    limited = column("temperature", "air_temperature", "Cel", limits=(-50, 60))
    rule = {"protocol": "folder", "format": form, "framing": "document"}
    contract = lake.source(columns=[limited], delivery=rule)
    lake.deliver("a.json", text)
    lake.ingest(contract)
    shown = [(row["rule"], row["raw"], row["_row"]) for row in lake.quarantine()]
    return shown, len(lake.bronze())


@pytest.mark.parametrize("form", PAGES)
def test_a_broken_row_is_shown_as_the_careful_reader_has_it(tmp_path, monkeypatch, form):
    text = json.dumps(PAGES[form])
    quick, landed = taken(tmp_path / "quick", form, text)
    module = QUICK[form]
    monkeypatch.setattr(module, "read", lambda connection, members, *_: (None, list(members)))
    assert (quick, landed) == taken(tmp_path / "careful", form, text)
    ((rule, raw, _),) = quick
    assert rule == "value_above_maximum"
    assert "999" in raw
    assert landed == 2


@pytest.mark.parametrize("form", PAGES)
def test_plain_files_are_read_the_quick_way_and_others_by_themselves(lake, monkeypatch, form):
    module = CAREFUL[form]
    left: list[int] = []
    careful = module._read_carefully

    def seen(contract, connection, members):
        left.extend(member.number for member in members)
        return careful(contract, connection, members)

    monkeypatch.setattr(module, "_read_carefully", seen)
    contract = lake.source(
        columns=[column("temperature", "air_temperature", "Cel")],
        delivery={"protocol": "folder", "format": form, "framing": "document"},
    )
    plain = json.dumps(PAGES[form])
    odd = plain.replace("21.5", '{"a": 1}')
    paths = [lake.deliver(f"{n}.json", one) for n, one in enumerate([plain, odd, plain + "\n"])]
    rows = lake.judged(contract, *paths)
    assert set(left) == ({1} if form != "sensorthings" else set())
    assert {row["_file"] for row in rows if row["verdict"] == "sound"} == {0, 1, 2}

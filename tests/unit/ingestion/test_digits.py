"""D3: every number lands as it was delivered or is broken by name, whichever reader took it."""

from __future__ import annotations

import json

import pytest

from tests.unit.ingestion.lake import CSV, column

AT = "2026-10-19T10:00:00"
LINES = {
    "protocol": "folder",
    "format": "json",
    "framing": "lines",
    "time": {"columns": ["at"], "zone": "UTC"},
    "device": {"column": "id"},
}
STOCKHOLM = {"time": {"columns": ["at"], "zone": "Europe/Stockholm"}}
WAYS = {
    "csv in order": CSV | {"time": {"columns": ["at"], "zone": "UTC"}},
    "csv in bulk": CSV | STOCKHOLM,
    "csv by line": CSV | STOCKHOLM | {"csv": {"delimiter": ";", "encoding": "utf-8-sig"}},
    "json in order": LINES,
    "json in bulk": LINES | STOCKHOLM,
    "json one by one": LINES | {"records": "$"},
}
EXACT = (
    "0.30000000000000004", "-0.0", "1e308", "5e-324", "0.1", "0.1000000000000000055511151231257827",
    "21.50", "9223372036854775808", "0.10000000000000001", "21.5000000000000000",
    "1.7976931348623157e+308",
)  # fmt: skip
"""A double tells these: int64 max + 1 is 2^63, 0.1 is nearly 0.10000000000000000555, and 17 digits
are a double's own."""
LONG = (
    "9223372036854775807", "9007199254740993", "9007199254740993.0",
    "12345678901234567890.123456789012345678", "0.1000000000000000055511151231257829",
    "12345678901234567890123456789012345678", "21.3333333333333333", "-1.2345678901234567891e-5",
    "123456789012345678E2",
)  # fmt: skip
"""And not these."""
ENDLESS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")


@pytest.fixture(params=WAYS)
def judge(lake, request):
    way = request.param

    def judged(*cells: str, kind: str = "number"):
        columns = [
            column("meter" if "csv" in way else "id", kind="string"),
            column("at", kind="string"),
            column("v", "active_energy", "kW.h", kind=kind),
        ]
        if "csv" in way:
            text = "meter;at;v\n" + "".join(f"m1;{AT};{cell}\n" for cell in cells)
        else:
            text = "".join(f'{{"id": "m1", "at": "{AT}Z", "v": {cell}}}\n' for cell in cells)
        contract = lake.source(columns=columns, delivery=WAYS[way])
        return lake.judged(contract, lake.deliver("a.txt", text))

    return judged


def test_what_a_double_tells_is_a_value_alone(judge):
    rows = judge(*EXACT)
    assert [(row["verdict"], row["text"]) for row in rows] == [("sound", None)] * len(EXACT)
    assert [row["value"] for row in rows] == [float(cell) for cell in EXACT]


def test_what_it_does_not_tell_keeps_its_text_beside_the_nearest(judge):
    rows = judge("1", *LONG)
    assert [row["verdict"] for row in rows] == ["sound"] * (len(LONG) + 1)
    assert [row["text"] for row in rows] == [None, *LONG]
    assert [row["value"] for row in rows] == [1.0, *map(float, LONG)]


def test_a_zero_below_zero_stays_one(lake):
    columns = [column("meter", kind="string"), column("at", kind="string"),
               column("v", "active_energy", "kW.h")]  # fmt: skip
    lake.deliver("a.csv", f"meter;at;v\nm1;{AT};-0.0\n")
    lake.ingest(lake.source(columns=columns, delivery=WAYS["csv in order"]))
    assert [repr(row["value"]) for row in lake.bronze()] == ["-0.0"]


def test_what_is_not_finite_is_broken(judge):
    rows = judge("1", *ENDLESS)
    assert [row["rule"] for row in rows] == [None, *["value_not_finite"] * len(ENDLESS)]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("7", None),
        ("7.0", None),
        ("-0", None),
        ("15e-1", "value_not_integer"),
        ("1.5", "value_not_integer"),
        ("1.00000000000000000001", "value_not_integer"),
        ("1.00000000000000000000", None),
        ("9007199254740991", None),
        ("-9007199254740991", None),
        ("9007199254740992", "value_too_large"),
        ("9007199254740993", "value_too_large"),
        ("9223372036854775808", "value_too_large"),
        ("1e300", "value_too_large"),
        ("1e400", "value_not_finite"),
    ],
)
def test_integers_are_whole_and_exact(judge, cell, rule):
    first, found = judge("1", cell, kind="integer")
    assert (first["rule"], found["rule"]) == (None, rule)
    if rule is None:
        assert (found["value"], found["text"]) == (float(cell), None)
    else:
        assert found["reason"].startswith("v is '")
    # The control: of a number nothing more is asked than that it is finite.
    _, number = judge("1", cell)
    assert number["rule"] == (rule if rule == "value_not_finite" else None)


def test_numbers_that_only_their_last_digits_tell_apart_are_two(lake):
    """The control of why it is kept: as doubles one of them would be a duplicate, and lost."""
    cells = ("12345678901234567890.1", "12345678901234567890.2")
    assert len(set(map(float, cells))) == 1
    columns = [column("meter", kind="string"), column("at", kind="string"),
               column("v", "active_energy", "kW.h")]  # fmt: skip
    contract = lake.source(columns=columns, delivery=WAYS["csv in order"])
    for number, cell in enumerate(cells):
        lake.deliver(f"{number}.csv", f"meter;at;v\nm1;{AT};{cell}\nm2;{AT};1\n")
        ledger = lake.ingest(contract).ledger
        assert (ledger.landed, ledger.duplicates) == (2 - number, number)
    kept = [(row["device"], row["text"]) for row in lake.bronze()]
    assert sorted(kept, key=str) == [("m1", cells[0]), ("m1", cells[1]), ("m2", None)]


@pytest.mark.parametrize("more", [0, 3])
def test_in_the_json_of_platforms_they_are_held_back(lake, more):
    """DuckDB takes their JSON apart, and would make doubles of numbers before anyone sees them."""
    values = ["1.5", "21.3333333333333333", *["2.25"] * more]
    page = {
        "value": [
            {
                "name": "kwh",
                "unitOfMeasurement": {"symbol": "kWh"},
                "Thing": {"name": "m1"},
                "Observations": [
                    {"phenomenonTime": f"2026-10-19T1{n}:00:00Z", "result": f"<{value}>"}
                    for n, value in enumerate(values)
                ],
            }
        ]
    }
    text = json.dumps(page).replace('"<', "").replace('>"', "")
    contract = lake.source(
        columns=[column("kwh", "active_energy", "kW.h")],
        delivery={"protocol": "folder", "format": "sensorthings", "framing": "document"},
    )
    rows = lake.judged(contract, lake.deliver("a.json", text))
    assert [row["rule"] for row in rows] == [None, "value_unreadable", *[None] * more]
    assert rows[1]["reason"] == (
        "kwh is '21.3333333333333333', which is a text, or a number of too many digits"
    )

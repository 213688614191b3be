"""JSON of any shape, read by paths."""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ingestion.formats import json_paths
from ingestion.reading import paths
from lakehouse.errors import ContractError, DeliveryRefused
from lakehouse.settings import PROJECT
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "json",
    "framing": "lines",
    "time": {"columns": ["at"], "zone": "UTC"},
    "device": {"column": "id"},
}
COLUMNS = [column("v", "active_power", "kW")]
AT = "2026-10-19T10:00:00Z"


@pytest.fixture
def read(lake):
    def judged(content: str | bytes, columns=COLUMNS, **changes):
        contract = lake.source(columns=columns, delivery=DELIVERY | changes)
        return lake.judged(contract, lake.deliver("a.json", content))

    return judged


def line(value: str, **more: object) -> str:
    return json.dumps({"id": "a", "at": AT} | more)[:-1] + f', "v": {value}}}'


NUMBERS = [
    ("1.50", "1.50", 1.5, None),
    ("7", "7", 7.0, None),
    ("-0.0", "-0.0", 0.0, None),
    ("1E3", "1E3", 1000.0, None),
    ('"12"', "12", 12.0, None),
    ("9223372036854775808", "9223372036854775808", 2.0**63, None),
    (*["0.12345678901234567890123456789012345678"] * 2, 0.12345678901234568, None),
    (*["12345678901234567890123456789012345678"] * 2, 1.2345678901234568e37, None),
    ("null", None, None, "empty_value"),
    ('""', None, None, "empty_value"),
    ("NaN", "NaN", None, "value_not_finite"),
    ("-Infinity", "-Infinity", None, "value_not_finite"),
    ("1e400", "1e400", None, "value_not_finite"),
    ("true", "true", None, "value_unreadable"),
    ('"varm"', "varm", None, "value_unreadable"),
    ("[1]", None, None, "layout"),
    ('{"x": 1}', None, None, "layout"),
]


def test_numbers_keep_their_text(read):
    """Read by path; that flat lines give the same values and rules says the test below."""
    rows = read("\n".join(line(text) for text, *_ in NUMBERS), records="$")
    assert [(row["rule"], row["cell"]) for row in rows] == [
        (rule, cell) for _, cell, _, rule in NUMBERS
    ]
    for row, (text, _, value, rule) in zip(rows, NUMBERS, strict=True):
        if rule is None:
            assert row["value"] == value
            assert Decimal(row["cell"]) == Decimal(text.strip('"'))


def test_lines_read_in_bulk_are_judged_alike(read):
    text = "\n".join(line(text) for text, *_ in NUMBERS)
    told = ("_row", "device", "t", "value", "rule", "verdict")
    slow, fast = read(text, records="$"), read(text)
    assert [repr([row[name] for name in told]) for row in fast] == [
        repr([row[name] for name in told]) for row in slow
    ]
    assert [r["reason"] for r in fast if r["rule"]] == [r["reason"] for r in slow if r["rule"]]


def test_missing_path_is_an_empty_cell(read):
    (row,) = read(json.dumps({"id": "a", "at": AT}))
    assert (row["verdict"], row["rule"]) == ("filtered", "empty_value")


BROKEN = [
    ('{"id": "a", "at": "' + AT + '", "v": 1', "this is not one whole JSON document"),
    (line('1, "v": 2'), "an object names a key twice: v"),
    ("[]", "'v' is asked of a list"),
    ("null", "'v' is asked of null"),
    ("7", "'v' is asked of a plain value"),
    ('"text"', "'v' is asked of a plain value"),
    ("[" * 100_000 + "]" * 100_000, "nested deeper than any record is"),
    ('{"id": ' * 500 + "1" + "}" * 500, "'id' is an object, not a plain value"),
    (line("1", id={"no": 1}), "'id' is an object, not a plain value"),
]


def test_broken_lines_do_not_stop_the_others(read):
    rows = read("\n".join(f"{line(str(n))}\n{text}" for n, (text, _) in enumerate(BROKEN)))
    assert [row["value"] for row in rows[::2]] == [*range(len(BROKEN))]
    assert [row["_row"] for row in rows] == [*range(1, 2 * len(BROKEN) + 1)]
    for row, (_, reason) in zip(rows[1::2], BROKEN, strict=True):
        assert (row["rule"], reason in row["reason"]) == ("layout", True), row["reason"]


def test_characters_that_are_no_text(read):
    bytes_line = line('"x"').replace('"x"', '"\xff"').encode("latin-1")
    rows = read(b"\n".join([line("1").encode(), bytes_line, line('"\\ud800"').encode()]))
    assert [row["rule"] for row in rows] == [None, "encoding", "encoding"]


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
        "\ufeff\n  <html>",
        '<?xml version="1.0"?><a/>',
    ],
)
@pytest.mark.parametrize("framing", ["lines", "document"])
def test_a_page_is_refused_with_its_first_words(read, page, framing):
    with pytest.raises(DeliveryRefused, match=r"(a web page|XML), not JSON; it begins: <"):
        read(page, framing=framing)


def test_deep_nesting_is_refused_quickly(read):
    begun = time.monotonic()
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    (row,) = read(deep, framing="document", records="$.a[*]")
    assert row["rule"] == "layout"
    assert len(row["reason"]) < 200
    assert time.monotonic() - begun < 5


STATIONS = {
    "owner": "X",
    "stations": [
        {"id": 7, "readings": [{"at": AT, "v": 1.5}, {"at": AT, "v": None}]},
        {"id": 8, "readings": []},
        {"id": 9},
        {"id": 10, "readings": "none"},
        {"id": 11, "readings": [{"at": AT, "v": 3}, None]},
    ],
}


def test_records_in_lists_of_lists(read):
    rows = read(
        json.dumps(STATIONS, indent=1),
        [column("v", "active_power", "kW"), column("owner", kind="string", delivered_as="$.owner")],
        framing="document",
        records="$.stations[*].readings[*]",
        device={"column": "^.id"},
    )
    assert [(row["_row"], row["device"], row["value"], row["rule"]) for row in rows] == [
        (1, "7", 1.5, None),
        (2, "7", None, "empty_value"),
        (3, None, None, "layout"),
        (4, "11", 3, None),
        (5, None, None, "layout"),
    ]
    assert rows[2]["reason"] == "a plain value stands where a list of records should"
    assert rows[4]["reason"] == "'v' is asked of null"


def test_broken_parts_stand_in_quarantine_as_they_were(lake):
    broken = {"stations": [{"readings": 1.50}, {"readings": {"x": 2}}, {"readings": [7]}]}
    contract = lake.source(
        columns=COLUMNS,
        delivery=DELIVERY | {"framing": "document", "records": "$.stations[*].readings[*]"},
    )
    lake.deliver("a.json", json.dumps(broken).replace("1.5", "1.50"))
    assert lake.ingest(contract).ledger.quarantined == 3
    assert [row["raw"] for row in lake.quarantine()] == ["1.50", "2", "7"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"detail": "rate limited"}, "there are no records at $.items[*]: 'items' is missing"),
        ({"items": None}, "there are no records at $.items[*]: 'items' is missing or null"),
        ({"items": 5}, "a plain value stands where a list of records should"),
    ],
)
def test_document_without_its_records(read, document, reason):
    (row,) = read(json.dumps(document), framing="document", records="$.items[*]")
    assert (row["rule"], reason in row["reason"]) == ("layout", True)


def test_list_without_records_is_no_error(read):
    assert read('{"items": []}', framing="document", records="$.items[*]") == []


def test_objects_keyed_by_name_and_the_time_of_receipt(read):
    (row,) = read(
        '{"P1": {"state": {"v": 3}}}',
        [column("v", "active_power", "kW", delivered_as="state.v")],
        framing="document",
        records="$.*",
        device={"column": "@key"},
        time={"columns": ["@received"], "zone": "UTC"},
    )
    assert (row["device"], row["value"], str(row["t"])) == ("P1", 3, "2027-01-01 00:00:00")


def test_parallel_lists_and_plain_values(read):
    rows = read(
        json.dumps({"id": "a", "hourly": {"at": [AT, "2026-10-19T11:00:00Z"], "v": [1, 2.5]}}),
        [column("v", "active_power", "kW", delivered_as="$.hourly.v[@key]")],
        framing="document",
        records="$.hourly.at[*]",
        device={"column": "$.id"},
        time={"columns": ["@"], "zone": "UTC"},
    )
    assert [(row["t"].hour, row["cell"]) for row in rows] == [(10, "1"), (11, "2.5")]


def test_narrow_rows_with_units(read):
    rows = read(
        json.dumps([{"id": "a", "at": AT, "m": {"n": n, "u": u}, "v": 1} for n, u in
                    (("power", "kW"), ("power", "W"), ("other", "?"))]),
        [column("effekt", "active_power", "kW", delivered_as="power")],
        framing="document",
        records="$[*]",
        narrow={"channel": "m.n", "value": "v", "unit": "m.u"},
    )  # fmt: skip
    assert [(row["channel"], row["unit"], row["rule"]) for row in rows] == [
        ("effekt", "kW", None),
        ("effekt", "kW", "unit_differs"),
        ("other", "?", None),
    ]


SAID = [
    ("2026-10-19T10:07:00Z", "2026-10-19 10:07:00"),
    ("2026-10-19T12:07:00+02:00", "2026-10-19 10:07:00"),
    ("2026-10-19 10:07:00", "2026-10-19 10:07:00"),
    ("soon", "None"),
    (None, "None"),
]


@pytest.mark.parametrize("records", [None, "$[*]"])
def test_when_a_value_was_published(read, records):
    """Lines of flat objects are read in bulk, records in a list one by one: both alike."""
    documents = [{"id": "a", "at": f"2026-10-19T10:0{n}:00Z", "said": said, "v": n}
                 for n, (said, _) in enumerate(SAID)]  # fmt: skip
    rows = read(
        json.dumps(documents) if records else "\n".join(map(json.dumps, documents)),
        time={"columns": ["at"], "resultColumns": ["said"], "zone": "UTC"},
        **({"records": records} if records else {}),
    )
    assert [row["rule"] for row in rows] == [None] * len(SAID)
    assert [str(row["result_time"]) for row in rows] == [told for _, told in SAID]


def test_null_markers_hold_too(read):
    (row,) = read(line("-9999"), csv={"nullMarkers": ["-9999"]})
    assert row["rule"] == "empty_value"


def test_clock_of_rows_starts_with_the_first_record(read):
    rows = read(
        "[1, 2]",
        [column("v", "active_power", "kW", delivered_as="@")],
        framing="document",
        records="$[*]",
        device={"constant": "a"},
        time={"sequence": {"start": "2026-01-01 00:00", "stepS": 3600}, "zone": "UTC"},
    )
    assert [str(row["t"]) for row in rows] == ["2026-01-01 00:00:00", "2026-01-01 01:00:00"]


@pytest.mark.parametrize("path", ["a..b", "a[", "a[x]", "@key.a", "a]", "a[*].b"])
def test_what_is_no_path_is_said(read, path):
    with pytest.raises(ContractError, match="is no path"):
        read(line("1"), device={"column": path})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", "1"),
        ('["a.b"]', "2"),
        ("l[0]", "3"),
        ("l[-1]", "4"),
        ("l[7]", None),
        ("$.a.b", "1"),
        ("^.a.b", "1"),
        ("^^^^.a.b", "1"),
        ("Mäthöjd (m)", "5"),
        ("n.x", None),
    ],
)
def test_steps(path, found):
    document = json_paths.decoded(
        '{"a": {"b": 1}, "a.b": 2, "l": [3, 4], "Mäthöjd (m)": 5, "n": null}'
    )
    match = paths.Match((document,), None)
    assert paths.cell(match, paths.parse(path, "here"), "now") == found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_again_is_the_same(document):
    text = json.dumps(document)
    again = json_paths.written(json_paths.decoded(text))
    assert json.loads(again) == json.loads(text)


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=6))
def test_every_item_is_a_record(document):
    found = paths.matches(
        json_paths.decoded(json.dumps(document)), paths.parse("$[*]", "here", many=True)
    )
    assert [match.key for match in found if isinstance(match, paths.Match)] == [
        *range(len(document))
    ]


def test_example_of_the_guide(lake):
    page = (PROJECT / "docs" / "formats" / "by_path.md").read_text("utf-8")
    document, delivery = (
        re.search(rf"```{language}\n(.*?)```", page, re.S)[1] for language in ("json", "yaml")
    )
    contract = lake.source(columns=COLUMNS, delivery=yaml.safe_load(delivery)["delivery"])
    (row,) = lake.judged(contract, lake.deliver("a.json", document))
    assert (row["device"], row["t"].hour, row["value"], row["cell"]) == ("7", 10, 1.5, "1.50")


def test_real_prices_value_by_value(lake, real_data):
    files = sorted((real_data / "opendata" / "elprice-json").glob("*.json"))
    contract = lake.source(
        columns=[column("price", "electricity_price", "{EUR}/(MW.h)")],
        delivery=DELIVERY | {
            "framing": "document",
            "records": "$[*]",
            "time": {"columns": ["time"], "zone": "UTC"},
            "device": {"constant": "SE3"},
        },
    )  # fmt: skip
    rows = lake.judged(contract, *[lake.deliver(f.name, f.read_bytes()) for f in files])
    told = [
        (number, item["time"], Decimal(str(item["price"])))
        for number, file in enumerate(files)
        for item in json.loads(file.read_text())
    ]
    assert len(rows) == len(told) == 7 * 27
    assert [(r["_file"], str(r["t"]), Decimal(r["cell"])) for r in rows] == told
    assert (str(rows[0]["t"]), rows[0]["value"]) == ("2025-01-01 21:00:00", 9.64)


def test_real_prices_cut_anywhere_land_nothing(lake, real_data):
    whole = (real_data / "opendata" / "nordpool" / "delivery_period.json").read_bytes()
    contract = lake.source(
        columns=[column("price", "electricity_price", "{EUR}/(MW.h)",
                        delivered_as="entryPerArea.SE3")],
        delivery=DELIVERY | {
            "framing": "document",
            "records": "$.multiAreaEntries[*]",
            "time": {"columns": ["deliveryStart"], "endColumns": ["deliveryEnd"], "zone": "UTC"},
            "device": {"constant": "SE3"},
        },
    )  # fmt: skip
    rows = lake.judged(contract, lake.deliver("a.json", whole))
    assert [row["verdict"] for row in rows] == ["sound"] * 24
    assert (rows[0]["value"], str(rows[0]["t_end"])) == (21.54, "2024-11-05 00:00:00")
    for size in range(1, len(whole.rstrip()), 1009):
        (row,) = lake.judged(contract, lake.deliver("a.json", whole[:size]))
        assert (row["verdict"], row["rule"]) == ("broken", "layout")

"""Statistics in JSON: JSON-stat 2.0, and PxWeb's older answer."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from ingestion.reading import statistics
from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "json_stat2",
    "time": {"columns": ["Tid"], "zone": "Europe/Stockholm"},
}
COLUMNS = [
    column("folk", "uplink_payload", "1", delivered_as="N1"),
    column("area", "uplink_payload", "1", delivered_as="N2"),
]

DATASET = {
    "version": "2.0",
    "class": "dataset",
    "label": "Folkmängd",
    "updated": "2025-02-21T07:00:00Z",
    "role": {"time": ["Tid"], "metric": ["Contents"]},
    "id": ["Region", "Contents", "Tid"],
    "size": [2, 2, 2],
    "dimension": {
        "Region": {
            # The order is that of the index, not of the keys.
            "category": {"index": {"1917": 1, "0331": 0}, "label": {"0331": "Heby", "1917": "Heby"}}
        },
        "Contents": {
            "category": {
                "index": ["N1", "N2"],
                "label": {"N1": "Folkmängd", "N2": "Areal"},
                "unit": {"N1": {"base": "antal", "decimals": 0}, "N2": {"base": "hektar"}},
            }
        },
        "Tid": {"category": {"index": {"2024K1": 0, "2024K2": 1}}},
    },
    "value": [1, 2.50, 3, 4, None, 6, None, 8],
    "status": {"4": "..", "5": "p"},
}


@pytest.fixture
def read(lake):
    def judged(document: object, **changes):
        contract = lake.source(columns=COLUMNS, delivery=DELIVERY | changes)
        content = document if isinstance(document, str | bytes) else json.dumps(document)
        return lake.judged(contract, lake.deliver("a.json", content))

    return judged


def changed(**changes: object) -> dict[str, object]:
    return deepcopy(DATASET) | changes


def told(rows) -> list[tuple]:
    return [
        (r["device"], r["channel"], r["t"].month, r["cell"], r["quality"], r["rule"]) for r in rows
    ]


DENSE = [
    ("Region=0331", "folk", 12, "1", "good", None),
    ("Region=0331", "folk", 3, "2.5", "good", None),
    ("Region=0331", "area", 12, "3", "good", "unit_unknown"),
    ("Region=0331", "area", 3, "4", "good", "unit_unknown"),
    ("Region=1917", "folk", 12, None, "bad", None),
    ("Region=1917", "folk", 3, "6", "uncertain", None),
    ("Region=1917", "area", 12, None, "good", "unit_unknown"),
    ("Region=1917", "area", 3, "8", "good", "unit_unknown"),
]


def test_dense_values_in_the_order_of_the_index(read):
    rows = read(DATASET)
    assert told(rows) == DENSE
    assert [row["_row"] for row in rows] == [*range(1, 9)]
    assert (str(rows[1]["t"]), str(rows[1]["t_end"])) == (
        "2024-03-31 22:00:00",
        "2024-06-30 22:00:00",
    )
    assert json.loads(rows[0]["attributes"])["Region"] == "Heby"


def test_sparse_values_are_the_figures_that_there_are(read):
    sparse = {"1": 2.5, "7": 8}
    rows = read(changed(value=sparse, status={"4": ".."}))
    assert told(rows) == [DENSE[1], DENSE[4], DENSE[7]]


def test_status_may_be_a_list_or_one_for_all(read):
    listed = [None, "", "e", "e", "..", "p", None, None]
    assert [row["quality_code"] for row in read(changed(status=listed))] == [
        None, None, "e", "e", "..", "p", None, None,
    ]  # fmt: skip
    assert {row["quality_code"] for row in read(changed(status="p"))} == {"p"}
    rules = {"column": "status", "good": ["p"]}
    assert read(DATASET, quality=rules)[5]["quality"] == "good"


def test_category_without_index(read):
    document = changed()
    document["dimension"]["Region"] = {"category": {"label": {"00": "Riket"}}}
    rows = read(document | {"size": [1, 2, 2], "value": [1, 2, 3, 4], "status": None})
    assert {row["device"] for row in rows} == {"Region=00"}


def test_table_without_metric_counts_its_label(read):
    document = changed(id=["Region", "Tid"], size=[2, 2], value=[1, 2, 3, 4], status=None)
    document["role"] = {"time": ["Tid"]}
    assert {row["channel"] for row in read(document)} == {"Folkmängd"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"class": "collection"}, "no JSON-stat 2.0 dataset: class collection"),
        ({"version": "1.0"}, "no JSON-stat 2.0 dataset"),
        ({"size": [2, 2, 3]}, "the categories are otherwise"),
        ({"value": [1, 2]}, "value has 2 items, the table 8 cells"),
        ({"value": {"8": 1}}, "value names a position outside of the 8 cells"),
        ({"value": {"x": 1}}, "lacks or misplaces a part"),
        ({"value": 7}, "value is neither a list nor an object"),
        ({"id": None}, "lacks or misplaces a part"),
        ({"id": ["Region", "X", "Tid"]}, "lacks or misplaces a part: KeyError 'X'"),
        ({"dimension": []}, "lacks or misplaces a part"),
        ({"dimension": {"Region": None}}, "lacks or misplaces a part"),
    ],
)
def test_what_contradicts_itself_is_refused(read, changes, reason):
    with pytest.raises(DeliveryRefused, match=reason):
        read(changed(**changes))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "<html></html>", json.dumps(DATASET)[:-9], b'{"a": "\xff"}', "[" * 100_000, "7"],
)
@pytest.mark.parametrize("form", ["json_stat2", "pxweb_v1"])
def test_what_is_no_table_is_refused(read, content, form):
    with pytest.raises(DeliveryRefused):
        read(content or " ", format=form)


def test_positions_of_categories_have_no_holes(read):
    document = changed()
    document["dimension"]["Region"]["category"]["index"] = {"0331": 0, "1917": 2}
    with pytest.raises(DeliveryRefused, match="the positions of 'Region' are not 0, 1, 2"):
        read(document)


def test_values_that_are_no_numbers(read):
    rows = read(changed(value=["..", "-", "x", True, {"a": 1}, 1e400, 7, 8], status=None))
    assert [(row["cell"], row["quality_code"]) for row in rows[:3]] == [
        (None, ".."),
        ("0", "-"),
        ("x", None),
    ]
    folk = [row["rule"] for row in rows if row["channel"] == "folk"]
    assert folk == [None, None, "value_unreadable", "value_not_finite"]


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2024", "2024-01-01", "2025-01-01"),
        ("2018-2022", "2018-01-01", "2023-01-01"),
        ("2018–2022", "2018-01-01", "2023-01-01"),
        ("2024H2", "2024-07-01", "2025-01-01"),
        ("2024K4", "2024-10-01", "2025-01-01"),
        ("2024-Q1", "2024-01-01", "2024-04-01"),
        ("2024M12", "2024-12-01", "2025-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2020V53", "2020-12-28", "2021-01-04"),
        ("2021W01", "2021-01-04", "2021-01-11"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
    ],
)
def test_periods(text, first, after):
    assert tuple(map(str, statistics.period(text))) == (first, after)


@pytest.mark.parametrize(
    "text",
    ["", "Totalt", "24", "2024K5", "2024M13", "2021V53", "2023-02-29", "2022-2018", "0000", "9999",
     "2024/25", "20241", "2024M"],
)  # fmt: skip
def test_what_is_no_period(text):
    assert statistics.period(text) is None


def test_real_population_value_by_value(lake, real_data):
    path = real_data / "opendata" / "scb-jsonstat" / "TAB638-jsonstat2.json"
    contract = lake.source(
        columns=[column("folk", "uplink_payload", "1", delivered_as="BE0101N1")],
        delivery=DELIVERY,
    )
    document = json.loads(path.read_text())
    (row,) = lake.judged(contract, lake.deliver("a.json", path.read_bytes()))
    (year,) = document["dimension"]["Tid"]["category"]["index"]
    assert row["device"] == "Region=00;Civilstand=OG;Alder=0;Kon=1"
    assert (row["value"], row["verdict"]) == (document["value"][0], "sound")
    assert row["t_end"].year == int(year)
    assert json.loads(row["attributes"])["Region"] == "Riket"


def test_real_answers_of_pxweb_value_by_value(lake, real_data):
    contract = lake.source(
        columns=[column("folk", "uplink_payload", "1", delivered_as="BE0101N1")],
        delivery=DELIVERY | {"format": "pxweb_v1"},
    )
    folder = real_data / "opendata" / "scb-jsonstat"
    for name, devices in (
        ("BefolkningNy-v1.json", ["Civilstand=OG", "Civilstand=G", "Civilstand=SK",
                                  "Civilstand=ÄNKL"]),
        ("ME0104T24-v1.json", ["Parti=M;Kon=1", "Parti=C;Kon=1"]),
    ):  # fmt: skip
        document = json.loads((folder / name).read_text())
        rows = lake.judged(contract, lake.deliver(name, (folder / name).read_bytes()))
        assert [row["cell"] for row in rows] == [row["values"][0] for row in document["data"]]
        assert [row["device"] for row in rows] == devices
        assert {row["verdict"] for row in rows} == {"sound"}
        assert {row["t_end"].year for row in rows} == {int(document["data"][0]["key"][-1])}


def test_pxweb_rows_need_all_their_keys(read):
    document = {
        "columns": [{"code": "Tid", "type": "t"}, {"code": "N1", "type": "c"}],
        "data": [{"key": ["2024"], "values": [".."]}, {"key": ["2025"], "values": ["1.50"]}],
    }
    rows = read(document, format="pxweb_v1")
    assert [(row["cell"], row["quality_code"], row["device"]) for row in rows] == [
        (None, "..", "value"),
        ("1.50", None, "value"),
    ]
    document["data"][1]["key"] = ["2025", "x"]
    with pytest.raises(DeliveryRefused, match="another number of keys or values"):
        read(document, format="pxweb_v1")

"""D1: what comes first, and in which types, decides nothing; the contract does."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import delta, tables
from tests.unit.ingestion.lake import CSV, METER, column

HEAD = "meter;time;kwh;state\n"
COLUMNS = (*METER, column("state", "operating_state", "1", kind="string"))
SOUND = "m1;2026-10-19T11:00:00;5;on\n"


def types(lake) -> dict[str, str]:
    """Names and types of bronze as its log tells them."""
    table = delta.open_table(tables.bronze(lake.settings, "meters"))
    return {field.name: str(field.type) for field in pa.schema(table.schema().to_arrow())}


@pytest.mark.parametrize(
    "first",
    [HEAD, HEAD + "m1;2026-10-19T10:00:00;;\n", HEAD + "m1;2026-10-19T10:00:00;x;\n", HEAD + "?\n"],
    ids=["no_record", "nothing_but_empty", "nothing_sound", "nothing_at_all"],
)
def test_a_first_delivery_without_values_makes_a_table_that_others_fit(lake, first):
    contract = lake.source(columns=COLUMNS)
    lake.deliver("a.csv", first)
    assert lake.ingest(contract).ledger.landed == 0
    assert not {kind for kind in types(lake).values() if "null" in kind.lower()}
    lake.deliver("b.csv", HEAD + SOUND)
    assert lake.ingest(contract).ledger.landed == 2
    assert [(row["channel"], row["value"], row["text"]) for row in lake.bronze()] == [
        ("kwh", 5.0, None),
        ("state", None, "on"),
    ]
    query = "select count(*), sum(value) from {bronze}"
    assert lake.query(query, bronze=tables.bronze(lake.settings, "meters")) == [(2, 5.0)]


def test_delta_alone_makes_a_table_of_nothing(tmp_path):
    """The control: a first batch of empty cells gives a column of no type, which stays so."""
    write_deltalake(str(tmp_path / "t"), pa.table({"value": pa.array([None], pa.null())}))
    schema = pa.schema(DeltaTable(str(tmp_path / "t")).schema().to_arrow())
    assert "null" in str(schema.field("value").type)


@pytest.mark.parametrize(
    ("cell", "values", "rules"),
    [
        ("12", [12.0], []),
        ("1.7", [], ["value_not_integer"]),
        ("9007199254740993", [], ["value_too_large"]),
    ],
)
def test_a_number_is_never_cut_to_an_integer(lake, cell, values, rules):
    """Delta alone would take 1.7 for 1 in a column of integers."""
    columns = [*METER[:2], column("kwh", "active_energy", "kW.h", kind="integer")]
    lake.deliver("a.csv", f"meter;time;kwh\nm1;2026-10-19T10:00:00;{cell}\n")
    lake.ingest(lake.source(columns=columns))
    assert [row["value"] for row in lake.bronze()] == values
    assert [row["rule"] for row in lake.quarantine()] == rules


def test_delta_alone_cuts_it(tmp_path):
    """The control."""
    write_deltalake(str(tmp_path / "t"), pa.table({"value": pa.array([1], pa.int64())}))
    write_deltalake(str(tmp_path / "t"), pa.table({"value": [1.7]}), mode="append")
    assert DeltaTable(str(tmp_path / "t")).to_pyarrow_table()["value"].to_pylist() == [1, 1]


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("meter;time", "m1;2026-10-19T10:00:00", "are missing: kwh"),
        ("meter;time;energy", "m1;2026-10-19T10:00:00;1", "are missing: kwh"),
        ("meter;time;KWH", "m1;2026-10-19T10:00:00;1", "are missing: kwh"),
    ],
    ids=["dropped", "renamed", "other_case"],
)
def test_a_column_that_is_gone_stops_its_delivery_and_no_other(lake, header, row, said):
    contract = lake.source(delivery=CSV)
    lake.deliver("a.csv", f"{header}\n{row}\n")
    lake.deliver("b.csv", "kwh;meter;time\n2;m2;2026-10-19T10:00:00\n")
    outcome = lake.ingest(contract)
    assert [receipt.name for receipt in outcome.refused] == ["meters/a.csv"]
    assert said in lake.quarantine()[0]["reason"]
    assert [(row["device"], row["value"]) for row in lake.bronze()] == [("m2", 2.0)]

"""Spreadsheets, the last resort."""

from __future__ import annotations

import contextlib
import io
import zipfile
from datetime import date, datetime
from time import monotonic

import openpyxl
import pytest

from ingestion.formats import excel
from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import column

DELIVERY = {
    "protocol": "folder",
    "format": "excel",
    "csv": {"headerRow": 3},
    "time": {"columns": ["tid"], "zone": "Europe/Stockholm"},
    "device": {"column": "mätare"},
}
COLUMNS = [column("v", "active_power", "kW", delivered_as="effekt")]
HEAD = [["Export 2026"], [], ["tid", "mätare", "effekt", "anm"]]


@pytest.fixture
def read(lake):
    def judged(content: bytes, **changes):
        contract = lake.source(columns=COLUMNS, delivery=DELIVERY | changes)
        return lake.judged(contract, lake.deliver("a.xlsx", content))

    return judged


def book(*rows: list[object], sheets: tuple[str, ...] = ("Blad1",), head=HEAD) -> bytes:
    made = openpyxl.Workbook()
    for name in sheets:
        sheet = made.create_sheet(name)
        for row in [*head, *rows]:
            sheet.append(row)
    made.remove(made.worksheets[0])
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def test_dates_and_numbers_as_cells(read):
    at = datetime(2026, 1, 1, 12, 30)
    rows = read(
        book(
            [at, 1001, 1.5, "å"],
            [date(2026, 1, 2), 1001, 7],
            ["2026-01-03 01:02", "M2", "1.50"],
            [],
            [at, 1001, None],
            [at, 1001, True],
            [at, 1001, "slut"],
            [None, 1001, 1],
        )
    )
    assert [(row["_row"], row["device"], row["cell"], row["rule"]) for row in rows] == [
        (4, "1001", "1.5", None),
        (5, "1001", "7", None),
        (6, "M2", "1.50", None),
        (8, "1001", None, "empty_value"),
        (9, "1001", "true", "value_unreadable"),
        (10, "1001", "slut", "value_unreadable"),
        (11, "1001", "1", "time_missing"),
    ]
    assert [str(row["t"]) for row in rows[:3]] == [
        "2026-01-01 11:30:00",
        "2026-01-01 23:00:00",
        "2026-01-03 00:02:00",
    ]


def test_decimal_comma_in_texts(read):
    (row,) = read(
        book(["2026-01-01", "m", "1,5"]), csv={"headerRow": 3, "decimal": ",", "nullMarkers": ["-"]}
    )
    assert row["value"] == 1.5


def test_sheet_must_be_named_when_there_are_several(read):
    content = book(["2026-01-01", "m", 1], sheets=("Info", "Värden"))
    assert len(read(content, records="Värden")) == 1
    with pytest.raises(DeliveryRefused, match=r"several sheets.*Info, Värden"):
        read(content)
    with pytest.raises(DeliveryRefused, match="there is no sheet 'Blad9'"):
        read(content, records="Blad9")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ([["x"], [], ["tid", "mätare", "annat"]], "columns of the contract are missing: effekt"),
        ([["x"], [], ["tid", "mätare", "effekt", "effekt"]], "stand twice: effekt"),
        ([["x"]], "the header should be in row 3, the sheet has 1"),
    ],
)
def test_header_that_is_not_the_contracts(read, head, reason):
    with pytest.raises(DeliveryRefused, match=reason):
        read(book(head=head))


@pytest.mark.parametrize("content", [b"id;v\n1;2\n", b"PK\x03\x04broken", b"\x00"])
def test_what_is_no_spreadsheet_is_refused(read, content):
    with pytest.raises(DeliveryRefused, match="this is no readable spreadsheet"):
        read(content)


def test_cut_workbook_is_refused(read):
    whole = book(["2026-01-01", "m", 1])
    for size in (len(whole) // 3, len(whole) - 5):
        with pytest.raises(DeliveryRefused, match="this is no readable spreadsheet"):
            read(whole[:size])


def test_old_workbook_is_refused(read):
    with pytest.raises(DeliveryRefused, match=r"an \.xls of before 2007.*Ask for CSV, or for"):
        read(b"\xd0\xcf\x11\xe0" * 200)


def test_sheet_at_the_row_limit_was_probably_cut(read, monkeypatch):
    assert excel.LAST_ROW == 1_048_576
    monkeypatch.setattr(excel, "LAST_ROW", 6)
    full = [["2026-01-01", "m", n] for n in range(4)]
    assert len(read(book(*full[:2]))) == 2
    assert len(read(book(*full[:2], [None, None, None, None]))) == 2
    for count in (3, 4):
        with pytest.raises(DeliveryRefused, match="has 6 rows, all that it can hold"):
            read(book(*full[:count]))


def changed(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """A workbook with one of its parts changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            text = source.read(name)
            assert name != part or old in text
            target.writestr(name, text.replace(old, new) if name == part else text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/worksheets/sheet1.xml", b'r="4"', b'r="99999999999"'),
        ("xl/worksheets/sheet1.xml", b'r="C4"', b'r="ZZZZZZ4"'),
        ("xl/worksheets/sheet1.xml", b"</sheetData>", b""),
        ("xl/worksheets/sheet1.xml", b"<sheetData>", b"<sheetDat>"),
        ("xl/workbook.xml", b"rId1", b"rId9"),
        ("xl/styles.xml", b"<cellXfs", b"<cellXf"),
        ("[Content_Types].xml", b"worksheet", b"nothing"),
    ],
)  # fmt: skip
def test_damage_within_never_ends_the_process(read, part, old, new):
    whole = book(["2026-01-01", "m", 1.5], [datetime(2026, 1, 1), "m", 1.5])
    begun = monotonic()
    with contextlib.suppress(DeliveryRefused):
        assert len(read(changed(whole, part, old, new))) <= 2
    assert monotonic() - begun < 10


def test_error_in_a_cell_is_no_empty_one(read):
    (row,) = read(book(["2026-01-01", "m", "#N/A"]))
    assert (row["cell"], row["rule"]) == ("#N/A", "value_unreadable")


def test_workbook_that_unpacks_too_large_is_refused(read, monkeypatch):
    monkeypatch.setattr(excel, "MAX_BYTES", 1 << 10)
    with pytest.raises(DeliveryRefused, match="unpacks to"):
        read(book(["2026-01-01", "m", 1]))

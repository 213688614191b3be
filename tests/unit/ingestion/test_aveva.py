"""The AVEVA Historian: the statement as SQL Server gets it, and the pages that come of it.

No SQL Server is at hand: its statement is compared with the specification, word by word; the
paging runs over a table of the same columns in PostgreSQL (postgres/test_postgres_rows.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from operator import eq, ge, gt, lt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy.dialects import mssql

from ingestion.fetching import Fetch
from ingestion.protocols import aveva_historian
from ingestion.protocols.sql_pull import Bound
from lakehouse.errors import SourceUnavailable
from tests.unit.ingestion.lake import column, utc

DELIVERY = {
    "protocol": "aveva_historian",
    "format": "aveva_history",
    "device": {"path": r"^(?P<device>.+)\.(?P<channel>[^.]+)$"},
    "pull": {"tags": "VV1.%", "start": "2026-10-01"},
}
COLUMNS = [column("flow", "active_power", "W", delivered_as="PV")]


@pytest.fixture
def contract(lake):
    return lake.source("plant", columns=COLUMNS, delivery=DELIVERY, location="env:SJOSTAD_TEST_DB")


def compiled(contract, *bounds: Bound, tags=("VV1.PV",)) -> str:
    asked = aveva_historian._ask(contract, tags, bounds, 5)
    text = asked.compile(dialect=mssql.dialect(), compile_kwargs={"literal_binds": True})
    return " ".join(str(text).split())


def between(low: datetime, high: datetime) -> tuple[Bound, Bound]:
    return Bound("DateTime", ge, low), Bound("DateTime", lt, high)


def test_statement_word_by_word(contract):
    day = between(datetime(2026, 10, 19, 10, 0, 0, 123456), datetime(2026, 10, 20))
    assert compiled(contract, *day, tags=("VV1.O'Hara", "VV1.Nivå")) == (
        "SELECT TOP 5 history.[TagName], history.[DateTime], history.[Value],"
        " CAST(history.[vValue] AS NVARCHAR(4000)) AS [vValue], history.[Quality],"
        " history.[QualityDetail], history.[OPCQuality]"
        " FROM [Runtime].dbo.[History] AS history"
        " WHERE history.[TagName] IN (N'VV1.O''Hara', N'VV1.Nivå')"
        " AND history.[DateTime] >= '20261019 09:59:59.123'"
        " AND history.[DateTime] < '20261020 00:00:00.000'"
        " AND history.[wwRetrievalMode] = N'Full'"
        " AND history.[wwTimeZone] = N'UTC'"
        " AND history.[wwVersion] = N'Latest'"
        " ORDER BY history.[DateTime], history.[TagName]"
    )


@pytest.mark.parametrize(
    ("bound", "first", "last"),
    [
        (Bound("DateTime", ge, datetime(2026, 10, 19, 10, 0, 0, 999999)),
         "20261019 09:59:59.999", "20261020 00:00:00.000"),
        (Bound("DateTime", gt, datetime(2026, 10, 19, 10, 0, 0, 1)),
         "20261019 09:59:59.000", "20261020 00:00:00.000"),
        (Bound("DateTime", eq, datetime(2026, 10, 19, 10, 0, 0, 500)),
         "20261019 09:59:59.000", "20261019 10:00:00.001"),
        (Bound("DateTime", eq, datetime(2026, 10, 19, 10, 0, 0, 999999)),
         "20261019 09:59:59.999", "20261019 10:00:01.000"),
    ],
)  # fmt: skip
def test_window_is_never_narrower_than_its_bounds(contract, bound, first, last):
    day = between(datetime(2026, 10, 19), datetime(2026, 10, 20))
    assert f">= '{first}' AND history.[DateTime] < '{last}'" in compiled(contract, *day, bound)


def test_windows_are_half_open_and_leave_nothing_out():
    low = datetime.now(UTC).replace(tzinfo=None) - 2.5 * aveva_historian._WINDOW
    windows = list(aveva_historian._windows(low))
    assert len(windows) == 3
    assert windows[0][0].value == low
    for (_, end), (begin, _) in pairwise(windows):
        assert (end.compare, begin.compare, end.value) == (lt, ge, begin.value)
    assert windows[-1][1].value >= low + 2.5 * aveva_historian._WINDOW


def test_pull_begins_where_the_contract_says(lake, contract):
    fetch = Fetch(contract, lake.settings, 0, lake.settings.home, lambda _: False)
    assert aveva_historian._low(fetch) == datetime(2026, 10, 1)
    cursor = int(utc("2026-10-19 10:00").timestamp()) * 1_000_000 + 1
    fetch = Fetch(contract, lake.settings, cursor, lake.settings.home, lambda _: False)
    assert aveva_historian._low(fetch) == datetime(2026, 10, 16, 10, 0, 0, 1)
    without = lake.source(
        "plant", columns=COLUMNS, delivery=DELIVERY | {"pull": {}}, location="sqlite:///x"
    )
    fetch = Fetch(without, lake.settings, 0, lake.settings.home, lambda _: False)
    with pytest.raises(SourceUnavailable, match="Add 'start'"):
        list(aveva_historian.offers(fetch))


def page(lake, *rows: tuple):
    names = ["TagName", "DateTime", "Value", "vValue", "Quality", "QualityDetail", "OPCQuality"]
    cells = list(zip(*rows, strict=True))
    types = [pa.string(), pa.timestamp("us"), pa.float64(), pa.string(), *[pa.int64()] * 3]
    path = lake.deliver("page.parquet", b"", folder="plant")
    pq.write_table(
        pa.table([pa.array(c, t) for c, t in zip(cells, types, strict=True)], names), path
    )
    return path


AT = datetime(2026, 10, 19, 10, 0, 0, 123456)


@pytest.mark.parametrize(
    ("quality", "detail", "opc", "expected"),
    [
        (0, 192, 192, "good"), (0, 192, 219, "good"), (133, 192, 192, "good"),
        (0, 192, 192 + 1024, "good"), (16, 192, 192, "uncertain"), (0, 64, 64, "uncertain"),
        (0, 64, 91, "uncertain"), (1, 192, 192, "bad"), (0, 0, 0, "bad"), (0, 0, 35, "bad"),
        (0, 0, 36, "uncertain"), (0, 192, 220, "uncertain"), (99, 192, 192, "uncertain"),
        (16, 0, 24, "bad"), (0, 248, 192, "bad"), (None, 192, 192, "good"),
        (0, 192, None, "good"), (None, 192, None, "bad"), (0, 0, 256, "bad"),
    ],
)  # fmt: skip
def test_quality_is_the_worse_of_both(lake, contract, quality, detail, opc, expected):
    (row,) = lake.judged(contract, page(lake, ("VV1.PV", AT, 1.5, "1.5", quality, detail, opc)))
    assert (row["quality"], row["quality_code"], row["value"]) == (expected, str(detail), 1.5)


def test_values_of_every_kind(lake, contract):
    rows = lake.judged(
        contract,
        page(
            lake,
            ("VV1.PV", AT, 0.1 + 0.2, "0.3", 0, 192, 192),
            ("VV1.Läge", AT, None, "på", 0, 192, 192),
            ("VV1.PV", AT, None, None, 1, 24, 0),
            ("VV1.PV", AT, None, None, 0, 192, 192),
            ("VV1", AT, 1.0, "1", 0, 192, 192),
            (None, AT, 1.0, "1", 0, 192, 192),
            ("VV1.PV", None, 1.0, "1", 0, 192, 192),
        ),
    )
    found = [(r["channel"], r["value"], r["text"], r["verdict"], r["rule"]) for r in rows]
    assert found == [
        ("flow", 0.1 + 0.2, None, "sound", None),
        ("Läge", None, "på", "sound", None),
        ("flow", None, None, "sound", None),  # a gap that the source itself reported
        ("flow", None, None, "filtered", "empty_value"),
        (None, 1.0, None, "broken", "tag_path"),
        (None, 1.0, None, "broken", "tag_path"),
        ("flow", 1.0, None, "broken", "time_missing"),
    ]
    assert {row["t"] for row in rows[:6]} == {AT}
    assert rows[0]["device"] == "VV1"


@pytest.mark.parametrize("content", [b"PAR1", b"TagName;DateTime\n", b"\xff" * 100])
def test_page_that_is_none_is_refused(lake, contract, content):
    lake.deliver("page.parquet", content, folder="plant")
    outcome = lake.ingest(lake.source("plant", columns=COLUMNS,
                                      delivery=DELIVERY | {"protocol": "folder"}))  # fmt: skip
    assert "this is no Parquet file" in outcome.refused[0].reason


def test_page_without_a_column_is_refused(lake):
    path = lake.deliver("page.parquet", b"", folder="plant")
    pq.write_table(pa.table({"TagName": ["VV1.PV"]}), path)
    outcome = lake.ingest(lake.source("plant", columns=COLUMNS,
                                      delivery=DELIVERY | {"protocol": "folder"}))  # fmt: skip
    assert "columns are missing: DateTime, Value" in outcome.refused[0].reason

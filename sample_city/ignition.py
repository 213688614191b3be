"""A database as Ignition's SQL Tag Historian leaves it: tags, drivers, scan classes, partitions.

Tables of values are monthly, by the gateway's local months: which instants one holds stands in
`sqlth_partitions` and cannot be told from its name.

Source: Inductive Automation, "Ignition Database Table Reference".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date

from sample_city.period import STEP, ZONE, Period, epoch_ms, midnight

INTEGER, FLOAT = 0, 1
"""Codes of `sqlth_te.datatype`."""

GOOD, COMM_FAIL, STALE = 192, 24, 500
"""Codes of `dataintegrity`."""

_SCHEMA = """
CREATE TABLE sqlth_drv (id INTEGER PRIMARY KEY, name TEXT, provider TEXT);
CREATE TABLE sqlth_scinfo (id INTEGER PRIMARY KEY, scname TEXT, drvid INTEGER);
CREATE TABLE sqlth_sce (scid INTEGER, start_time INTEGER, end_time INTEGER, rate INTEGER);
CREATE TABLE sqlth_te (
    id INTEGER PRIMARY KEY, tagpath TEXT, scid INTEGER, datatype INTEGER, querymode INTEGER,
    created INTEGER, retired INTEGER
);
CREATE TABLE sqlth_partitions (
    pname TEXT, drvid INTEGER, start_time INTEGER, end_time INTEGER, blocksize INTEGER,
    flags INTEGER
);
"""
_VALUES = """
CREATE TABLE {table} (
    tagid INTEGER, intvalue INTEGER, floatvalue REAL, stringvalue TEXT, datevalue INTEGER,
    dataintegrity INTEGER, t_stamp INTEGER, PRIMARY KEY (tagid, t_stamp)
)
"""


@dataclass(frozen=True, slots=True)
class Tag:
    """One life of a tag; a path that is made anew gets another id.

    Attributes:
        id: Tag id.
        path: Tag path, lower case, without the provider.
        datatype: `INTEGER` or `FLOAT`.
        created: Epoch milliseconds.
        retired: Epoch milliseconds; None while it lives.
    """

    id: int
    path: str
    datatype: int
    created: int
    retired: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One stored value.

    Attributes:
        stored: When the historian got it, epoch milliseconds; rows stand in this order.
        tag: Tag id.
        time: When it was measured, epoch milliseconds (`t_stamp`).
        value: An int or a float, as the tag's datatype says.
        quality: 192 is good.
    """

    stored: int
    tag: int
    time: int
    value: float
    quality: int = GOOD


def database(tags: Iterable[Tag], samples: Sequence[Sample], period: Period) -> bytes:
    """The historian's database file.

    Args:
        tags: All tags, retired ones too.
        samples: All values.
        period: When the gateway was running.
    """
    ordered = sorted(samples, key=lambda sample: (sample.stored, sample.tag, sample.time))
    # Built in memory: a file that is never written to again needs no journal and no clean-up.
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO sqlth_drv VALUES (1, 'hamnen-gw01', 'hamnen')")
        connection.execute("INSERT INTO sqlth_scinfo VALUES (1, '_exempt_', 1)")
        connection.execute(
            "INSERT INTO sqlth_sce VALUES (1, ?, ?, ?)",
            (epoch_ms(period.start), epoch_ms(period.end), STEP.total_seconds() * 1000),
        )
        connection.executemany(
            "INSERT INTO sqlth_te VALUES (?, ?, 1, ?, 3, ?, ?)",
            [(tag.id, tag.path, tag.datatype, tag.created, tag.retired) for tag in tags],
        )
        for month in _months(period):
            _store_month(connection, month, ordered)
        connection.commit()
        return connection.serialize()


def _store_month(connection: sqlite3.Connection, month: date, samples: Sequence[Sample]) -> None:
    table = f"sqlt_data_1_{month:%Y_%m}"
    start, end = epoch_ms(midnight(month)), epoch_ms(midnight(_following(month)))
    connection.execute(
        "INSERT INTO sqlth_partitions VALUES (?, 1, ?, ?, 0, 0)", (table, start, end)
    )
    connection.execute(_VALUES.format(table=table))
    connection.executemany(
        f"INSERT INTO {table} VALUES (?, ?, ?, NULL, NULL, ?, ?)",
        [_cells(sample) for sample in samples if start <= sample.time < end],
    )


def _cells(sample: Sample) -> tuple[int, int | None, float | None, int, int]:
    """Only the column of the tag's datatype holds a value."""
    whole = sample.value if isinstance(sample.value, int) else None
    fraction = None if whole is not None else sample.value
    return sample.tag, whole, fraction, sample.quality, sample.time


def _months(period: Period) -> Iterator[date]:
    month, end = period.days[0].replace(day=1), period.end.astimezone(ZONE).date()
    while month < end:
        yield month
        month = _following(month)


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)

"""A small Ignition historian in a real SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

COLUMNS = "tagid, intvalue, floatvalue, stringvalue, datevalue, dataintegrity, t_stamp"
HOUR = 3_600_000
START = 1_792_400_400_000  # 2026-10-19, in epoch ms

Value = tuple[int, int, object]
"""Tag id, t_stamp, and a value or a pair of value and quality code."""


class Historian:
    """The tables of Ignition that are read, and a way to put values into them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.run(
            "create table sqlth_te (id integer primary key, tagpath text, scid int, retired int)",
            "create table sqlth_scinfo (id integer primary key, drvid int)",
            "create table sqlth_partitions (pname text, drvid int, start_time int, end_time int,"
            " blocksize int, flags int)",
            "insert into sqlth_scinfo values (1, 1)",
        )

    def run(self, *statements: str) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def tag(self, number: int, path: str, driver: int | None = 1) -> None:
        """A tag of a driver, whose scan class has the driver's number."""
        if driver is not None:
            self.run(f"insert or ignore into sqlth_scinfo values ({driver}, {driver})")
        self.run(f"insert into sqlth_te values ({number}, '{path}', {driver or 'null'}, null)")

    def values(self, name: str) -> None:
        """A table of values that is nowhere listed."""
        self.run(
            f"create table {name} (tagid int, intvalue int, floatvalue double, stringvalue text,"
            " datevalue text, dataintegrity int, t_stamp int)"
        )

    def partition(
        self, name: str, start: int = 0, end: int | None = None, driver: int = 1, block: int = 0
    ) -> None:
        self.values(name)
        self.listed(name, start, end, driver, block)

    def listed(
        self, name: str, start: int = 0, end: int | None = None, driver: int = 1, block: int = 0
    ) -> None:
        self.run(
            f"insert into sqlth_partitions values"
            f" ('{name}', {driver}, {start}, {end or 'null'}, {block}, 0)"
        )

    def store(self, partition: str, values: Iterable[Value]) -> None:
        rows = []
        for tag, at, value in values:
            number, code = value if isinstance(value, tuple) else (value, 192)
            whole = number if isinstance(number, int) else None
            real = number if isinstance(number, float) else None
            text = number if isinstance(number, str) else None
            rows.append((tag, whole, real, text, None, code, at))
        connection = sqlite3.connect(self.path)
        with connection:
            connection.executemany(
                f"insert into {partition} ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)", rows
            )
        connection.close()

"""Audits of a million, of ten million, and of one changed day of fifty million rows.

The product is energianvandning_timme with a thousand meters and a million rows a day. *checks* are
the row checks of its contract by Great Expectations, with keys across partitions and the number of
rows; *SQL* asks the same in one DuckDB query; *audit* is all of `audit_product`: also the scan for
what tells of somebody, days, profiles, history, and what is kept. Each is run in a process of its
own, imports apart, so that its peak memory can be told.

Run: python -m benchmarks.audits [1000000 10000000 50000000]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa

from benchmarks.rounds import peak_mib
from lakehouse import delta, tables
from lakehouse.contracts import ProductContract, load_product
from lakehouse.duck import connect, delta_scan
from lakehouse.settings import PROJECT, Settings
from quality import audit_product
from quality.audit.keys import check_keys
from quality.audit.rows import check_rows, is_row_check
from quality.audit.scope import whole
from quality.audit.suite import suite_of
from quality.audit.whole_table import check_table

SIZES = (1_000_000, 10_000_000, 50_000_000)
DAY = 1_000_000
ROUNDS = 5
CONTRACT = PROJECT / "contracts" / "products" / "energianvandning_timme.yaml"
SCHEMA = pa.schema(
    [
        ("meter_id", pa.string()),
        ("hour_start", tables.INSTANT),
        ("hour_start_local", pa.string()),
        ("place_name", pa.string()),
        ("district", pa.string()),
        ("energy_kwh", pa.float64()),
        ("readings", pa.int32()),
        ("partition_date", pa.date32()),
    ]
)
FIRST = "2026-01-01"


def rows(first: int, last: int, shift: float = 0.0) -> str:
    """The SQL of the rows with these numbers."""
    at = f"""(timestamp '{FIRST}' + to_days((i // {DAY})::int)
        + to_seconds(i % {DAY} // 1000 * 86))"""
    return f"""select 'meter-' || i % 1000 as meter_id, {at}::timestamptz as hour_start,
            strftime({at}, '%Y-%m-%dT%H:%M:%S+01:00') as hour_start_local,
            'Kaj ' || i % 200 as place_name, 'Stadsdel ' || i % 14 as district,
            round(100 + i % 997 * 0.37 + sin(i) + {shift}, 3) as energy_kwh,
            (3 + i % 2)::int as readings, {at}::date as partition_date
        from range({first}, {last}) t(i)"""


def put(home: Path, size: int) -> None:
    """Make the product's table."""
    address = tables.model(settings_of(home), "gold", "energianvandning_timme")
    address.parent.mkdir(parents=True, exist_ok=True)
    with connect("4GB") as connection:
        for first in range(0, size, 5 * DAY):
            delta.append_query(
                address,
                connection,
                rows(first, min(first + 5 * DAY, size)),
                SCHEMA,
                partition_by=["partition_date"],
                marks={f"day {first}": 1},
            )


def change(home: Path, size: int) -> None:
    """Make one day in the middle another."""
    from lakehouse.delta import data_files

    number = size // DAY // 2
    day = (datetime.fromisoformat(FIRST) + timedelta(days=number)).date().isoformat()
    address = tables.model(settings_of(home), "gold", "energianvandning_timme")
    with connect("4GB") as connection:
        query = rows(number * DAY, (number + 1) * DAY, 0.5)
        files = data_files.write(
            connection, query, address, SCHEMA, ["partition_date"], {"partition_date": day}
        )
    delta.replace_files(
        address, files, SCHEMA, partition_by=["partition_date"], partitions=[day],
        marks={"changed": 1},
    )  # fmt: skip


def settings_of(home: Path) -> Settings:
    """The settings of a lake."""
    return Settings.from_environment({}, contracts=PROJECT / "contracts", home=home)


def checks(settings: Settings, contract: ProductContract) -> None:
    """Row checks by Great Expectations, keys across partitions and the number of rows."""
    address = tables.model(settings, "gold", contract.model)
    planned = suite_of(contract).planned
    single = [one for one in planned if is_row_check(one)]
    scope = whole(address, delta.version_of(address) or 0)
    with connect() as connection:
        ((count,),) = connection.execute(f"select count(*) from {scope.relation}").fetchall()
        made, faults = check_rows(connection, scope, single, count)
        more = check_table([one for one in planned if not is_row_check(one)], count)
        found = (*made, *more[0], *check_keys(connection, scope, single))
    assert len(found) >= len(planned)
    assert all(one.passed for one in found), faults


def sql(settings: Settings, contract: ProductContract) -> None:
    """The same in one query."""
    address = tables.model(settings, "gold", contract.model)
    relation = delta_scan(address)
    required = [column.name for column in contract.columns if column.required]
    empty = [f"count(*) filter ({name} is null)" for name in required]
    outside = [
        f"count(*) filter (not ({column.name} >= {column.minimum} "
        f"and {column.name} <= {column.maximum or 'inf'}))".replace("inf", "'inf'::double")
        for column in contract.columns
        if column.minimum is not None
    ]
    keys = ", ".join(contract.key)
    with connect("4GB") as connection:
        found = connection.execute(
            f"""select {", ".join([*empty, *outside])}, count(*) = 0, (select count(*) from (
                select 1 from {relation} group by {keys} having count(*) > 1)) from {relation}"""
        ).fetchall()[0]
    assert not any(found)


def audit(settings: Settings, contract: ProductContract) -> None:
    """All of an audit."""
    verdict = audit_product(settings, contract, datetime(2026, 11, 1, tzinfo=UTC))
    assert verdict.passed, verdict.reasons


WAYS: dict[str, Callable[[Settings, ProductContract], None]] = {
    one.__name__: one for one in (checks, sql, audit)
}


def _report(way: str, home: Path) -> None:
    settings, contract = settings_of(home), load_product(CONTRACT)
    began = time.perf_counter()
    WAYS[way](settings, contract)
    print(json.dumps([time.perf_counter() - began, peak_mib()]))


def in_a_process(way: str, home: Path) -> tuple[float, float]:
    """Seconds and peak memory in MiB of a way, in a process of its own, on a copy of a lake."""
    copy = home.with_name("copy")
    shutil.copytree(home, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    command = [sys.executable, "-m", "benchmarks.audits", way, str(copy)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(copy)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def main(sizes: tuple[int, ...]) -> None:
    """Make the tables, then run each way in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes[:2]:
            home = folder / f"of-{size}"
            put(home, size)
            found = _rounds({way: (way, home) for way in WAYS})
            _print(f"{size:,} rows", found, "sql")
            if size != sizes[0]:
                shutil.rmtree(home)
        large, small = folder / "large", folder / f"of-{sizes[0]}"
        put(large, sizes[-1])
        began = time.perf_counter()
        audit(settings_of(large), load_product(CONTRACT))
        print(f"{sizes[-1]:,} rows, first audit, all of it: {time.perf_counter() - began:.1f} s")
        change(large, sizes[-1])
        found = _rounds({"a day alone": ("audit", small), "a changed day": ("audit", large)})
        _print(f"of {sizes[-1]:,} rows", found, "a day alone")


def _rounds(ways: dict[str, tuple[str, Path]]) -> dict[str, tuple[float, float]]:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (way, home) in ways.items():
            taken[name].append(in_a_process(way, home))
    return {
        name: (median(seconds for seconds, _ in found), median(peak for _, peak in found))
        for name, found in taken.items()
    }


def _print(title: str, found: dict[str, tuple[float, float]], base: str) -> None:
    for name, (seconds, peak) in found.items():
        ratio = seconds / found[base][0]
        print(f"{title:20} {name:15} {seconds:8.2f} s  {ratio:5.2f}  {peak:6.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in WAYS:
        _report(sys.argv[1], Path(sys.argv[2]))
    else:
        main(tuple(int(word) for word in sys.argv[1:]) or SIZES)

"""Pulling a million rows of an Ignition historian, beside SQLAlchemy's own streaming.

Both ask a database for the same joined rows in the same order and end in Parquet that lies flushed
in the landing zone. The protocol lets DuckDB run the statements that SQLAlchemy builds; the other
takes the rows as they stream (`stream_results`, `yield_per`) and turns them into Arrow.
Processor seconds leave out those of the PostgreSQL server. It needs `pgserver` and no database.

Run: python -m benchmarks.historian
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from benchmarks import observations
from benchmarks.rounds import compare
from ingestion.deliveries import Landed, Offer
from ingestion.fetching import Fetch
from ingestion.landing import land
from ingestion.protocols import ignition_historian

ROWS = 1_000_000
_TAGS = 100
_AT_ONCE = 50_000
_STARTED = 1_792_400_400_000  # 2026-10-19, in epoch ms
_NUMBER = count()
_DELIVERY = {
    "protocol": "ignition_historian",
    "format": "ignition_history",
    "device": {"path": "^plant/(?P<device>.+)/(?P<channel>[^/]+)$"},
    "pull": {"tags": "plant/%", "timeoutS": 120},
}
_SCHEMA = pa.schema(
    {
        "tagid": pa.int64(),
        "tagpath": pa.string(),
        "intvalue": pa.int64(),
        "floatvalue": pa.float64(),
        "stringvalue": pa.string(),
        "datevalue": pa.string(),
        "dataintegrity": pa.int64(),
        "t_stamp": pa.int64(),
    }
)
_ROWS_ASKED = """
    select tagid, tagpath, intvalue, floatvalue, stringvalue,
        cast(datevalue as varchar) as datevalue, dataintegrity, t_stamp
    from sqlt_data_1_2026_10 join sqlth_te on tagid = id
    where lower(tagpath) like 'plant/%' and t_stamp >= 0 order by t_stamp, tagid"""


def statements(numbers: str, kinds: tuple[str, str]) -> list[str]:
    """A historian's tables and rows: a hundred tags, a value of each a second.

    Args:
        numbers: SQL that begins a statement over `n(i)`, the numbers from 0 to `{last}`.
        kinds: What the database calls a double and a time.
    """
    rows = f"""insert into sqlt_data_1_2026_10
        select i % {_TAGS}, null, i * 0.1, null, null, 192, {_STARTED} + i / {_TAGS} * 1000
        from n"""
    return [
        "create table sqlth_te (id int primary key, tagpath varchar(255), scid int, retired int)",
        "create table sqlth_scinfo (id int primary key, drvid int)",
        """create table sqlth_partitions (pname varchar(255), drvid int, start_time bigint,
            end_time bigint, blocksize int, flags int)""",
        "insert into sqlth_scinfo values (1, 1)",
        "insert into sqlth_partitions values ('sqlt_data_1_2026_10', 1, 0, null, 0, 0)",
        f"""create table sqlt_data_1_2026_10 (tagid int, intvalue bigint, floatvalue {kinds[0]},
            stringvalue varchar(255), datevalue {kinds[1]}, dataintegrity int, t_stamp bigint,
            primary key (tagid, t_stamp))""",
        numbers.format(last=_TAGS - 1)
        + "insert into sqlth_te select i, 'plant/d' || i || '/temperature', 1, null from n",
        numbers.format(last=ROWS - 1) + rows,
        "create index by_time on sqlt_data_1_2026_10 (t_stamp)",
        "analyze",
    ]


def in_sqlite(path: Path) -> str:
    """Make the historian in a file; its address."""
    numbers = "with recursive n(i) as (select 0 union all select i + 1 from n where i < {last}) "
    fill(f"sqlite:///{path}", statements(numbers, ("double", "text")))
    return f"sqlite:///{path}"


@contextmanager
def in_postgres(folder: Path) -> Iterator[str]:
    """Make the historian in a PostgreSQL of its own; its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder and a port of its own
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pgserver

        server = pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        numbers = "with n as (select generate_series(0, {last}) as i) "
        fill(server.get_uri(), statements(numbers, ("float8", "timestamp")))
        yield server.get_uri()
    finally:
        server.cleanup()


def fill(address: str, made: list[str]) -> None:
    """Run statements."""
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        for statement in made:
            connection.execute(sa.text(statement))
    print(engine.name, *engine.dialect.server_version_info or ())
    engine.dispose()


def pulled(address: str, folder: Path) -> list[Landed]:
    """The project's protocol: pages of Parquet, landed."""
    os.environ["BENCHMARK_HISTORIAN"] = address
    settings, contract = observations.source(
        folder / str(next(_NUMBER)), _DELIVERY, location="env:BENCHMARK_HISTORIAN"
    )
    with tempfile.TemporaryDirectory(dir=settings.home) as scratch:
        fetch = Fetch(contract, settings, 0, Path(scratch), lambda _: False)
        return [land(settings, contract.id, offer) for offer in ignition_historian.offers(fetch)]


def streamed(address: str, folder: Path) -> list[Landed]:
    """SQLAlchemy streams rows; they become Arrow, Parquet, and are landed."""
    settings, contract = observations.source(
        folder / str(next(_NUMBER)), _DELIVERY, location=address
    )
    path = settings.home / "rows.parquet"
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with (
        engine.connect() as connection,
        pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer,
    ):
        options = {"stream_results": True, "yield_per": _AT_ONCE}
        result = connection.execution_options(**options).execute(sa.text(_ROWS_ASKED))
        for rows in result.partitions(_AT_ONCE):
            cells = zip(zip(*rows, strict=True), _SCHEMA.types, strict=True)
            arrays = [pa.array(column, kind) for column, kind in cells]
            writer.write_table(pa.table(arrays, schema=_SCHEMA))
    offer = Offer(path.name, path, datetime.now(UTC))
    return [land(settings, contract.id, offer)]


def what(landed: list[Landed]) -> tuple[int, float, int]:
    """Rows of landed files, and sums of values and times, to tell whether both are the same."""
    table = pa.concat_tables(
        pq.read_table(one.path, columns=["floatvalue", "t_stamp"]) for one in landed
    )
    return (
        len(table),
        round(sum(table["floatvalue"].to_pylist())),
        sum(table["t_stamp"].to_pylist()),
    )


def main() -> None:
    """Make both historians and compare."""
    with (
        tempfile.TemporaryDirectory(prefix="b") as name,  # a socket's path must be short
        in_postgres(Path(name)) as postgres,
    ):
        folder = Path(name)
        for kind, address in (("SQLite", in_sqlite(folder / "h.sqlite")), ("PostgreSQL", postgres)):
            ways: dict[str, Callable[[], list[Landed]]] = {
                f"{kind}: protocol": partial(pulled, address, folder),
                f"{kind}: SQLAlchemy streaming": partial(streamed, address, folder),
            }
            found = {way: what(run()) for way, run in ways.items()}
            if len(set(found.values())) > 1 or {rows for rows, *_ in found.values()} != {ROWS}:
                raise SystemExit(f"both should give the same rows: {found}")
            compare(ways)


if __name__ == "__main__":
    main()

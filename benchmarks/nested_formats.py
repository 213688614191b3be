"""Nested JSON formats, beside a plain orjson loop over the same files, in two variants.

*pages* is what the goals are set on: `FILES` files of about a thousand rows, delivered at once, as
platforms page their answers. Ours is `take`: from landed bytes to the flushed Delta commit, with
every check, quarantine and the comparison with what is known. The loop checks nothing: it parses
each file, walks it and keeps device, channel, time and value as Arrow, which delta-rs writes as one
Delta table. Goals: SensorThings twice as fast as the loop, the others three times.

*one* is one file of 200,000 rows, for the reading alone: ours reads it by the format and holds each
row against the contract, the loop makes one Arrow table, and neither writes anything. Beside them
stands what DuckDB needs only to parse the file into typed columns, whatever is done with them then.

In both, ours and the loop must come to the same number of rows and the same sum.

Run: python -m benchmarks.nested_formats [pages one] [sensorthings ngsi_ld senml lorawan] [FILES]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from benchmarks import nested_documents as made
from benchmarks import observations
from benchmarks.nested_documents import Json, Row
from benchmarks.rounds import compare
from ingestion.batches import judging
from ingestion.batches.batch import take
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats import FORMATS
from ingestion.landing import digest
from lakehouse import tables
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect
from lakehouse.settings import Settings

FILES = 1000
VARIANTS = ("pages", "one")
_RECEIVED = datetime(2028, 6, 1, tzinfo=UTC)
_NUMBER = count()


@dataclass(frozen=True)
class Form:
    """A form that a format comes in: what a file holds, and how a loop reads it.

    Attributes:
        format: Name of the format in contracts.
        one: The documents of one large file.
        page: The documents of a file of a thousand rows, by its number.
        loop: The rows of a document.
        parse: Typed columns for DuckDB's own parse.
        one_framing: Whether the large file is one document, or has one on each line.
        page_framing: The same of a file of a thousand rows.
        has_records: Whether a document is one object, not a list of them.
    """

    format: str
    one: Callable[[], Iterator[object]]
    page: Callable[[int], Iterator[object]]
    loop: Callable[[Json], Iterator[Row]]
    parse: str
    one_framing: str = "document"
    page_framing: str = "document"
    has_records: bool = True


_OBSERVED = "phenomenonTime varchar, resultTime varchar, result json"
FORMS = {
    "sensorthings": {
        "expanded Things": Form(
            "sensorthings",
            lambda: made.expanded(range(100), 1000),
            lambda number: made.expanded([number], 500),
            made.expanded_loop,
            f"""{{value: 'struct(name varchar, "Datastreams" struct(name varchar,
                "Observations" struct({_OBSERVED})[])[])[]'}}""",
        ),
        "dataArray": Form(
            "sensorthings",
            lambda: made.data_array(range(200), 1000),
            lambda number: made.data_array([number], 1000),
            made.data_array_loop,
            """{value: 'struct("Datastream" json, components varchar[],
                "dataArray" varchar[][])[]'}""",
        ),
    },
    "ngsi_ld": {
        "temporal entities": Form(
            "ngsi_ld",
            lambda: made.temporal(range(100), 1000),
            lambda number: made.temporal([number], 500),
            made.temporal_loop,
            "{entities: 'struct(id varchar"
            + "".join(
                f", {name} struct(type varchar, value json, observedAt varchar)[]"
                for name in list(made.CODES)[:2]
            )
            + ")[]'}",
            has_records=False,
        )
    },
    "senml": {
        "packs": Form(
            "senml",
            lambda: made.packs(range(10_000), 10),
            lambda number: made.packs([number], 500),
            made.packs_loop,
            "{pack: 'struct(bn varchar, bt double, n varchar, u varchar, t double, v double)[]'}",
            one_framing="lines",
            has_records=False,
        )
    },
    "lorawan": {
        "uplinks of ChirpStack": Form(
            "chirpstack_v4",
            lambda: made.uplinks(range(200_000 // 3)),
            lambda number: made.uplinks(range(333 * number, 333 * number + 333)),
            made.uplinks_loop,
            """{time: 'varchar', deviceInfo: 'struct(devEui varchar)',
                object: 'map(varchar, json)'}""",
            one_framing="lines",
            page_framing="lines",
        )
    },
}


def write(documents: Iterator[object], path: Path) -> Path:
    """Write the documents of a file."""
    with path.open("wb") as file:
        for document in documents:
            file.write(orjson.dumps(document) + b"\n")
    return path


def looped(form: Form, framing: str, path: Path) -> pa.RecordBatch:
    """The rows of a file by orjson and a Python loop."""
    content = path.read_bytes()
    documents = content.splitlines() if framing == "lines" else [content]
    rows = (row for document in documents for row in form.loop(orjson.loads(document)))
    device, channel, time, value = zip(*rows, strict=True)
    return pa.record_batch(
        [
            pa.array(device, pa.string()),
            pa.array(channel, pa.string()),
            pa.array(time, pa.timestamp("us", "UTC")),
            pa.array(value, pa.float64()),
        ],
        _ROW,
    )


_ROW = pa.schema(
    {
        "device": pa.string(),
        "channel": pa.string(),
        "t": pa.timestamp("us", "UTC"),
        "value": pa.float64(),
    }
)


def loop_to_delta(form: Form, paths: Sequence[Path], folder: Path) -> DeltaTable:
    """The rows of files by the loop, in a Delta table."""
    address = folder / f"loop-{next(_NUMBER)}"
    batches = (looped(form, form.page_framing, path) for path in paths)
    write_deltalake(address, pa.RecordBatchReader.from_batches(_ROW, batches))
    return DeltaTable(address)


def take_to_delta(form: Form, landed: Sequence[Landed], folder: Path) -> DeltaTable:
    """The rows of landed files as the project takes them, in bronze."""
    home = folder / f"take-{next(_NUMBER)}"
    settings, contract = observations.nested(home, form.format, form.page_framing)
    scratch = home / "scratch"
    scratch.mkdir()
    batch = take(settings, contract, landed, scratch)
    assert all(one.ledger.rows_in == one.ledger.landed for one in batch.receipts), batch.receipts
    return DeltaTable(tables.bronze(settings, contract.id))


def _fresh(way: Callable[[], DeltaTable], folder: Path) -> None:
    """Go a way, and leave nothing on disk that the next one would have to share it with."""
    way()
    for left in folder.iterdir():
        shutil.rmtree(left)


def _sum(table: DeltaTable) -> tuple[int, float]:
    values = table.to_pyarrow_table(columns=["value"])["value"].to_numpy()
    return len(values), float(values.sum())


def pages(title: str, form: Form, folder: Path, files: int = FILES) -> None:
    """Compare on many files of a thousand rows, from bytes to Delta."""
    source, made_in = folder / "files", folder / "lakes"
    source.mkdir(parents=True)
    paths = [write(form.page(number), source / f"{number:04}.json") for number in range(files)]
    landed = [
        Landed(Offer(path.name, path, _RECEIVED), digest(path), path, path.stat().st_size)
        for path in paths
    ]
    loop = partial(loop_to_delta, form, paths, made_in)
    ours = partial(take_to_delta, form, landed, made_in)
    rows = _require_same(_sum(ours()), _sum(loop()))
    megabytes = sum(one.size for one in landed) / 1e6
    print(f"{title}: {rows:,} rows in {files} files, {megabytes:,.0f} MB, from bytes to Delta")
    _print(
        {
            "orjson loop, written by delta-rs": partial(_fresh, loop, made_in),
            "taken, with every check": partial(_fresh, ours, made_in),
        }
    )


def read_and_judge(settings: Settings, contract: SourceContract, path: Path) -> tuple[int, float]:
    """Rows and sum of a file as the project reads and judges it."""
    landed = Landed(Offer(path.name, path, _RECEIVED), "0" * 64, path, path.stat().st_size)
    with connect(extensions=()) as connection:
        connection.execute(
            "create temp table files as select 0::integer as _file, ?::timestamp as received_at",
            [_RECEIVED.replace(tzinfo=None)],
        )
        members = [Member(0, landed, None, path)]
        reading = FORMATS[contract.delivery.format].read(connection, members, contract)
        judging.judge(connection, settings, contract, reading)
        found: tuple[int, float] = connection.execute(
            "select count(*), sum(value) from judged where verdict = 'sound'"
        ).fetchall()[0]
        return found


def parse(form: Form, path: Path) -> None:
    """DuckDB parses the file into typed columns."""
    size = 1 << 20 if form.one_framing == "lines" else path.stat().st_size + 1024
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"""create temp table parsed as from read_json('{path}', columns = {form.parse},
                format = 'newline_delimited', records = {str(form.has_records).lower()},
                maximum_object_size = {size})"""
        )


def one(title: str, form: Form, folder: Path) -> None:
    """Compare on one large file, from bytes to judged rows."""
    settings, contract = observations.nested(folder, form.format, form.one_framing)
    path = write(form.one(), folder / "file.json")
    values = looped(form, form.one_framing, path)["value"].to_numpy()
    ours = partial(read_and_judge, settings, contract, path)
    rows = _require_same(ours(), (len(values), float(values.sum())))
    megabytes = path.stat().st_size / 1e6
    print(f"{title}: {rows:,} rows in one file, {megabytes:,.0f} MB, from bytes to judged rows")
    _print(
        {
            "orjson loop into Arrow": partial(looped, form, form.one_framing, path),
            "read and judged": ours,
            "DuckDB: parse only": partial(parse, form, path),
        }
    )


def _require_same(ours: tuple[int, float], other: tuple[int, float]) -> int:
    assert ours[0] == other[0], (ours, other)
    assert abs(ours[1] - other[1]) < 1e-6 * abs(other[1]), (ours, other)
    return ours[0]


def _print(ways: dict[str, Callable[[], object]]) -> None:
    loop, ours, *_ = compare(ways).values()
    print(f"{loop / ours:.2f} times as fast as the loop\n")


def main(wanted: list[str]) -> None:
    """Write the files and compare."""
    variants = [name for name in VARIANTS if name in wanted] or VARIANTS
    files = next((int(word) for word in wanted if word.isdigit()), FILES)
    kinds = [kind for kind in FORMS if kind in wanted] or list(FORMS)
    for kind in kinds:
        for title, form in FORMS[kind].items():
            for variant in variants:
                with tempfile.TemporaryDirectory() as name:
                    way = partial(pages, files=files) if variant == "pages" else one
                    way(f"{kind}, {title}", form, Path(name) / "made")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Nested JSON formats read and judged, beside an orjson loop over the same file.

The loop checks nothing: it parses, walks and keeps device, channel, time and value as one Arrow
table. Ours reads by the format and holds every row against the contract. Both must come to the
same rows and the same sum. The last way is what DuckDB needs only to parse the file into typed
columns, whatever is done with them then.

Run: python -m benchmarks.nested_formats [sensorthings ngsi_ld senml lorawan]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa

from benchmarks import nested_documents as made
from benchmarks import observations
from benchmarks.nested_documents import Json, Row
from benchmarks.rounds import compare
from ingestion.batches import judging
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats import FORMATS
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect
from lakehouse.settings import Settings

_RECEIVED = datetime(2027, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Form:
    """A form that a format comes in: what a file holds, and how a loop reads it.

    Attributes:
        format: Name of the format in contracts.
        framing: Whether a file is one document, or has one on each line.
        documents: Makes the documents of the file.
        loop: The rows of a document.
        parse: Typed columns for DuckDB's own parse.
        has_records: Whether a document is one object, not a list of them.
    """

    format: str
    framing: str
    documents: Callable[[], Iterator[object]]
    loop: Callable[[Json], Iterator[Row]]
    parse: str
    has_records: bool = True


_OBSERVED = "phenomenonTime varchar, resultTime varchar, result json"
FORMS = {
    "sensorthings": {
        "expanded Things": Form(
            "sensorthings",
            "document",
            made.expanded,
            made.expanded_loop,
            f"""{{value: 'struct(name varchar, "Datastreams" struct(name varchar,
                "Observations" struct({_OBSERVED})[])[])[]'}}""",
        ),
        "dataArray": Form(
            "sensorthings",
            "document",
            made.data_array,
            made.data_array_loop,
            """{value: 'struct("Datastream" json, components varchar[],
                "dataArray" varchar[][])[]'}""",
        ),
    },
    "ngsi_ld": {
        "temporal entities": Form(
            "ngsi_ld",
            "document",
            made.temporal,
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
            "lines",
            made.packs,
            made.packs_loop,
            "{pack: 'struct(bn varchar, bt double, n varchar, u varchar, t double, v double)[]'}",
            has_records=False,
        )
    },
    "lorawan": {
        "uplinks of ChirpStack": Form(
            "chirpstack_v4",
            "lines",
            made.uplinks,
            made.uplinks_loop,
            """{time: 'varchar', deviceInfo: 'struct(devEui varchar)',
                object: 'map(varchar, json)'}""",
        )
    },
}


def write(form: Form, path: Path) -> None:
    """Write the documents of a form."""
    with path.open("wb") as file:
        for document in form.documents():
            file.write(orjson.dumps(document) + b"\n")


def loop(form: Form, path: Path) -> pa.Table:
    """The rows of a file by orjson and a Python loop."""
    content = path.read_bytes()
    documents = content.splitlines() if form.framing == "lines" else [content]
    rows = (row for document in documents for row in form.loop(orjson.loads(document)))
    device, channel, time, value = zip(*rows, strict=True)
    return pa.table(
        {
            "device": pa.array(device, pa.string()),
            "channel": pa.array(channel, pa.string()),
            "t": pa.array(time, pa.timestamp("us", "UTC")),
            "value": pa.array(value, pa.float64()),
        }
    )


def ours(settings: Settings, contract: SourceContract, path: Path) -> tuple[int, float]:
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
    size = 1 << 20 if form.framing == "lines" else path.stat().st_size + 1024
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"""create temp table parsed as from read_json('{path}', columns = {form.parse},
                format = 'newline_delimited', records = {str(form.has_records).lower()},
                maximum_object_size = {size})"""
        )


def main(kinds: list[str]) -> None:
    """Write the files and compare."""
    with tempfile.TemporaryDirectory() as name:
        for kind in kinds or list(FORMS):
            for title, form in FORMS[kind].items():
                folder = Path(name) / kind / title
                settings, contract = observations.nested(folder, form.format, form.framing)
                path = folder / "file.json"
                write(form, path)
                table = loop(form, path)
                count, total = ours(settings, contract, path)
                assert count == table.num_rows, (count, table.num_rows)
                assert abs(total - sum(table["value"].to_pylist())) < 1e-6 * abs(total), total
                megabytes = path.stat().st_size / 1e6
                print(f"{kind}, {title}: {count:,} observations, {megabytes:,.0f} MB")
                compare(
                    {
                        "orjson loop into Arrow": partial(loop, form, path),
                        "read and judged": partial(ours, settings, contract, path),
                        "DuckDB: parse only": partial(parse, form, path),
                    }
                )


if __name__ == "__main__":
    main(sys.argv[1:])

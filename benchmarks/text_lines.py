"""Numbered lines split in SQL, beside DuckDB's CSV parser (docs/decisions/0003).

Both end in a table of text columns. Only the lines keep each row's number and text.

Run: python -m benchmarks.text_lines
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.rounds import compare
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats.delimited import split_lines
from ingestion.reading import lines
from lakehouse.contracts import load_source
from lakehouse.settings import PROJECT

ROWS = 1_000_000
SOURCES = PROJECT / "examples" / "open_data" / "sources"


@dataclass(frozen=True)
class Layout:
    """A kind of file: whose contract it follows, its header and its rows."""

    source: str
    header: tuple[str, ...]
    delimiter: str
    quote: str
    line: str
    encoding: str = "utf-8"


PLAIN = Layout(
    "sensor_community_climate",
    ("sensor_id", "sensor_type", "location", "lat", "lon", "timestamp", "temperature", "humidity"),
    ";",
    "",
    "{n};DHT22;4315;57.146;-2.114;2018-10-01T00:02:19;{v};67.50",
)
LATIN = replace(
    PLAIN,
    line="{n};DHT22;Södermalm;57.146;-2.114;2018-10-01T00:02:19;{v};67.50",
    encoding="latin-1",
)
QUOTED = Layout(
    "entsoe_prices",
    ("MTU (CET/CEST)", "Day-ahead Price [EUR/MWh]", "Currency"),
    ",",
    '"',
    '"01.01.2021 00:00 - 01.01.2021 01:00","{v}.95","EUR"',
)


def by_parser(path: Path, layout: Layout) -> None:
    """DuckDB reads the file as CSV."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in layout.header)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"""create table fields as from read_csv('{path}', delim='{layout.delimiter}',
                quote='{layout.quote}', escape='{layout.quote}', header=true, auto_detect=false,
                encoding='{layout.encoding}', columns={{{columns}}})"""
        )


def by_lines(path: Path, layout: Layout) -> None:
    """The project reads numbered lines and splits them."""
    contract = load_source(SOURCES / f"{layout.source}.yaml")
    landed = Landed(Offer(path.name, path, datetime.now(UTC)), "0" * 64, path, path.stat().st_size)
    member = Member(0, landed, None, path)
    with duckdb.connect(config={"threads": 2}) as connection:
        lines.load(connection, [member], layout.encoding, skip=1, table="lines_0")
        split_lines(connection, layout.header, contract, 0)
        connection.execute("create table fields as from fields_0")


def main() -> None:
    """Write the files and compare."""
    with tempfile.TemporaryDirectory() as folder:
        for name, layout in (("plain", PLAIN), ("latin-1", LATIN), ("quoted", QUOTED)):
            path = Path(folder) / f"{name}.csv"
            with path.open("w", encoding=layout.encoding) as file:
                file.write(layout.delimiter.join(layout.header) + "\n")
                rows = (layout.line.format(n=n, v=n % 40) + "\n" for n in range(ROWS))
                file.writelines(rows)
            print(f"{name}: {ROWS:,} rows of {len(layout.header)} columns")
            compare(
                {
                    "DuckDB read_csv": partial(by_parser, path, layout),
                    "numbered lines, split in SQL": partial(by_lines, path, layout),
                }
            )


if __name__ == "__main__":
    main()

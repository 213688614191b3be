"""What landed bytes hold of a device, and the same bytes without it.

Whether a delivery holds the device is asked twice: of its bytes, and of the rows that its reader
makes of them, because a reader may write a device another way than the supplier does. Bytes are
only rewritten line by line, and what is left is read and compared: exactly the device's rows may
be missing, and the others stand in the lines they stood in. Where that does not come out, nothing
of the bytes is kept.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from ingestion.archives import unpack
from ingestion.batches import judging
from ingestion.deliveries import Landed, Member, Offer
from ingestion.formats import FORMATS
from lakehouse import places
from lakehouse.contracts import SourceContract
from lakehouse.duck import connect, literal
from lakehouse.errors import SjostadError
from lakehouse.settings import Settings
from lakehouse.traces import traces_in
from lakehouse.traces.word_in_bytes import Word

_COLUMNS: Final = (
    "device, channel, t, t_end, value, text, unit, quality, quality_code, result_time, "
    "longitude, latitude, attributes, rule, verdict::varchar as verdict, _member, _row"
)
_ARCHIVES: Final = (".tar", ".tgz", ".tar.gz", ".zip")
_MEMORY: Final = "512MB"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose rows go: a device of a source."""

    settings: Settings
    contract: SourceContract
    device: str
    word: Word


@dataclass(frozen=True, slots=True)
class Holding:
    """What a delivery holds.

    Attributes:
        is_named: Whether its bytes name the device.
        rows: Rows that its reader makes of it for the device; None if it cannot be read.
        others: Rows for others, and those of which it cannot tell.
    """

    is_named: bool
    rows: int | None
    others: int

    @property
    def holds(self) -> bool:
        """Whether it holds anything of the device."""
        return self.is_named or bool(self.rows)


def look(subject: Subject, landed: Landed, scratch: Path) -> Holding:
    """What a delivery holds; leaves the rows it gives in `scratch/before.parquet`."""
    is_named = _names(landed.path, subject.word)
    rows = _read(subject, landed, scratch / "before.parquet", scratch / "unpacked")
    if rows is None:
        return Holding(is_named, None, 0)
    with connect(extensions=()) as connection:
        own, others = connection.execute(
            f"""select count(*) filter (where device = $device),
                count(*) filter (where device is distinct from $device)
            from read_parquet({literal(rows)})""",
            {"device": subject.device},
        ).fetchall()[0]
    return Holding(is_named, own, others)


def without(subject: Subject, landed: Landed, scratch: Path) -> Path | None:
    """A file of what is left of a delivery, once `look` has seen it; None if nothing may be left.

    It is made in `scratch`, and packed as the delivery is.
    """
    complete = subject.contract.delivery.complete
    if landed.offer.name.lower().endswith(_ARCHIVES) or complete.trailer or complete.name:
        return None
    try:
        (only,) = [path for _, path in unpack(landed, scratch / "plain")]
    except (SjostadError, ValueError):
        return None
    rest = scratch / "rest"
    _keep_lines(only, rest, subject.word, is_packed=only != landed.path)
    if not rest.stat().st_size:
        return None
    left = Landed(landed.offer, landed.sha256, rest, rest.stat().st_size)
    rows = _read(subject, left, scratch / "after.parquet", scratch / "unpacked_rest")
    before = scratch / "before.parquet"
    if rows is None or not before.is_file() or _names(rest, subject.word):
        return None
    return rest if _is_the_rest(subject, before, rows) else None


def _names(path: Path, word: Word) -> bool:
    """Whether the word is found in a file; of what cannot be read nothing is known."""
    return any(trace.place not in ("name", "unreadable") for trace in traces_in(path, word))


def newest(
    settings: Settings, contract: SourceContract, path: Path, name: str, received_at: datetime
) -> datetime | None:
    """The newest time that any row of a landed delivery tells; None if that cannot be known."""
    landed = Landed(Offer(name, path, received_at), path.name, path, path.stat().st_size)
    subject = Subject(settings, contract, "", Word(""))
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=settings.home) as folder:
        rows = _read(subject, landed, Path(folder, "rows.parquet"), Path(folder, "unpacked"))
        if rows is None:
            return None
        with connect(extensions=()) as connection:
            found: tuple[datetime | None, bool] = connection.execute(
                f"""select max(t), coalesce(bool_and(t is not null), true)
                from read_parquet({literal(rows)})"""
            ).fetchall()[0]
    return found[0] if found[1] else None


def _keep_lines(plain: Path, rest: Path, word: Word, *, is_packed: bool) -> None:
    """Copy the lines, empty where they name the word: a row is known by the number of its line.

    The same lines always give the same bytes.
    """
    with plain.open("rb") as lines:
        kept = (_end(line) if _has(word, line) else line for line in lines)
        if is_packed:
            with rest.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                packed.writelines(kept)
        else:
            with rest.open("wb") as file:
                file.writelines(kept)


def _end(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _has(word: Word, line: bytes) -> bool:
    return any(found["own"] is not None for found in word.in_bytes.finditer(line))


def _is_the_rest(subject: Subject, before: Path, after: Path) -> bool:
    """Whether exactly the device's rows are missing, and there are others.

    A row whose device could not be told may be missing too: it was in a line that names this one.
    """
    old, new = (f"from read_parquet({literal(path)})" for path in (before, after))
    with connect(extensions=()) as connection:
        there, own, strange, lost = connection.execute(
            f"""select (select count(*) {new}),
                (select count(*) {new} where device = $device),
                (select count(*) from ({new} except all {old})),
                (select count(*) from ({old} except all {new})
                    where device is not null and device <> $device)""",
            {"device": subject.device},
        ).fetchall()[0]
    return bool(there) and not own and not strange and not lost


def _read(subject: Subject, landed: Landed, rows: Path, scratch: Path) -> Path | None:
    """Write the rows that a delivery gives to a file; None if its reader refuses it."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        members = [
            Member(number, landed, name, path)
            for number, (name, path) in enumerate(unpack(landed, scratch))
        ]
        with connect(memory_limit=_MEMORY, extensions=()) as connection:
            connection.execute(f"set temp_directory = {literal(scratch / 'spill')}")
            _judge(connection, subject, members)
            connection.execute(
                f"""copy (select {_COLUMNS} from judged join files using (_file))
                to {literal(rows)} (format parquet)"""
            )
    except (SjostadError, duckdb.Error):
        return None
    return rows


def _judge(
    connection: duckdb.DuckDBPyConnection, subject: Subject, members: Iterable[Member]
) -> None:
    """Make the view `judged` of all rows that files give."""
    listed = list(members)
    contract = subject.contract
    files = pa.table(
        {
            "_file": pa.array([one.number for one in listed], pa.int32()),
            "_member": pa.array([one.name for one in listed], pa.string()),
            "received_at": pa.array(
                [one.delivery.offer.received_at.replace(tzinfo=None) for one in listed],
                pa.timestamp("us"),
            ),
        }
    )
    connection.register("files_told", files)
    connection.execute(
        """create type quality as enum ('good', 'uncertain', 'bad');
        create temp table files as from files_told"""
    )
    position = contract.delivery.position
    if position and position.crs:
        places.show(connection, position.crs)
    reading = FORMATS[contract.delivery.format].read(connection, listed, contract)
    judging.judge(connection, subject.settings, contract, reading)

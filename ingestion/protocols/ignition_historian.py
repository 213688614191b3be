"""Pulls an Ignition SQL Tag Historian, read-only and page by page, through SQLAlchemy.

Partition tables are looked up in `sqlth_partitions`, never composed from a date. Every page is
written to a Parquet file that is landed like any other delivery, so a replay needs no
historian. Store-and-forward inserts old values late, so each pull reads an overlap again.

Source: Inductive Automation, "Ignition Database Table Reference" (8.1, 8.3).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable
from lakehouse.settings import Settings

SCHEMA: Final = pa.schema(
    [
        pa.field("tagid", pa.int64(), nullable=False),
        pa.field("tagpath", pa.string(), nullable=False),
        pa.field("intvalue", pa.int64()),
        pa.field("floatvalue", pa.float64()),
        pa.field("stringvalue", pa.string()),
        pa.field("datevalue", pa.string()),
        pa.field("dataintegrity", pa.int64()),
        pa.field("t_stamp", pa.int64(), nullable=False),
    ]
)
"""A page as landed: rows of `sqlt_data_*` with the tag's path; t_stamp is epoch ms in UTC."""

_HOUR_MS: Final = 3_600_000
_LAST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_FIRST_WAIT_S: Final = 0.5
Answer = TypeVar("Answer")


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The values past the cursor, and the overlap before it, in pages by time.

    Args:
        fetch: Its contract's location is an SQLAlchemy URL with `{inbox}` for the inbox, or
            `env:NAME` of a variable holding one; its cursor is the newest t_stamp taken, epoch ms.

    Yields:
        One offer for each page, with the cursor it reaches.

    Raises:
        SourceUnavailable: It did not answer within the contract's attempts.
    """
    contract, cursor = fetch.contract, fetch.cursor
    pull = contract.delivery.pull
    engine = _engine(contract, fetch.settings)
    try:
        low = max(0, cursor - int(pull.overlap_h * _HOUR_MS))
        while True:
            page = _patiently(contract, partial(_page, engine, contract, low))
            if page.num_rows == 0:
                return
            page, following = _whole_instants(page, pull.page_rows)
            newest = int(page["t_stamp"][-1].as_py())
            # A clock that runs ahead must not lead the cursor past what is still to come.
            reached = min(newest, int(time.time() * 1000))
            path = fetch.scratch / f"page-{low}.parquet"
            pq.write_table(page, path, compression="zstd")
            yield Offer(
                name=f"{contract.id} {_instant(low)} to {_instant(newest)}",
                path=path,
                received_at=datetime.now(UTC),
                marks={"cursor": reached} if reached > cursor else {},
                is_pulled=True,
            )
            if following is None:
                return
            low = following
    finally:
        engine.dispose()


def _engine(contract: SourceContract, settings: Settings) -> sa.Engine:
    timeout = contract.delivery.pull.timeout_s
    try:
        url = sa.make_url(_address(contract, settings))
    except sa.exc.ArgumentError:  # its text may hold a password
        raise SourceUnavailable(
            Problem(
                f"{contract.path}: servers",
                "the address is no SQLAlchemy URL",
                "Write one such as postgresql+psycopg://host/database, or env:NAME.",
            )
        ) from None
    if url.drivername.startswith("sqlite"):
        # mode=ro: a historian that is not there must be an error, not a new empty file.
        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
        return sa.create_engine(url, connect_args={"timeout": timeout}, poolclass=sa.NullPool)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "postgresql":

        @sa.event.listens_for(engine, "connect")
        def _gentle(connection: Any, _record: object) -> None:  # noqa: ANN401 - any DBAPI
            with connection.cursor() as cursor:
                cursor.execute("set default_transaction_read_only = on")
                cursor.execute(f"set statement_timeout = {int(timeout * 1000)}")
            connection.commit()

    return engine


def _address(contract: SourceContract, settings: Settings) -> str:
    location = contract.location
    if location.startswith("env:"):
        name = location.removeprefix("env:")
        if name not in os.environ:
            raise SourceUnavailable(
                Problem(f"{contract.path}: servers", f"{name} is not set", "Set the variable.")
            )
        return os.environ[name]
    return location.replace("{inbox}", str(settings.inbox))


def _patiently(contract: SourceContract, ask: Callable[[], Answer]) -> Answer:
    attempts = contract.delivery.pull.attempts
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except sa.exc.SQLAlchemyError as error:
            if attempt == attempts:
                raise SourceUnavailable(
                    Problem(
                        contract.id,
                        f"the historian did not answer in {attempts} attempts: "
                        f"{str(getattr(error, 'orig', None) or error).splitlines()[0]}",
                        "Check the link and the address in the contract; the next run goes on "
                        "from the same cursor.",
                    )
                ) from None
            time.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _page(engine: sa.Engine, contract: SourceContract, low: int) -> pa.Table:
    """Values with t_stamp >= low, in time order, over all partitions: one more than a page."""
    pull = contract.delivery.pull
    with engine.connect() as connection:
        names = _partitions(connection, low)
        if not names:
            return SCHEMA.empty_table()
        parts = [_values(name, low, pull.tags) for name in names]
        query = (
            sa.union_all(*parts)
            .order_by(sa.text("t_stamp"), sa.text("tagid"))
            .limit(pull.page_rows + 1)
        )
        rows = connection.execute(query).mappings().all()
    return pa.Table.from_pylist([dict(row) for row in rows], SCHEMA)


def _partitions(connection: sa.Connection, low: int) -> list[str]:
    partitions = sa.table("sqlth_partitions", sa.column("pname"), sa.column("end_time"))
    listed: Iterable[str] = connection.execute(
        sa.select(partitions.c.pname)
        .distinct()
        .where(sa.or_(partitions.c.end_time.is_(None), partitions.c.end_time >= low))
    ).scalars()
    there = set(sa.inspect(connection).get_table_names())
    return sorted(name for name in listed if name in there)


def _values(partition: str, low: int, tags: str) -> sa.Select[Any]:
    columns = [name for name in SCHEMA.names if name != "tagpath"]
    data = sa.table(partition, *(sa.column(name) for name in columns))
    tag = sa.table("sqlth_te", sa.column("id"), sa.column("tagpath"))
    chosen = [
        sa.cast(data.c.datevalue, sa.String).label(name)
        if name == "datevalue"
        else (tag.c.tagpath if name == "tagpath" else data.c[name])
        for name in SCHEMA.names
    ]
    return (
        sa.select(*chosen)
        .join_from(data, tag, data.c.tagid == tag.c.id)
        .where(data.c.t_stamp >= low, tag.c.tagpath.like(tags))
    )


def _whole_instants(page: pa.Table, page_rows: int) -> tuple[pa.Table, int | None]:
    """Cut a page before the instant of its surplus row, so that no instant is split.

    Returns:
        The page, and where the next one starts; None when this was the last.
    """
    if page.num_rows <= page_rows:
        return page, None
    stamps = page["t_stamp"].to_numpy()
    last = int(stamps[-1])
    cut = int((stamps < last).sum())
    if cut == 0:
        raise SourceUnavailable(
            Problem(
                f"t_stamp {last}",
                f"more than {page_rows} values share one instant",
                "Raise pull.pageRows in the contract.",
            )
        )
    return page.slice(0, cut), last


def _instant(epoch_ms: int) -> str:
    if epoch_ms > _LAST_MS:
        return str(epoch_ms)  # no calendar has it; the row itself goes to quarantine
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

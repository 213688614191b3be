"""A read-only link to one database: its address, its session, and answers that come into DuckDB.

SQLAlchemy is the way in for dialects, reflection and every database without a faster reader.
PostgreSQL is read by DuckDB's scanner, which is given the statement that SQLAlchemy has composed;
so are the tables of an SQLite file. Nothing here can write: not the session, not the attachment.

Source: SQLAlchemy 2.1; DuckDB 1.5 extensions `postgres_scanner` and `sqlite_scanner`; libpq.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from ingestion.fetching import Fetch, address
from ingestion.protocols import patience
from lakehouse import duck
from lakehouse.contracts import SourceContract
from lakehouse.errors import Problem, SourceUnavailable
from lakehouse.settings import Settings

Answer = TypeVar("Answer")

_ATTACHED: Final = "source"
_SCANNERS: Final = {"postgresql": ("postgres_scanner",), "sqlite": ("sqlite_scanner",)}
_SETTINGS: Final = {
    # One connection gives rows to one thread; a second one would only wait for it, and busily.
    "postgresql": "set pg_pool_max_connections = 1; set threads = 1",
    # DuckDB 1.5.5 takes scans of two SQLite tables for one: a union gave the first one twice.
    "sqlite": "set disabled_optimizers = 'common_subplan'",
}
_AT_ONCE: Final = 50_000
"""Rows that SQLAlchemy hands over together."""
_CAST: Final = "Ask for a view that makes it one."


@dataclass(frozen=True, slots=True)
class Link:
    """A database and the private DuckDB that its answers come into.

    Attributes:
        contract: The source it is asked for.
        engine: How it is asked; opens one connection at a time.
        local: Where answers become tables.
    """

    contract: SourceContract
    engine: sa.Engine
    local: duckdb.DuckDBPyConnection

    @property
    def dialect(self) -> str:
        """What SQLAlchemy calls the database, such as `postgresql`."""
        return self.engine.dialect.name


@contextmanager
def linked(fetch: Fetch) -> Iterator[Link]:
    """Open a link for one fetching.

    Args:
        fetch: Its contract's location is an SQLAlchemy URL with `{inbox}` for the inbox, or
            `env:NAME` of a variable holding one.

    Raises:
        SourceUnavailable: The address is none.
    """
    engine = _engine(fetch.contract, fetch.settings)
    local = duck.connect(extensions=_SCANNERS.get(engine.dialect.name, ()))
    try:
        local.execute(f"set temp_directory = {duck.literal(fetch.scratch)}")
        if engine.dialect.name in _SCANNERS:
            local.execute(_SETTINGS[engine.dialect.name])
        yield Link(fetch.contract, engine, local)
    finally:
        local.close()
        engine.dispose()


def _engine(contract: SourceContract, settings: Settings) -> sa.Engine:
    timeout = contract.delivery.pull.timeout_s
    try:
        url = sa.make_url(address(contract, settings))
        if url.drivername.startswith("sqlite"):
            # mode=ro: a database that is not there must be an error, not a new empty file.
            url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
            return sa.create_engine(url, connect_args={"timeout": timeout}, poolclass=sa.NullPool)
        if url.drivername.startswith("postgresql"):
            arguments = _postgres_session(contract) | {"connect_timeout": max(2, int(timeout))}
            return sa.create_engine(url, connect_args=arguments, poolclass=sa.NullPool)
        arguments = {"timeout": int(timeout), "login_timeout": int(timeout)}
        return sa.create_engine(
            url,
            connect_args=arguments if url.drivername == "mssql+pymssql" else {},
            poolclass=sa.NullPool,
        )
    except (sa.exc.ArgumentError, ImportError) as error:  # its text may hold a password
        missing = getattr(error, "name", None) or "no such dialect"
        raise SourceUnavailable(
            Problem(
                f"{contract.path}: servers",
                "the address is no SQLAlchemy URL"
                if isinstance(error, sa.exc.ArgumentError)
                else f"the driver of the address is not installed: {missing}",
                "Write one such as postgresql+psycopg://host/database, or env:NAME.",
            )
        ) from None


def _postgres_session(contract: SourceContract) -> dict[str, str]:
    """What libpq says when it connects: nothing may be written, no statement runs for ever."""
    milliseconds = int(contract.delivery.pull.timeout_s * 1000)
    return {
        "options": f"-c default_transaction_read_only=on -c statement_timeout={milliseconds}",
        "application_name": "sjostad",
    }


def patiently(link: Link, ask: Callable[[], Answer]) -> Answer:
    """Ask, and ask again after a while if the database does not answer.

    Raises:
        SourceUnavailable: It did not answer within the contract's attempts.
    """

    def told(error: Exception) -> str:
        link.local.execute(f"detach database if exists {_ATTACHED}")  # its connection may be dead
        return _first_line(link, error)

    failures = (sa.exc.SQLAlchemyError, duckdb.Error)
    return patience.patiently(link.contract, ask, failures, told, "the database")


def _first_line(link: Link, error: Exception) -> str:
    """What the database said; DuckDB repeats the whole address, which holds the password."""
    text = str(getattr(error, "orig", None) or error)
    if link.dialect == "postgresql":
        text = text.replace(_conninfo(link), "…")
    password = link.engine.url.password
    if password:
        text = text.replace(str(password), "…")
    return text.splitlines()[0]


def receive(link: Link, statement: sa.Select[Any], order: Sequence[str], table: str) -> None:
    """Run a statement in the database and make a local table of its rows.

    Args:
        link: The database.
        statement: What to ask.
        order: Its columns that pages are told by. Of an SQLite table, where any cell may be of
            any type, all others come as text.
        table: Name of the temp table; one that is there is replaced.

    Raises:
        SourceUnavailable: A column of the order holds what its type does not allow.
    """
    if link.dialect == "postgresql":
        _attach(link, _conninfo(link), "postgres")
        link.local.execute(
            f"""create or replace temp table {table} as
            from postgres_query('{_ATTACHED}', {duck.literal(_text(link, statement))})"""
        )
        return
    typed = order if link.dialect == "sqlite" else statement.selected_columns.keys()
    schema = pa.schema(
        [
            (column.name, _arrow(column.type) if column.name in typed else pa.string())
            for column in statement.selected_columns
        ]
    )
    link.local.register("nothing", schema.empty_table())
    link.local.execute(f"create or replace temp table {table} as from nothing")
    link.local.unregister("nothing")
    with link.engine.connect() as connection:
        streamed = connection.execution_options(stream_results=True).execute(statement)
        for rows in streamed.partitions(_AT_ONCE):
            link.local.register("some_rows", _table(rows, schema))
            link.local.execute(f"insert into {table} from some_rows")
            link.local.unregister("some_rows")


def receive_file(link: Link, statement: sa.Select[Any], table: str) -> bool:
    """The same for an SQLite file as a whole: read by DuckDB, many times as fast.

    A column that holds another type than it declares cannot be read like this.

    Returns:
        Whether it could be read; if not, there is no table and `receive` must be used.
    """
    _attach(link, str(link.engine.url.database).removeprefix("file:"), "sqlite")
    link.local.execute(f"use {_ATTACHED}")
    try:
        link.local.execute(f"create or replace temp table {table} as {_text(link, statement)}")
    except duckdb.TypeMismatchException:
        return False
    finally:
        link.local.execute("use memory")
    return True


def _attach(link: Link, address: str, kind: str) -> None:
    link.local.execute(
        f"attach if not exists {duck.literal(address)} as {_ATTACHED} (type {kind}, read_only)"
    )


def _conninfo(link: Link) -> str:
    """The address as libpq wants it."""
    engine = link.engine
    _, given = engine.dialect.create_connect_args(engine.url)
    timeout = str(max(2, int(link.contract.delivery.pull.timeout_s)))
    words = {**given, **_postgres_session(link.contract), "connect_timeout": timeout}
    # SQLAlchemy adds an object of its driver's own.
    return " ".join(f"{n}={_quoted(value)}" for n, value in words.items() if n != "context")


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _text(link: Link, statement: sa.Select[Any]) -> str:
    """A statement as text, with its values as literals."""
    dialect = link.engine.dialect
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    # Drivers that write %s for a value want every other percent sign twice; nobody else does.
    return text.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else text


def _arrow(kind: sa.types.TypeEngine[Any]) -> pa.DataType:
    """The Arrow type of a column's type; what is neither number nor time is text."""
    match kind:
        case sa.Integer():
            return pa.int64()
        case sa.Float():
            return pa.float64()
        case sa.Boolean():
            return pa.bool_()
        case sa.DateTime():
            return pa.timestamp("us", tz="UTC" if kind.timezone else None)
        case _:
            return pa.string()


def _table(rows: Any, schema: pa.Schema) -> pa.Table:  # noqa: ANN401 - rows of any database
    columns = zip(*rows, strict=True)
    arrays = []
    for field, cells in zip(schema, columns, strict=True):
        values = [_plain(cell) for cell in cells] if pa.types.is_string(field.type) else cells
        try:
            arrays.append(pa.array(values, field.type))
        except pa.ArrowException as error:
            raise SourceUnavailable(
                Problem(f"column {field.name}", f"a cell is no {field.type}: {error}", _CAST)
            ) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(cell: object) -> str | None:
    """A cell as text: bytes in hex, everything else as Python writes it, exactly."""
    if cell is None or isinstance(cell, str):
        return cell
    return cell.hex() if isinstance(cell, bytes) else str(cell)

"""Pulls a table or a view of any database that SQLAlchemy speaks, read-only and page by page.

Only the columns that the contract's rules read are asked for, and the cursor's. The cursor is a
column that grows with every insert; without one it is the time of the rows. Both are read again
over an overlap, because a transaction that began earlier may end later. A hypertable of
TimescaleDB is a table like any other: it is asked by a predicate on its time.

Source: SQLAlchemy 2.1, "Reflecting Database Objects".
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import ge, lt
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.protocols import sql_days
from ingestion.protocols.sql_link import Link, linked, patiently
from ingestion.protocols.sql_pull import Bound, Feed, Value, pages
from ingestion.reading import columns
from lakehouse.contracts import SourceContract
from lakehouse.duck import identifier
from lakehouse.errors import Problem, SourceUnavailable

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock's, as the column's values are
_PER_HOUR: Final = {"epoch_s": 3600, "epoch_ms": 3_600_000}


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the database describes it.

    Attributes:
        columns: Those that are asked for, with their types.
        cursor: Name of the one that is the cursor.
        key: Whole numbers that tell rows apart, from its primary key; empty without one.
        is_plain: Whether all of them are numbers and text; DuckDB would re-write a date.
    """

    name: str
    schema: str | None
    columns: dict[str, sa.types.TypeEngine[Any]]
    cursor: str
    key: tuple[str, ...]
    is_plain: bool


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The rows past the cursor, and the overlap before it, in pages by the cursor's column.

    Args:
        fetch: Its contract's `pull` names the table. The cursor is the newest value taken: the
            number itself, or microseconds since 1970 on the column's own clock.

    Yields:
        One offer for each page, with the cursor it reaches.

    Raises:
        SourceUnavailable: The database did not answer within the contract's attempts, or has
            not what the contract names.
    """
    with linked(fetch) as link:
        table = patiently(link, partial(_reflect, link))
        clock = _clock(fetch.contract, table, link.dialect)
        low = _low(fetch, table, clock)
        bounds = [] if low is None else [Bound(table.cursor, ge, low)]
        yield from pages(fetch, link, _feed(fetch.contract, table, clock), [bounds])


def _feed(contract: SourceContract, table: Table, clock: Clock) -> Feed:
    return Feed(
        ask=partial(_ask, table),
        order=(table.cursor, *table.key),
        label=str,
        mark=partial(_mark, contract, table, clock),
        is_plain=table.is_plain,
    )


@contextmanager
def days(fetch: Fetch) -> Iterator[sql_days.Days]:
    """Its rows day by day, by the time of the rows whatever the cursor is.

    A day is one of UTC where the times are instants, and one of the contract's zone where they
    are local or text.

    Raises:
        SourceUnavailable: As `offers`; or the time is no single column that sorts as time does.
    """
    contract = fetch.contract
    with linked(fetch) as link:
        table = patiently(link, partial(_reflect, link))
        time_rule = contract.delivery.time
        if time_rule is None or len(time_rule.columns) != 1:
            raise _problem(contract, "time", "rows are counted by a single column with their time")
        (column,) = time_rule.columns
        clock = _clock(contract, table, link.dialect, column)
        if clock == "number":
            raise _problem(contract, "time", f"'{column}' is a number, and no time since 1970")
        feed = _feed(contract, table, _clock(contract, table, link.dialect))
        narrow, device = contract.delivery.narrow, contract.delivery.device
        key = [column, device.column if device else None, narrow.channel if narrow else None]
        named = [name for name in key if name]
        per_second = _PER_HOUR[clock] // 3600 if clock in _PER_HOUR else 0
        quoted = [identifier(name) for name in named]

        def window(day: date) -> list[Bound]:
            low, high = (_at(clock, at) for at in sql_days.spans(day))
            return [Bound(column, ge, low), Bound(column, lt, high)]

        def measured(bounds: Sequence[Bound]) -> sa.Select[Any]:
            return _measured(contract, table, bounds)

        yield sql_days.Days(
            zone="UTC" if clock in ("zoned", *_PER_HOUR) else str(_zone(contract)),
            has_channel=narrow is not None,
            page_day=sql_days.epoch_day(quoted[0], per_second)
            if per_second
            else sql_days.written_day(quoted[0]),
            page_key=quoted,
            count=lambda day: sql_days.count(fetch, link, measured, named, window(day)),
            offers=lambda day: sql_days.offers(fetch, link, feed, window(day)),
        )


def _at(clock: Clock, at: datetime) -> Value:
    """The first instant of a day as a value of the time column; text of a day sorts before it."""
    if clock in _PER_HOUR:
        return int(at.replace(tzinfo=UTC).timestamp()) * (_PER_HOUR[clock] // 3600)
    if clock == "text":
        return f"{at:%Y-%m-%d}"
    return at.replace(tzinfo=UTC) if clock == "zoned" else at


def _measured(contract: SourceContract, table: Table, bounds: Sequence[Bound]) -> sa.Select[Any]:
    """The rows that are not left out for want of a value, as the contract's columns alone."""
    every = _ask(table, bounds, None)
    kept = [column for column in every.selected_columns if column.key in columns.names(contract)]
    narrow, quality = contract.delivery.narrow, contract.delivery.quality
    found = every.with_only_columns(*kept)
    if any(one.empty == "quarantine" or one.required for one in contract.channels):
        return found
    names = [narrow.value] if narrow else [one.delivered_as for one in contract.channels]
    values = [column for column in kept if column.key in names]
    tells = [column.is_not(None) for column in values]
    if quality:  # a bad value is a gap that the source reports: it lands without a value
        (code,) = (column for column in kept if column.key == quality.column)
        tells.append(sa.cast(code, sa.Text).in_(quality.bad))
    return found.where(sa.or_(*tells))


Clock = Literal["number", "epoch_s", "epoch_ms", "text", "local", "zoned"]
"""What the cursor's column holds."""


def _reflect(link: Link) -> Table:
    contract = link.contract
    pull, time_rule = contract.delivery.pull, contract.delivery.time
    name = pull.table or ""
    cursor = pull.cursor or (time_rule.columns[0] if time_rule and time_rule.columns else None)
    if not name or cursor is None:
        raise _problem(contract, "pull", "a table needs 'table', and 'cursor' or a time column")
    schema, _, table = name.rpartition(".")
    inspector = sa.inspect(link.engine)
    try:
        described = {c["name"]: c["type"] for c in inspector.get_columns(table, schema or None)}
        key = inspector.get_pk_constraint(table, schema or None)["constrained_columns"]
    except sa.exc.NoSuchTableError:
        raise _problem(contract, "pull.table", f"there is no table or view '{name}'") from None
    wanted = tuple(dict.fromkeys((*columns.names(contract), cursor)))
    missing = [column for column in wanted if column not in described]
    if missing:
        raise _problem(contract, "pull.table", f"'{name}' has no column {', '.join(missing)}")
    whole = all(isinstance(described[column], sa.Integer) for column in key)
    kept = tuple(column for column in key if column != cursor) if whole else ()
    kinds = {column: described[column] for column in dict.fromkeys((*wanted, *kept))}
    is_plain = all(isinstance(kind, sa.Integer | sa.Float | sa.String) for kind in kinds.values())
    if link.dialect == "sqlite":  # a cell may be of any type: it comes as it is
        kinds = {n: k if isinstance(k, sa.Integer) else sa.Text() for n, k in kinds.items()}
    return Table(table, schema or None, kinds, cursor, kept, is_plain)


def _problem(contract: SourceContract, key: str, what: str) -> SourceUnavailable:
    place = f"{contract.path}: customProperties.delivery.{key}"
    return SourceUnavailable(Problem(place, what, "Correct the contract, or ask the supplier."))


def _clock(
    contract: SourceContract, table: Table, dialect: str, column: str | None = None
) -> Clock:
    """What a column holds; the cursor's if none is named."""
    column = column or table.cursor
    time_rule, kind = contract.delivery.time, table.columns[column]
    is_time = time_rule is not None and time_rule.columns == (column,)
    if isinstance(kind, sa.Integer):
        if time_rule and is_time and time_rule.format in _PER_HOUR:
            return "epoch_s" if time_rule.format == "epoch_s" else "epoch_ms"
        return "number"
    if dialect == "sqlite":
        return "text"
    if isinstance(kind, sa.DateTime):
        return "zoned" if kind.timezone else "local"
    raise _problem(
        contract, "pull.cursor", f"'{column}' is {kind}, neither a whole number nor a time"
    )


def _low(fetch: Fetch, table: Table, clock: Clock) -> Value:
    """Where the pull begins, as a value of the cursor's column; None at its beginning."""
    pull = fetch.contract.delivery.pull
    if clock == "number":
        return max(0, fetch.cursor - pull.overlap_rows) if fetch.cursor else None
    if clock in _PER_HOUR:
        begin = int(pull.start.timestamp() * _PER_HOUR[clock] / 3600) if pull.start else None
        low = fetch.cursor - int(pull.overlap_h * _PER_HOUR[clock]) if fetch.cursor else begin
        return low if begin is None or low is None else max(low, begin)
    own = UTC if clock == "zoned" else _zone(fetch.contract)
    at = pull.start.astimezone(own).replace(tzinfo=None) if pull.start else None
    if fetch.cursor:
        taken = _EPOCH + timedelta(microseconds=fetch.cursor) - timedelta(hours=pull.overlap_h)
        at = taken if at is None else max(at, taken)
    if at is None or clock == "local":
        return at
    # Text sorts by how it is written (a blank or a T, with or without seconds): whole days do not.
    return at.replace(tzinfo=UTC) if clock == "zoned" else f"{at:%Y-%m-%d}"


def _zone(contract: SourceContract) -> ZoneInfo:
    return ZoneInfo(contract.delivery.time.zone if contract.delivery.time else "UTC")


def _mark(contract: SourceContract, table: Table, clock: Clock, newest: Value) -> int:
    """The cursor that a newest value means; a clock that runs ahead does not lead it away."""
    if clock == "number":
        return int(newest)
    if clock in _PER_HOUR:
        return min(int(newest), int(time.time() * _PER_HOUR[clock] / 3600))
    now = datetime.now(UTC if clock == "zoned" else _zone(contract)).replace(tzinfo=None)
    if clock == "text":
        try:
            newest = datetime.fromisoformat(str(newest))
        except ValueError:
            raise _problem(
                contract,
                "pull.cursor",
                f"'{table.cursor}' holds '{newest}', no ISO 8601 time, so its order is not time's",
            ) from None
    at = newest.astimezone(UTC) if clock == "zoned" else newest
    reached = min(at.replace(tzinfo=None), now) - _EPOCH
    return int(reached // timedelta(microseconds=1))


def _ask(table: Table, bounds: Sequence[Bound], limit: int | None) -> sa.Select[Any]:
    source = sa.table(
        table.name,
        *(sa.column(name, kind) for name, kind in table.columns.items()),
        schema=table.schema,
    )
    order = [source.c[name] for name in (table.cursor, *table.key)]
    return (
        sa.select(*(_cell(column) for column in source.c))
        .where(order[0].is_not(None), *(bound.of(source.c[bound.column]) for bound in bounds))
        .order_by(*order)
        .limit(limit)
    )


def _cell(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column as asked for: what is neither number, text nor time comes as the source's text.

    A decimal number would lose digits on its way, and NaN among decimals would become 0.
    """
    match column.type:
        case sa.Integer() | sa.Float() | sa.Boolean() | sa.DateTime() | sa.String():
            return column
        case _:
            return sa.cast(column, sa.Text).label(column.key)

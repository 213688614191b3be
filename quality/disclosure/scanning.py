"""Reading a relation: DuckDB finds which values to look at, Python looks at each once.

Columns are read one by one. Of a column with few different values those are looked for first,
of one with many only what might be something is brought together. A group that does not fit in
the connection's memory goes to disk; Python holds a thousand values at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from lakehouse.contracts.product import ProductColumn
from lakehouse.duck import identifier, literal
from quality.disclosure.kinds import KINDS, Hit, Kind, Scan
from quality.disclosure.names import axis_of, is_a_meter, told_by_name
from quality.disclosure.places import too_fine
from quality.disclosure.tally import Tally
from quality.disclosure.texts import of_number

_MAYBE: Final = "|".join(
    (
        r"[0-9]{6}[ \x{a0}]?[-+\x{2010}-\x{2015}\x{2212}]?[ ]?[0-9]{4}",
        r"[0-9]{2}[- ][0-9]{6}[- ][0-9]{6}",
        r"@[^@\s]+[.]",
        r"(?:^|[^0-9])(?:[+]|00)[ \x{a0}-]?46",
        r"(?:^|[^0-9A-Za-z_/-])[(]?0[1-9][0-9]{0,2}[)]?[ \x{a0}/-]{0,3}[0-9][0-9 \x{a0}-]{5}",
        r"(?i:(?:^|[^0-9a-z])[a-hj-pr-uw-z]{3}[ -]{0,2}[0-9]{2}[0-9a-hj-npr-uw-z](?:$|[^0-9a-z]))",
        r"(?:[0-9A-Fa-f]{2}[:-]){5}|(?:[0-9A-Fa-f]{4}[.]){2}|(?:[0-9A-Fa-f]{1,4}:){7}|::",
        r"[0-9][.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]",
        r"(?i:lgh|lägenhet|apartment)|[a-zåäöé] [0-9]{1,3}:[0-9]",
        r"sson",
        r"(?:gata|gatan|väg|vägen|gränd|stigen|stig|backen|allén|torget|torg|plan|kajen|ringen"
        r"|slingan)\s[0-9]",
        r"(?:\S+\s+){5}\S",
    )
)
"""Whatever `texts.finds` might find, and little else: no timestamp, and no plain name."""
_HASH: Final = "[0-9A-Fa-f-]{32,}"
_MANY: Final = 1_000_000
_BATCH: Final = 1_000
_WHOLE_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT",
                         "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")  # fmt: skip
_NUMBERS: Final = (*_WHOLE_NUMBERS, "DOUBLE", "FLOAT", "DECIMAL")
_NO_TEXT: Final = ("BOOLEAN", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "UUID")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the relation, with what its contract says of it."""

    name: str
    type: str
    labels: tuple[str, ...]
    unit: str | None

    @property
    def is_number(self) -> bool:
        return self.type.startswith(_NUMBERS) and not self.type.endswith("]")

    @property
    def is_text(self) -> bool:
        """Also lists, structures and bytes, whose text holds what they hold."""
        plain = self.type.startswith(_NO_TEXT) and not self.type.endswith("]")
        return not self.is_number and not plain


def scan(
    connection: duckdb.DuckDBPyConnection,
    relation_sql: str,
    columns: Sequence[ProductColumn] = (),
    *,
    least_m: float | None = None,
    accepted: Mapping[str, Collection[Kind]] | None = None,
) -> Scan:
    """Scan every column of a relation for what must not leave.

    Args:
        connection: A connection that can read the relation.
        relation_sql: A select, such as `select * from delta_scan('...', version=3)`.
        columns: What the product's contract says of its columns: a label may say that they hold
            persons, a unit that a number is measured. Columns that it does not name are scanned
            all the same.
        least_m: Width of the squares that a place must at least be told by, in metres; None if
            places may be told as they are.
        accepted: Kinds that a column may hold, because the contract says so.

    Raises:
        ValueError: `least_m` is not above 0.
    """
    if least_m is not None and least_m <= 0:
        raise ValueError(f"least_m is {least_m}; give a width in metres above 0, or None")
    relation = f"({relation_sql})"
    held = _columns(connection, relation, columns)
    rows, filled, distinct = _profile(connection, relation, held)
    hits: list[Hit] = []
    doubtful: list[Hit] = []
    for column in held:
        named = _by_name(connection, relation, column)
        others = any(is_a_meter(other.name) for other in held if other.name != column.name)
        tally = _tally(connection, relation, column, distinct[column.name])
        told, doubt = tally.hits(distinct[column.name], filled[column.name], others)
        places = [] if least_m is None else _by_place(connection, relation, column, least_m)
        known = {one.kind for one in named}
        found = [*named, *(one for one in (*told, *places) if one.kind not in known)]
        hits += sorted(found, key=lambda one: KINDS.index(one.kind))
        doubtful += [one for one in doubt if one.kind not in known]
    may = {(name, kind) for name, kinds in (accepted or {}).items() for kind in kinds}
    return Scan(
        hits=tuple(one for one in hits if (one.column, one.kind) not in may),
        accepted=tuple(one for one in hits if (one.column, one.kind) in may),
        doubtful=tuple(doubtful),
        columns_scanned=tuple(column.name for column in held),
        rows_scanned=rows,
    )


def _columns(
    connection: duckdb.DuckDBPyConnection, relation: str, promised: Sequence[ProductColumn]
) -> list[_Column]:
    known = {column.name: column for column in promised}
    described = connection.execute(f"describe select * from {relation}").fetchall()
    held = []
    for name, kind, *_ in described:
        told = known.get(name)
        labels = (told.label.sv, told.label.en) if told else ()
        held.append(_Column(name, kind, labels, told.unit if told else None))
    return held


def _profile(
    connection: duckdb.DuckDBPyConnection, relation: str, held: Sequence[_Column]
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Rows, and of each column the filled ones and about how many different values."""
    asked = ["count(*)"]
    for column in held:
        name = identifier(column.name)
        asked.append(f"count({name})")
        asked.append(f"approx_count_distinct({name})" if column.is_text else "0")
    found = connection.execute(f"select {', '.join(asked)} from {relation}").fetchone()
    rows, *counts = found or (0,)
    names = [column.name for column in held]
    filled, distinct = counts[::2], counts[1::2]
    return rows, dict(zip(names, filled, strict=True)), dict(zip(names, distinct, strict=True))


def _by_name(connection: duckdb.DuckDBPyConnection, relation: str, column: _Column) -> list[Hit]:
    """What the column's name says that it holds, if it holds anything."""
    kinds = told_by_name(column.name, column.labels)
    if column.type == "BOOLEAN":
        return []
    if not column.is_text:
        # A number is no name; and a number with a unit is measured, not given to somebody.
        kinds = tuple(kind for kind in kinds if kind != "person_name" and column.unit is None)
    if not kinds:
        return []
    text = f"nullif(trim(cast({identifier(column.name)} as varchar)), '')"
    query = f"select count(distinct {text}), count({text}) from {relation}"
    count, rows = connection.execute(query).fetchone() or (0, 0)
    return [Hit(column.name, kind, count, rows) for kind in kinds] if rows else []


def _by_place(
    connection: duckdb.DuckDBPyConnection, relation: str, column: _Column, least_m: float
) -> list[Hit]:
    axis = axis_of(column.name)
    if axis is None or not (column.is_number or column.is_text):
        return []
    name = identifier(column.name)
    query = (
        f"select count(*), coalesce(sum(n), 0)::bigint from "
        f"(select {name}, count(*) as n from {relation} group by all) "
        f"where {too_fine(column.name, axis, least_m)}"
    )
    count, rows = connection.execute(query).fetchone() or (0, 0)
    return [Hit(column.name, "precise_place", count, rows)] if rows else []


def _tally(
    connection: duckdb.DuckDBPyConnection, relation: str, column: _Column, distinct: int
) -> Tally:
    tally = Tally(column.name)
    if column.is_text:
        for text, rows in _read(connection, _texts(relation, column, distinct)):
            tally.add(text, rows)
    elif column.is_number and column.unit is None and axis_of(column.name) is None:
        for number, rows in _read(connection, _numbers(relation, column)):
            tally.count(of_number(number), rows)
    return tally


def _texts(relation: str, column: _Column, distinct: int) -> str:
    text = f"cast({identifier(column.name)} as varchar)"
    may_be = f"regexp_matches(v, {literal(_MAYBE)}) and not regexp_full_match(v, {literal(_HASH)})"
    if distinct > _MANY:
        return (
            f"select v, count(*) from (select {text} as v from {relation}) "
            f"where {may_be} group by v"
        )
    grouped = f"select {text} as v, count(*) as n from {relation} group by {text}"
    return f"select v, n from ({grouped}) where {may_be}"


def _numbers(relation: str, column: _Column) -> str:
    """Whole numbers with as many digits as an identity has, written without a unit."""
    name = identifier(column.name)
    return (
        f"select cast(v as hugeint)::varchar, count(*) from (select {name} as v from {relation}) "
        "where (v between 100000000 and 9999999999 or v between 180000000000 and 209999999999 "
        "or v between 10000000000000 and 999999999999999) and v = floor(v) group by v"
    )


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[str, int]]:
    found = connection.execute(query)
    while batch := found.fetchmany(_BATCH):
        yield from batch

"""Parquet files: columns by name, parts of a structure by a dotted path.

A cell is the value's text: instants as ISO 8601 in UTC with a Z, times without zone without one,
decimals with all their digits, lists and structures as JSON.

Source: Apache Parquet format 2.11, read by DuckDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import duckdb
from duckdb.sqltypes import DuckDBPyType

from ingestion.deliveries import Member
from ingestion.reading import columns
from ingestion.reading.offered import Reading, together
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

Types = tuple[tuple[str, str], ...]
"""The columns of a file with their DuckDB types."""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read Parquet files.

    Raises:
        DeliveryRefused: A file is damaged or lacks a column of the contract.
    """
    types = {member.number: _types(connection, member) for member in members}

    def types_of(member: Member) -> Types:
        return types[member.number]

    groups = groupby(sorted(members, key=types_of), key=types_of)
    return together(
        [
            _read_alike(connection, list(alike), kinds, contract, number)
            for number, (kinds, alike) in enumerate(groups)
        ]
    )


def _types(connection: duckdb.DuckDBPyConnection, member: Member) -> Types:
    """Columns and leaves of structures, by dotted path."""
    try:
        described = connection.execute(f"from read_parquet({literal(member.path)}) limit 0")
    except duckdb.Error as error:
        raise _damaged(member, error) from error
    found: list[tuple[str, str]] = []

    def add(path: str, kind: DuckDBPyType) -> None:
        found.append((path, str(kind)))
        if kind.id == "struct":
            for name, part in kind.children:
                if isinstance(part, DuckDBPyType):
                    add(f"{path}.{name}", part)

    for name, kind, *_ in described.description or ():
        add(name, kind)
    return tuple(found)


def _read_alike(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    types: Types,
    contract: SourceContract,
    group: int,
) -> Reading:
    """Read files that have the same columns."""
    kinds = dict(types)
    columns.require(contract, [name for name, _ in types], members[0].label)
    names = columns.names(contract)
    texts = ", ".join(_text(name, kinds) for name in names)
    connection.execute(
        f"create temp table parquet_{group} (_file integer, _row bigint, "
        "_raw varchar, f varchar[], layout_rule varchar, layout_problem varchar)"
    )
    for member in members:
        # Read at once: damage within the file must refuse it, not end the batch later.
        try:
            connection.execute(
                f"""insert into parquet_{group}
                select {member.number}, file_row_number + 1,
                    to_json(p)::varchar, [{texts}], null, null
                from read_parquet({literal(member.path)}, file_row_number = true) p"""
            )
        except duckdb.Error as error:
            raise _damaged(member, error) from error
    place = {name: number for number, name in enumerate(names, start=1)}
    offered = columns.offer(
        connection,
        contract,
        members,
        f"parquet_{group}",
        lambda name: f"f[{place[name]}]",
        group=group,
        header=0,
    )
    return Reading(f"select _file, _row, _raw from parquet_{group}", offered)


def _text(name: str, kinds: dict[str, str]) -> str:
    """SQL of the text of a column or a part of one."""
    value = _value(name, kinds)
    kind = kinds[name]
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"replace(timezone('UTC', {value})::varchar, ' ', 'T') || 'Z'"
    if kind == "BLOB":
        return f"to_base64({value})"
    if ("(" in kind and not kind.startswith("DECIMAL")) or kind.endswith("]"):
        return f"to_json({value})::varchar"
    return f"{value}::varchar"


def _value(name: str, kinds: dict[str, str]) -> str:
    """SQL of a column, or of the part that a dotted path names; names may hold dots."""
    parents = [path for path in kinds if name.startswith(f"{path}.") and "(" in kinds[path]]
    if not parents:
        return '"' + name.replace('"', '""') + '"'
    parent = max(parents, key=len)
    part = name[len(parent) + 1 :]
    return f"struct_extract({_value(parent, kinds)}, {literal(part)})"


def _damaged(member: Member, error: duckdb.Error) -> DeliveryRefused:
    return DeliveryRefused(
        Problem(member.label, f"the file cannot be read as Parquet: {error}", "Ask for it again.")
    )

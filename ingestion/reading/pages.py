"""Landed pages of a pull: Parquet files, whose cells are read as text.

A page may have been made by another reader of the same database, with other types for the same
columns; text is what they have in common, and it keeps every digit.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ingestion.deliveries import Member
from lakehouse.duck import identifier, literal
from lakehouse.errors import DeliveryRefused, Problem


def load(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], needed: Sequence[str]
) -> str:
    """Make table `pages`: `_file`, `_row`, and `f`, a struct of the needed columns as text.

    Args:
        connection: Where it is made.
        members: The pages.
        needed: Columns that every page must have.

    Returns:
        The query of the pages' rows, all their columns as JSON: `_file, _row, _raw`.

    Raises:
        DeliveryRefused: A file is no Parquet, or lacks a column.
    """
    cells = ", ".join(f"{literal(name)}: {identifier(name)}::varchar" for name in needed)
    rows, records = [], []
    for member in members:
        whole = ", ".join(
            f"{literal(name)}: {identifier(name)}" for name in _names(connection, member, needed)
        )
        place = f"{member.number} as _file, file_row_number + 1 as _row"
        scan = f"read_parquet({literal(member.path)}, file_row_number = true)"
        rows.append(f"select {place}, {{{cells}}} as f from {scan}")
        records.append(f"select {place}, to_json({{{whole}}})::varchar as _raw from {scan}")
    connection.execute(f"create temp table pages as {' union all '.join(rows)}")
    return " union all ".join(records)


def _names(
    connection: duckdb.DuckDBPyConnection, member: Member, needed: Sequence[str]
) -> list[str]:
    """The columns of a page."""
    try:
        described = connection.execute(
            f"describe (from read_parquet({literal(member.path)}))"
        ).fetchall()
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise DeliveryRefused(
            Problem(member.label, f"this is no Parquet file: {first}", "Ask for it again.")
        ) from None
    names = [str(name) for name, *_ in described]
    missing = [name for name in needed if name not in names]
    if missing:
        raise DeliveryRefused(
            Problem(
                member.label,
                f"columns are missing: {', '.join(missing)}",
                f"The page has: {', '.join(names)[:300]}.",
            )
        )
    return names

"""How two engines' tables of one model are held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.duck import connect, delta_scan, identifier

DIGITS, LAST_DECIMAL = 1e-12, 1.01e-6
"""Sums are added up in another order by each engine, and then rounded to six decimals or more."""


def rows_of(address: Path) -> pa.Table:
    """All rows, in the order of their keys: no key has a number with decimals in it."""
    with connect() as connection:
        relation = delta_scan(address)
        types = connection.execute(f"describe from {relation}").fetchall()
        keys = ", ".join(identifier(row[0]) for row in types if "DOUBLE" not in row[1])
        found = connection.execute(f"from {relation} order by {keys}").to_arrow_table()
    return pa.table(found)


def differences(left: pa.Table, right: pa.Table) -> Iterator[str]:
    """What differs between two tables of the same key order, in words; nothing if nothing does."""
    if left.column_names != right.column_names:
        yield f"columns {left.column_names} and {right.column_names}"
    elif left.num_rows != right.num_rows:
        yield f"{left.num_rows} and {right.num_rows} rows"
    else:
        for name in left.column_names:
            yield from _column_differences(
                name, left[name].combine_chunks(), right[name].combine_chunks()
            )


def _column_differences(name: str, left: pa.Array, right: pa.Array) -> Iterator[str]:
    if pa.types.is_list(left.type):
        yield from _column_differences(
            f"{name}, lengths", pc.list_value_length(left), pc.list_value_length(right)
        )
        left, right = left.flatten(), right.flatten()
    if len(left) != len(right) or left.is_null() != right.is_null():
        yield f"{name}: other values are missing"
    elif pa.types.is_floating(left.type):
        mine, theirs = left.drop_null().to_numpy(), right.drop_null().to_numpy()
        far = ~np.isclose(mine, theirs, rtol=DIGITS, atol=LAST_DECIMAL, equal_nan=True)
        if far.any():
            first = int(np.flatnonzero(far)[0])
            yield f"{name}: {far.sum()} values, such as {mine[first]} and {theirs[first]}"
    elif left != right:
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        first = next(pair for pair in pairs if pair[0] != pair[1])
        yield f"{name}: such as {first[0]!r} and {first[1]!r}"

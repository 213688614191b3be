"""Digits that a double does not keep: the number lands with its text beside it.

Bronze's values are doubles. A number of 38 digits, or a whole one beyond 2^53, is another number
as a double. It is no broken row: the nearest double is all that most uses need, and databases
write the mean of two decimals with twenty digits. So nothing is lost and nothing is silent: the
row's `text` has the number as it was delivered, and two numbers that only their last digits tell
apart are two rows.

A text of up to 17 significant digits with a point is taken for a double's own: so many tell every
double from the next.
"""

from __future__ import annotations

from typing import Final

import duckdb

from ingestion.reading.long_numbers import MOST_DIGITS

SHORT: Final = 15
"""Characters of which every number survives: doubles keep 15 digits."""

EXACT: Final = 2**53 - 1
"""Up to it every whole number is a double, and no other number is taken for it."""

MAY_BE_LOST: Final = f"""case when strlen(cell) > {SHORT}
    then replace(cell, ',', '.') <> value::varchar end"""
"""SQL: whether a closer look must say if a value within `EXACT` tells its cell."""

_DIGITS: Final = r"regexp_replace(regexp_replace({}, '[eE].*$', ''), '[^0-9]', '', 'g')"
_SIGNIFICANT: Final = "rtrim(ltrim({}, '0'), '0')"
_READ: Final = "coalesce(try_cast(cell as double), try_cast(replace(cell, ',', '.') as double))"
"""The cell as a number; a format may have made another value of it, such as a sum."""


def keep(connection: duckdb.DuckDBPyConnection, given: frozenset[str]) -> frozenset[str]:
    """Give sound rows of `judgements` their cell as `text` where the value is another number.

    Most rows are passed over by the length of their cell, most of the others because the double
    is written like it.

    Args:
        connection: Holds `judgements`.
        given: The columns that are not null in every row.

    Returns:
        The same, with `text` if there is such a row.
    """
    if "cell" not in _columns(connection) or "value" not in given:
        return given
    # Nested, because DuckDB would try the dear conditions of an `and` first, too.
    lost = f"""rule is null and case when strlen(cell) > {SHORT}
        then case when cell <> value::varchar then {_is_lost()} end end"""
    if not connection.execute(f"select exists (from judgements where {lost})").fetchall()[0][0]:
        return given
    if "text" not in given:
        connection.execute("alter table judgements add column text varchar")
    connection.execute(f"update judgements set text = cell where {lost}")
    return given | {"text"}


def _columns(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute("describe judgements").fetchall()}


def _is_lost() -> str:
    """SQL: whether the value, written with as many digits as the cell, has others."""
    delivered = _SIGNIFICANT.format(_DIGITS.format("cell"))
    written = _SIGNIFICANT.format(
        _DIGITS.format(f"format('{{:.{{}}e}}', value, greatest(strlen({delivered}), 1) - 1)")
    )
    return f"""(strlen({delivered}) > {MOST_DIGITS} or regexp_full_match(cell, '-?[0-9]+([.,]0*)?'))
        and value = {_READ} and {delivered} <> {written}"""

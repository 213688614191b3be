"""The last line of a file, where it tells how many records the file has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal
from lakehouse.errors import DeliveryRefused, Problem

REMEDY: Final = "Ask the supplier to deliver it again."


def take(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    table: str,
) -> None:
    """Take the last line of each file, which tells the number of records, and hold it to it.

    Args:
        connection: Holds `table`, lines as `lines.load` makes them.
        members: The files.
        contract: Its `complete.trailer` is the pattern; without one nothing is done.
        table: Name of the table.

    Raises:
        DeliveryRefused: The line is missing, or tells another number.
    """
    pattern = contract.delivery.complete.trailer
    if pattern is None:
        return
    whole = literal(f"^(?:{pattern})$")
    found = connection.execute(
        f"""select _file, count(*) - 1,
            try_cast(regexp_extract(arg_max(_raw, _row), {whole}, 1) as bigint)
        from {table} group by _file"""
    ).fetchall()
    told = {number: (records, said) for number, records, said in found}
    for member in members:
        records, said = told.get(member.number, (0, None))
        if said is None:
            raise DeliveryRefused(
                Problem(
                    member.label, "the last line, which tells the number of records, is missing",
                    REMEDY,
                )
            )  # fmt: skip
        require_count(member.label, records, said)
    connection.execute(
        f"""delete from {table} where (_file, _row) in
            (select (_file, max(_row)) from {table} group by _file)"""
    )


def require_count(place: str, records: int, said: int) -> None:
    """Hold a delivery to the number of records that its supplier says it has.

    Raises:
        DeliveryRefused: It has another number.
    """
    if records != said:
        what = f"it has {records:,} records, and says that there are {said:,}"
        raise DeliveryRefused(Problem(place, what, REMEDY))

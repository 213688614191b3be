"""Rows of a table, as the protocol `sql_table` lands them: wide, or narrow by `delivery.narrow`.

Which columns hold time, device, quality and channels stands in the contract. A time with an
offset is that instant; one without follows the zone of the contract.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import columns, pages
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read landed pages.

    Raises:
        DeliveryRefused: A page is none or lacks a column of the contract, or the contract has
            no rule for the time.
    """
    records = pages.load(connection, members, columns.names(contract))
    connection.execute(
        """
        create temp view page_rows as
        select *, null::varchar as layout_rule, null::varchar as layout_problem from pages
        """
    )

    def cell(name: str) -> str:
        return f"f[{literal(name)}]"

    return Reading(
        records,
        columns.offer(connection, contract, members, "page_rows", cell),
    )

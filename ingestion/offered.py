"""The tables a format fills, and the pieces of SQL that formats share to fill them."""

from __future__ import annotations

import duckdb

from lakehouse.contracts.delivery import QualityRule
from lakehouse.duck import literal

_TABLES = """
create or replace temp table records (_file integer, _row bigint, _raw varchar);
create or replace temp table offered (
    _file integer,         -- member number
    _row bigint,           -- line or record number in the member, from 1
    device varchar,        -- as the source calls it
    channel varchar,       -- null when the record could not be taken apart
    t timestamp,           -- UTC
    t_end timestamp,       -- UTC, end of the interval
    cell varchar,          -- the value as delivered
    value double,          -- the value as a number, in the unit of the source
    text varchar,          -- the value when it is no number
    quality varchar,       -- good | uncertain | bad
    quality_code varchar,  -- the source's own code
    result_time timestamp, -- UTC, when the source made or last changed the value
    longitude double,
    latitude double,
    attributes varchar,    -- JSON
    rule varchar,          -- why the row cannot be taken, if the reader found that out
    reason varchar
);
"""


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty tables `records` and `offered`."""
    connection.execute(_TABLES)


def number(cell: str, decimal: str = ".") -> str:
    """SQL that reads a delivered text as a number; null when it is none.

    DuckDB takes `1_000` for a number, and `1.000,5` must not become 1.0005.
    """
    if decimal == ",":
        plain = f"case when contains({cell}, '.') then null else replace({cell}, ',', '.') end"
    else:
        plain = cell
    return f"case when not contains({cell}, '_') then try_cast({plain} as double) end"


def quality(rule: QualityRule | None, code: str) -> str:
    """SQL that maps a source's quality code to good, uncertain or bad."""
    if rule is None:
        return "'good'"
    whens = [
        f"when {code} in ({', '.join(literal(word) for word in words)}) then '{meaning}'"
        for meaning, words in (
            ("good", rule.good),
            ("uncertain", rule.uncertain),
            ("bad", rule.bad),
        )
        if words
    ]
    return f"case when coalesce({code}, '') = '' then 'good' {' '.join(whens)} else 'uncertain' end"

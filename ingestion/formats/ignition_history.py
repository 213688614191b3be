"""Values of an Ignition Tag Historian, as the protocol `ignition_historian` lands them.

Quality: 192 to 255 is good, 64 to 127 uncertain, everything else bad; codes from 256 on are bad
although their lowest bits may look good. A bad value keeps its row, because it marks a gap.

Source: Inductive Automation, "Ignition Database Table Reference"; OPC DA quality codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import clocks, pages, tag_paths
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract

_COLUMNS: Final = (
    "tagid", "tagpath", "intvalue", "floatvalue", "stringvalue", "datevalue", "dataintegrity",
    "t_stamp",
)  # fmt: skip


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read landed pages.

    Raises:
        DeliveryRefused: The contract does not say which part of a tag path is the device, or a
            page is none.
    """
    pattern = tag_paths.pattern(contract)
    records = pages.load(connection, members, _COLUMNS)
    return Reading(
        records,
        f"""
        select _file, _row, {tag_paths.split("f.tagpath", pattern)},
            {clocks.from_epoch_ms("try_cast(f.t_stamp as bigint)")} as t,
            coalesce(f.floatvalue, f.intvalue, f.stringvalue, f.datevalue) as cell,
            try_cast(coalesce(f.floatvalue, f.intvalue) as double) as value,
            case when value is null then cell end as text,
            case
                when try_cast(f.dataintegrity as bigint) between 192 and 255 then 'good'
                when try_cast(f.dataintegrity as bigint) between 64 and 127 then 'uncertain'
                else 'bad'
            end as quality,
            f.dataintegrity as quality_code
        from pages
        """,
    )

"""Values of an AVEVA Historian, as the protocol `aveva_historian` lands them.

A value is as good as the worse of two codes says. Quality: 0 good, 133 good (the first value
after a start), 16 uncertain, 1 bad. OPCQuality, of which the lowest eight bits count: 192 to 219
good, 64 to 91 uncertain, 0 to 35 bad. What neither list names is uncertain. QualityDetail is kept
as the source's code; 248 stands for a gap. A bad value keeps its row, because it marks a gap.

Source: AVEVA Historian, "Quality" (docs.aveva.com, sp-historian).
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
    "TagName", "DateTime", "Value", "vValue", "Quality", "QualityDetail", "OPCQuality",
)  # fmt: skip

_WORSE: Final = """list_max([
    case q when 0 then 0 when 133 then 0 when 1 then 2 else case when q is null then 0 else 1 end
        end,
    case when opc is null then 0 when opc & 255 between 192 and 219 then 0
        when opc & 255 between 0 and 35 then 2 else 1 end,
    case when detail = 248 or q is null and opc is null then 2 else 0 end])"""


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read landed pages.

    Raises:
        DeliveryRefused: The contract does not say which part of a tag name is the device, or a
            page is none.
    """
    pattern = tag_paths.pattern(contract)
    records = pages.load(connection, members, _COLUMNS)
    time = clocks.parse("f.DateTime", "iso8601")
    return Reading(
        records,
        f"""
        select _file, _row, {tag_paths.split("f.TagName", pattern)},
            coalesce({time.instant}, {time.wall}) as t,
            coalesce(f.Value, f.vValue) as cell, try_cast(f.Value as double) as value,
            case when value is null then cell end as text,
            ['good', 'uncertain', 'bad'][1 + {_WORSE}] as quality,
            coalesce(f.QualityDetail, f.OPCQuality, f.Quality) as quality_code,
            to_json({{'quality': q, 'opc_quality': opc}})::varchar as attributes
        from (select *, try_cast(f.Quality as bigint) as q,
                try_cast(f.OPCQuality as bigint) as opc,
                try_cast(f.QualityDetail as bigint) as detail
            from pages)
        """,
    )

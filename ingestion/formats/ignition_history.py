"""Values of an Ignition Tag Historian, as the protocol `ignition_historian` lands them.

Quality: 192 to 255 is good, 64 to 127 uncertain, everything else bad; codes from 256 on are bad
although their lowest bits may look good. A bad value keeps its row, because it marks a gap.

Source: Inductive Automation, "Ignition Database Table Reference"; OPC DA quality codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from ingestion import clocks, tag_paths
from ingestion.deliveries import Member
from ingestion.offered import Reading
from lakehouse.contracts import SourceContract
from lakehouse.duck import literal


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read landed pages.

    Raises:
        DeliveryRefused: The contract does not say which part of a tag path is the device.
    """
    pattern = tag_paths.pattern(contract)
    connection.execute(
        f"""
        create temp table history as
        {" union all ".join(_page(member, pattern) for member in members)}
        """
    )
    return Reading(_RECORDS, _OFFER)


def _page(member: Member, pattern: str) -> str:
    return f"""
        select {member.number} as _file, file_row_number + 1 as _row, * exclude (file_row_number),
            regexp_extract(tagpath, {literal(pattern)}, ['device', 'channel']) as path
        from read_parquet({literal(member.path)}, file_row_number = true)"""


_RECORDS = """
    select _file, _row, to_json({tagid: tagid, tagpath: tagpath, intvalue: intvalue,
        floatvalue: floatvalue, stringvalue: stringvalue, datevalue: datevalue,
        dataintegrity: dataintegrity, t_stamp: t_stamp})::varchar as _raw
    from history"""

_OFFER = f"""
    select _file, _row, nullif(path.device, '') as device, nullif(path.channel, '') as channel,
        {clocks.from_epoch_ms("t_stamp")} as t,
        coalesce(floatvalue::varchar, intvalue::varchar, stringvalue, datevalue) as cell,
        coalesce(floatvalue, intvalue::double) as value,
        case when floatvalue is null and intvalue is null
            then coalesce(stringvalue, datevalue) end as text,
        case
            when dataintegrity between 192 and 255 then 'good'
            when dataintegrity between 64 and 127 then 'uncertain'
            else 'bad'
        end as quality,
        dataintegrity::varchar as quality_code,
        case when path.device = '' then 'tag_path' end as rule,
        case when path.device = ''
            then format('the tag path ''{{}}'' does not fit the contract', tagpath) end as reason
    from history"""

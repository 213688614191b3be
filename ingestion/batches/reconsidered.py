"""What is different when a batch is read again: waived rules, and rows that have landed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Again, Landed
from lakehouse import delta, tables
from lakehouse.contracts import SourceContract
from lakehouse.delta import data_files
from lakehouse.duck import literal
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings

WAIVABLE: Final = frozenset(
    {"value_below_minimum", "value_above_maximum", "channel_unknown", "time_in_future"}
)
"""Rules that speak against a row that can be read; the others leave nothing to land."""

_AT_PLACE: Final = """f._delivery = b._delivery and f._member is not distinct from b._member
    and j._row = b._row and j.channel = b.channel"""

_SAME: Final = """j.device = b.device and j.value is not distinct from b.value
    and j.text is not distinct from b.text
    and make_timestamptz(epoch_us(j.t)) = b.phenomenon_time
    and make_timestamptz(epoch_us(j.t_end)) is not distinct from b.phenomenon_time_end"""


def waive(connection: duckdb.DuckDBPyConnection, again: Again) -> None:
    """Let rows pass that only break waived rules; they land as uncertain, with the rule's name."""
    if not again.waived:
        return
    rules = ", ".join(literal(rule) for rule in sorted(again.waived))
    connection.execute(
        f"""update judgements
        set quality = 'uncertain', quality_code = 'released:' || rule, rule = null, reason = null
        where rule in ({rules})"""
    )


def compare(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: SourceContract,
    deliveries: Sequence[Landed],
) -> None:
    """Take rows that these deliveries have landed before for duplicates, whatever they are now.

    Args:
        connection: Holds `judged`, `files`, `repeats` and `broken`.
        settings: Says where the lake is.
        contract: The source.
        deliveries: What is read again.

    Raises:
        LakeError: Rows that have landed are now read differently, or not at all: they would
            stand in bronze twice, or without an account.
    """
    bronze = tables.bronze(settings, contract.id)
    if not delta.exists(bronze):
        return
    landed = data_files.whole(connection, delta.open_table(bronze))
    if landed is None:
        return
    shas = ", ".join(literal(one.sha256) for one in deliveries)
    connection.execute(f"create temp table before as from {landed} where _delivery in ({shas})")
    gone = connection.execute(
        f"""select count(*) from before b where not exists (
            select 1 from judged j join files f using (_file)
            where {_AT_PLACE} and (j.verdict = 'broken' or {_SAME}))"""
    ).fetchall()[0][0]
    if gone:
        raise LakeError(
            Problem(
                str(contract.path),
                f"{gone:,} rows that have landed are read differently under this contract",
                "A replay only takes in what was held back. Undo the change, or read the whole "
                f"source by it: sjostad replay {contract.id} --anew.",
            )
        )
    connection.execute(
        f"""
        insert into repeats
        select j._id from judged j join files f using (_file)
        where j.verdict = 'sound' and j._id not in (from repeats)
            and exists (select 1 from before b where {_AT_PLACE} and {_SAME});

        update broken set fate = 'duplicate'
        where exists (
            select 1 from before b
            where broken._delivery = b._delivery and broken._member is not distinct from b._member
                and broken._row = b._row and broken.channel = b.channel)
        """
    )

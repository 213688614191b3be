"""Whether so much of a delivery is broken that none of it can be trusted.

One poison row among a million is quarantined and the rest lands. A delivery most of whose rows
break the contract was made by something other than what the contract describes: its sound rows
are sound by chance, so it is held whole.
"""

from __future__ import annotations

from typing import Final

import duckdb

from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused, Problem

_SHOWN: Final = 3
"""Rules that are named with an example."""


def require_few(connection: duckdb.DuckDBPyConnection, contract: SourceContract) -> None:
    """Refuse a delivery of which a larger share is broken than its contract allows.

    The share is that of the rows which the contract judges: those that it leaves out, such as
    empty values, count neither way. Broken rows count also where quarantine has them already.

    Args:
        connection: Holds `judged`, `counted` and `files`.
        contract: Says with `delivery.maxBroken` how large a share may be broken.

    Raises:
        DeliveryRefused: Naming the share, and the rules that most rows broke.
    """
    limit = contract.delivery.max_broken
    if limit is None:
        return
    found = connection.execute(
        """
        select _delivery::varchar, any_value(name),
            sum(rows) filter (verdict = 'broken')::bigint as broken, sum(rows)::bigint as judged
        from counted join files using (_file) where verdict <> 'filtered' group by _delivery
        having broken > ?::double * judged order by 2 limit 1
        """,
        [limit],
    ).fetchall()
    if not found:
        return
    delivery, name, broken, judged = found[0]
    raise DeliveryRefused(
        Problem(
            name,
            f"{broken:,} of {judged:,} rows are broken ({broken / judged:.1%}), more than the "
            f"{limit:.4g} that delivery.maxBroken allows: {_rules(connection, delivery)}",
            "Ask the supplier what has changed. Mend the contract if it is at fault: "
            f"'sjostad replay {contract.id}' reads the delivery again.",
        )
    )


def _rules(connection: duckdb.DuckDBPyConnection, delivery: str) -> str:
    """The rules that most rows broke, each with the first row that did."""
    rows = connection.execute(
        f"""select rule, count(*), arg_min(reason, (_file, _row)), arg_min(_row, (_file, _row))
        from judged join files using (_file)
        where verdict = 'broken' and _delivery::varchar = ?
        group by rule order by 2 desc, rule limit {_SHOWN}""",
        [delivery],
    ).fetchall()
    return "; ".join(
        f"{rule} {count:,} (line {line}: {reason})" for rule, count, reason, line in rows
    )

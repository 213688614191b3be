"""Values that stand under names of their own in JSON objects, as most platforms write them.

A value is a record. An object that gives none, or cannot be taken apart, is one itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import elements, json_atoms, values
from ingestion.reading.offered import Reading
from lakehouse.contracts import SourceContract

Query = Callable[[str], str]
"""From a query of objects (`_file`, `_row`, `_raw`, `rule`, `reason`, `entity`, `entity_number`)
to one of what they carry: `_file`, `_row`, `entity_number`, those of `values.COLUMNS` that are
told, and `is_measured`. An object has one more row, with a null `channel`, which stands for it
when it is measured itself or nothing else of it is."""

_SAID: Final = """json_merge_patch('{}', to_json({'device': device, 'channel': channel,
    'value': atom, 'time': time_text, 'unit': unit}))::varchar"""


def read(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    contract: SourceContract,
    query: Query,
    *,
    under: str | None = None,
    form: str = "iso8601",
    are_quoted: bool = False,
) -> Reading:
    """Read documents whose objects carry values.

    Args:
        connection: Where tables are made.
        members: The files.
        contract: Its rules.
        query: How objects are taken apart.
        under: Key under which a page keeps its list of objects.
        form: Format of the times, as `clocks.parse` takes it.
        are_quoted: Whether numbers may stand in quotes.
    """

    def carried(objects: str) -> str:
        return query(f"select *, nextval('entity_numbers') as entity_number from ({objects})")

    connection.execute("create temp sequence entity_numbers")
    told = ", ".join(f"{name} {kind}" for name, kind in values.COLUMNS.items())
    connection.execute(
        f"create temp table instances ({told}, entity_number bigint, is_measured boolean)"
    )
    elements.load(
        connection,
        members,
        contract,
        elements.Shape(keys={}, under=under),
        "instances",
        lambda objects: f"insert into instances by name {carried(objects)}",
    )
    place = "_row" if contract.delivery.framing == "lines" else "rowid - first + 1"
    connection.execute(
        f"""
        create temp view measured as
        select * replace ({place} as _row, coalesce(_raw, {_SAID}) as _raw)
        from (
            select *, rowid from instances where is_measured
            union all
            select *, rowid from instances where channel is null and entity_number not in (
                select entity_number from instances where is_measured)
        )
        join (select _file, min(rowid) as first from instances group by _file) using (_file)
        """
    )
    return Reading(
        values.records("measured", contract),
        values.offer(connection, contract, "measured", form=form, are_quoted=are_quoted),
        may_be_silent=False,
    )


PROBLEM: Final = f"""case
    when rule is not null then {{'rule': rule, 'reason': reason}}
    when entity is null then {{'rule': 'layout', 'reason': 'this is no JSON object: null'}}
    when {json_atoms.map_names_twice("entity")}
        then {{'rule': 'layout', 'reason': '{json_atoms.TWICE}'}} end"""
"""SQL of what is wrong with an object as a whole."""


def text(name: str) -> str:
    """SQL of the text of a key of `entity`."""
    return json_atoms.cell(f"entity['{name}']")

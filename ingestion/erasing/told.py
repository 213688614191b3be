"""What tables tell of a device, in SQL; and the lines of the ledger after an erasure.

The ledger is the account of what stands. So the lines of deliveries that something was erased of
get the counts of what is left, which are taken from the tables themselves: done twice, or begun
anew after a stop, they come out the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import duckdb
import pyarrow as pa

from ingestion import accounts, quarantine
from ingestion.erasing.delivered import Subject
from lakehouse import delta, landing_zone, tables
from lakehouse.delta import data_files, erasure
from lakehouse.duck import connect, identifier, literal
from lakehouse.traces.word_in_bytes import Word

_ALL_GONE = "bytes erased for good"
_REWRITTEN = "bytes rewritten without the lines of a subject"


def prepared(word: Word) -> erasure.Prepare:
    """Makes the SQL functions `has_word(text)` and `without_word(text)` in a connection."""

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        connection.create_function("has_word", word.is_in, ["varchar"], "boolean")
        connection.create_function("without_word", word.without, ["varchar"], "varchar")

    return prepare


def naming(columns: Sequence[str], word: Word) -> str:
    """SQL that says whether one of some text columns has a word."""
    return " or ".join(
        f"(contains(lower({name}), lower({literal(word.text)})) and has_word({name}))"
        for name in (f"{identifier(one)}::varchar" for one in columns)
    )


def of_thing(schema: pa.Schema, source_id: str, device: str, word: Word) -> str:
    """SQL that says whether a row of a model is about a device; empty if none can be.

    Args:
        schema: Columns of the model.
        source_id: The source.
        device: The device.
        word: Its thing, `source/device`, which series and things are named by.
    """
    names = set(schema.names)
    texts = [
        field.name
        for field in schema
        if str(field.type) in ("string", "large_string", "string_view")
        or pa.types.is_nested(field.type)
    ]
    conditions = [naming(texts, word)] if texts else []
    if {"source_id", "device"} <= names:
        own = f"source_id = {literal(source_id)} and device = {literal(device)}"
        conditions.append(f"({own})")
    return " or ".join(conditions)


def mend(subject: Subject, note: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Let the ledger say what is left of deliveries, and name the device nowhere.

    Returns:
        The lines that were changed.
    """
    settings, source_id = subject.settings, subject.contract.id
    address = tables.ledger(settings)
    if not delta.exists(address):
        return 0
    left = _left(subject)
    landed, held = _landed_rows(subject), _held_rows(subject)

    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        prepared(subject.word)(connection)
        for name, values in (
            ("landed_now", {sha256: landed.get(sha256, 0) for sha256 in left}),
            ("held_now", {sha256: held.get(sha256, 0) for sha256 in left}),
        ):
            connection.execute(
                f"set variable {name} = map(?::varchar[], ?::bigint[])",
                [[*values], [*values.values()]],
            )
        connection.execute(
            "set variable found_now = map(?::varchar[], ?::varchar[])", [[*left], [*left.values()]]
        )
        connection.create_function("with_finding", _with, ["varchar", "varchar"], "varchar")

    own = f"source_id = {literal(source_id)}"
    stands = f"{own} and outcome in ('landed', 'replayed') and {_now('landed')} is not null"
    replaced = {
        "landed": f"case when {stands} then {_now('landed')} else landed end",
        "quarantined": f"case when {stands} then {_now('held')} else quarantined end",
        "rows_in": f"""case when {stands}
            then {_now("landed")} + {_now("held")} + duplicates + filtered else rows_in end""",
        "name": f"case when {own} then without_word(name) else name end",
        "reason": f"case when {own} and reason is not null then without_word(reason) else reason "
        "end",
        "findings": f"""case when {own} and {_now("found")} is not null
                and not contains(findings, {_now("found")})
            then with_finding(without_word(findings), {_now("found")})
            when {own} then without_word(findings) else findings end""",
    }
    done = erasure.take_out(
        address,
        "false",
        replaced=replaced,
        prepare=prepare,
        note={key: value for key, value in note.items() if key != "batch"},
    )
    tell(f"ledger: {done.changed:,} lines")
    return done.changed


def _with(findings: str, one: str) -> str:
    return json.dumps([*json.loads(findings), one], ensure_ascii=False)


def _now(what: str) -> str:
    return f"map_extract_value(getvariable('{what}_now'), delivery)"


def _left(subject: Subject) -> dict[str, str]:
    """What to say of each delivery of which something was erased."""
    settings, source_id = subject.settings, subject.contract.id
    found = {}
    for line in accounts.lines(settings, source_id, ("delivery",)):
        sha256 = line["delivery"]
        if sha256 and landing_zone.is_erased(settings, source_id, sha256):
            is_gone = landing_zone.at_hand(settings, source_id, sha256) is None
            found[sha256] = _ALL_GONE if is_gone else _REWRITTEN
    return found


def _landed_rows(subject: Subject) -> dict[str, int]:
    address = tables.bronze(subject.settings, subject.contract.id)
    if not delta.exists(address):
        return {}
    with connect(extensions=()) as connection:
        rows = data_files.whole(connection, delta.open_table(address))
        if rows is None:
            return {}
        counted = f"select _delivery, count(*) from {rows} group by _delivery"
        return dict(connection.execute(counted).fetchall())


def _held_rows(subject: Subject) -> dict[str, int]:
    with connect(extensions=()) as connection:
        if not quarantine.show_held(connection, subject.settings, subject.contract.id):
            return {}
        counted = """select _delivery, count(*) from held where rule <> 'delivery_refused'
            group by _delivery"""
        return dict(connection.execute(counted).fetchall())

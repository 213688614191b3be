"""One query in a process of its own, which can do nothing but read one file.

Run as a script with `python -I -B`; reads a request as JSON from standard input and writes the
answer as JSON to standard output. It imports nothing of this project, so it starts fast and runs
without the project's environment.

The lines of defence, in the order that counts:

1. the file holds released open data and nothing else, and no extension is loaded (delta and
   httpfs would open files and addresses past `enable_external_access`);
2. the operating system limits memory, CPU time and written bytes: DuckDB's own memory limit and
   interrupt do not stop `repeat('x', 2000000000)`;
3. DuckDB is read-only, without external access, and locked;
4. the statement is parsed by DuckDB and must be one SELECT over the products' tables; what runs
   is the parsed statement written back, not the text that came in.

Source: DuckDB manual, "Securing DuckDB"; getrlimit(2).
"""

import json
import math
import resource
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb

MEMORY_BYTES = 2 * 1024**3
CPU_SECONDS = 5
CELL_CHARACTERS = 500
ANSWER_CHARACTERS = 100_000
SQL_CHARACTERS = 10_000

TABLE_FUNCTIONS = {"range", "generate_series", "unnest"}
TABLE_KINDS = {"SHOW_REF", "PIVOT", "COLUMN_DATA", "DELIM_GET", "BOUND_TABLE_REF"}
"""Kinds of table references that are refused; SHOW_REF is DESCRIBE, SHOW and SUMMARIZE."""
HIDDEN = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")
"""What tables, functions and named subqueries may not begin with: DuckDB's own catalogue, which
tells paths and settings."""
FUNCTIONS = {
    "current_setting", "getenv", "getvariable", "query", "query_table", "glob", "nextval",
    "currval", "json_execute_serialized_sql", "which_secret", "write_log", "sleep_ms",
    "read_text", "read_blob", "read_csv", "read_csv_auto", "read_json", "read_json_auto",
    "read_ndjson", "read_ndjson_auto", "read_json_objects", "read_ndjson_objects",
    "read_parquet", "parquet_scan", "parquet_metadata", "parquet_schema", "sniff_csv",
    "delta_scan", "sqlite_scan", "sql_auto_complete", "txid_current", "version",
}  # fmt: skip


class Refused(Exception):
    """The statement may not run; the message says why and what to write instead."""


def main() -> None:
    """Answer the request on standard input."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    request = json.load(sys.stdin)
    try:
        answer = answer_to(request["database"], request["sql"], int(request["limit"]))
    except Refused as error:
        answer = {"error": str(error)}
    except (duckdb.Error, MemoryError, RecursionError) as error:
        answer = {"error": _first_line(error)}
    json.dump(answer, sys.stdout)


def answer_to(database: str, sql: str, limit: int) -> dict[str, Any]:
    """Run one statement: columns, rows, whether there were more, and the tables it read."""
    connection = open_locked(database)
    numbers = dict(connection.execute("select product, number from meta.releases").fetchall())
    checked, tables = checked_statement(connection, sql, set(numbers))
    cursor = connection.execute(f"select * from ({checked}) limit {limit + 1}")
    columns = [{"name": clean(one[0]), "type": str(one[1])} for one in cursor.description]
    found = cursor.fetchall()
    rows, is_cut = _within(found[:limit])
    return {
        "columns": columns,
        "rows": rows,
        "truncated": is_cut or len(found) > limit,
        "releases": {table: numbers[table] for table in sorted(tables)},
    }


def open_locked(database: str) -> duckdb.DuckDBPyConnection:
    """Open the file read-only, with everything but reading it turned off for good."""
    connection = duckdb.connect(
        database,
        read_only=True,
        config={
            "threads": 1,
            "memory_limit": "512MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    # In this order: without external access the temporary folder can no longer be turned off.
    for setting in (
        "TimeZone = 'UTC'",
        "temp_directory = ''",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")
    return connection


def checked_statement(
    connection: duckdb.DuckDBPyConnection, sql: str, products: set[str]
) -> tuple[str, set[str]]:
    """The statement as DuckDB understood it, and the products it reads.

    Raises:
        Refused: It is not one SELECT, or it reads something else than products.
    """
    if len(sql) > SQL_CHARACTERS:
        raise Refused(f"the query is longer than {SQL_CHARACTERS} characters. Write a shorter one.")
    if "\0" in sql:
        raise Refused("the query holds a NUL character. Leave it out.")
    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise Refused("only one SELECT statement is allowed. Write a single SELECT.")
    parsed = _call(connection, "json_serialize_sql", sql)
    tree = json.loads(parsed or '{"error": true}')
    if tree.get("error"):
        raise Refused("this kind of SELECT is not allowed. Write a plain SELECT.")
    nodes = list(_nodes(tree))
    _refuse_functions(nodes)
    tables = _tables(nodes, products)
    text = _call(connection, "json_deserialize_sql", parsed or "")
    if text is None:
        raise Refused("this kind of SELECT is not allowed. Write a plain SELECT.")
    return text, tables


def _call(connection: duckdb.DuckDBPyConnection, function: str, text: str) -> str | None:
    # A literal, not a parameter: binding one makes DuckDB import pandas, which takes 0.4 s.
    quoted = "'" + text.replace("'", "''") + "'"
    row = connection.execute(f"select {function}({quoted})").fetchone()
    return None if row is None or row[0] is None else str(row[0])


def _nodes(tree: Any) -> Any:  # noqa: ANN401 - a JSON tree is anything
    """Every object of a parsed statement."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _refuse_functions(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        name = str(node.get("function_name") or "").lower()
        if name in FUNCTIONS or name.startswith(HIDDEN):
            raise Refused(f"the function {clean(name)} is not allowed. Query the datasets only.")
        kind = str(node.get("type"))
        if kind in TABLE_KINDS:
            raise Refused("DESCRIBE, SHOW and PIVOT are not allowed. Use describe_dataset.")
        if kind == "TABLE_FUNCTION":
            called = str((node.get("function") or {}).get("function_name", "")).lower()
            if called not in TABLE_FUNCTIONS:
                raise Refused(f"{clean(called)}() cannot be read from. Query the datasets only.")


def _tables(nodes: list[dict[str, Any]], products: set[str]) -> set[str]:
    named = {
        str(entry.get("key", "")).lower()
        for node in nodes
        for entry in (node.get("cte_map") or {}).get("map", ())
    }
    read: set[str] = set()
    for node in nodes:
        if node.get("type") != "BASE_TABLE":
            continue
        name = str(node.get("table_name", "")).lower()
        is_main = node.get("schema_name", "") in ("", "main") and not node.get("catalog_name")
        if is_main and name in products:
            read.add(name)
        elif not is_main or name not in named or name.startswith(HIDDEN):
            known = ", ".join(sorted(products)) or "none yet"
            raise Refused(f"there is no dataset '{clean(name)}'. Datasets: {known}.")
    return read


def _within(rows: list[tuple[Any, ...]]) -> tuple[list[list[Any]], bool]:
    """The rows that fit in an answer, and whether any were left out."""
    kept: list[list[Any]] = []
    size = 0
    for row in rows:
        cells = [_cell(value) for value in row]
        size += sum(len(cell) if isinstance(cell, str) else 8 for cell in cells)
        if size > ANSWER_CHARACTERS:
            return kept, True
        kept.append(cells)
    return kept, False


def _cell(value: Any) -> Any:  # noqa: ANN401 - a cell is anything
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, datetime):
        instant = value if value.tzinfo else value.replace(tzinfo=UTC)
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else clean(str(value))


def clean(text: str) -> str:
    """A text without control and invisible characters, cut to one cell's length."""
    cut = text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
    # Everything str.isprintable refuses (control, zero width, bidi, surrogates) but the space.
    return "".join(character for character in cut if character.isprintable())


def _first_line(error: BaseException) -> str:
    line = clean(str(error).split("\n", 1)[0]) or type(error).__name__
    return f"{line}. Correct the query, or make it smaller."


if __name__ == "__main__":
    main()

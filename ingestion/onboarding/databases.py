"""A live table as a sample: a few thousand of its rows, read-only, and what its catalogue says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ingestion.onboarding.reading import of_records
from ingestion.onboarding.tables import Table
from lakehouse.errors import Problem, SourceUnavailable

_ROWS: Final = 5000


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table of a database.

    Attributes:
        name: `schema.table`, or the table.
        rows: Some of its rows.
        location: Its address for a contract, without secrets.
        remark: What a person should know of the address.
        counter: A column of whole numbers that grows with every insert, if its key is one.
    """

    name: str
    rows: Table
    location: str
    remark: str
    counter: str | None


def look(url: str, table: str | None, inbox: Path, source_id: str) -> LiveTable:
    """Read some rows of a table.

    Args:
        url: SQLAlchemy URL.
        table: `schema.table`, a table or a view.
        inbox: Folder that `{inbox}` stands for.
        source_id: Names the variable for an address with a password.

    Raises:
        SourceUnavailable: The database does not answer, or has no such table.
    """
    try:
        address = sa.make_url(url)
        engine = sa.create_engine(address)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise SourceUnavailable(
            Problem("the address", f"it is no database address: {error}", "Write an SQLAlchemy URL")
        ) from error
    shown = address.render_as_string(hide_password=True)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise SourceUnavailable(Problem(shown, "there is no such file", "Name another."))
    try:
        inspector = sa.inspect(engine)
        known = _names(inspector)
        if table is None or table not in known:
            what = f"there is no table '{table}'" if table else "which table is meant?"
            raise SourceUnavailable(
                Problem(shown, what, f"Add --table with one of: {', '.join(known)}.")
            )
        schema, _, bare = table.rpartition(".")
        key = inspector.get_pk_constraint(bare, schema or None)["constrained_columns"]
        kinds = {c["name"]: c["type"] for c in inspector.get_columns(bare, schema or None)}
        rows = _rows(engine, schema, bare, list(kinds))
    except sa.exc.SQLAlchemyError as error:
        first = str(error).splitlines()[0]
        raise SourceUnavailable(Problem(shown, first, "Correct the address.")) from error
    finally:
        engine.dispose()
    counter = key[0] if len(key) == 1 and isinstance(kinds[key[0]], sa.Integer) else None
    location, remark = _location(address, inbox, source_id)
    return LiveTable(table, of_records(rows), location, remark, counter)


def _names(inspector: sa.Inspector) -> list[str]:
    found = [*inspector.get_table_names(), *inspector.get_view_names()]
    for schema in inspector.get_schema_names():
        if schema not in ("information_schema", inspector.default_schema_name, "pg_catalog"):
            found += [f"{schema}.{name}" for name in inspector.get_table_names(schema)]
    return found


def _rows(engine: sa.Engine, schema: str, table: str, names: list[str]) -> list[dict[str, Any]]:
    """A few rows and no order: a sample must not burden the source."""
    source = sa.table(table, *(sa.column(name) for name in names), schema=schema or None)
    with engine.connect() as connection:
        found = connection.execute(sa.select(source).limit(_ROWS))
        return [dict(row) for row in found.mappings()]


def _location(address: sa.URL, inbox: Path, source_id: str) -> tuple[str, str]:
    """The address for the contract: a file of the inbox by its place, a password never."""
    if address.get_backend_name() == "sqlite":
        file = Path(address.database or "").resolve()
        if file.is_relative_to(inbox):
            return f"sqlite:///{{inbox}}/{file.relative_to(inbox).as_posix()}", ""
        return f"sqlite:///{file}", ""
    if address.password or address.username:
        name = f"SJOSTAD_{source_id.upper()}_URL"
        return f"env:{name}", f"set the variable {name} to the address; it holds who may ask"
    return address.render_as_string(hide_password=True), ""

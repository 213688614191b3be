"""How the rows of a model become one Delta commit, whatever their number.

A model is built part by part: each part is a range of partitions, of which a scratch table has the
rows. They are written as files at once, and all files are committed together when the last part is
done. So memory follows the largest part, not the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake.transaction import AddAction

from lakehouse import delta, duck, tables
from lakehouse.delta import data_files
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings


@dataclass(slots=True)
class ModelBuild:
    """A model that is being built.

    Attributes:
        address: Its Delta table.
        plan: What the materialization says: `description`, `partition_by`, `partitions` (dates that
            are built; None for all), `marks`, and whether the table has the model's columns and may
            have the same rows in some partitions (`is_compared`).
        files: What has been written of it.
        replaced: Partitions whose rows are others than those of the table.
        is_changed: Whether rows are others than those of the table.
        digest: Fingerprint of the rows of a table without partitions.
    """

    address: Path
    plan: Mapping[str, Any]
    files: list[AddAction] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    is_changed: bool = False
    digest: str | None = None

    def take(
        self,
        cursor: duckdb.DuckDBPyConnection,
        scratch: str,
        first: str,
        until: str,
        single: str | None = None,
    ) -> None:
        """Write the rows of one part.

        Args:
            cursor: What the scratch relation is in.
            scratch: Its rows are those of the part.
            first: First partition that the part may hold, as ISO text.
            until: First one after it.
            single: The one partition that its rows are of, if that is known: a view is then read
                once.

        Raises:
            LakeError: There are rows of other parts.
        """
        if not self.plan["partition_by"]:
            self.digest = _digest(cursor, scratch)
            self.is_changed = self.digest != self._digest_before()
            if self.is_changed:
                self._write(cursor, f"select * from {scratch}")
        elif single and not self.plan["is_compared"]:
            self._replace([single])
            self._write(cursor, f"select * from {scratch}", single)
        else:
            self._require_within(cursor, scratch, first, until)
            changed = self._changed(cursor, scratch, first, until)
            self._replace(changed)
            if changed:
                self._write(cursor, f"select * from {scratch} where {_among(changed)}")

    def commit(self, schema: pa.Schema, marks: Mapping[str, int]) -> delta.Commit:
        """Commit what has been written, with the marks that the table has not reached.

        Args:
            schema: Columns of the model.
            marks: How far upstream the rows come from.
        """
        version = delta.version_of(self.address)
        held = delta.marks_of(self.address, marks)
        moved = {name: upto for name, upto in marks.items() if held.get(name, 0) < upto}
        if version is not None and not self.is_changed and self._has_columns(schema):
            if not moved:
                return delta.Commit(version, written=False)
            # Same rows, newer upstream: remember that, and touch no file.
            return delta.append(
                self.address, schema.empty_table(), schema, marks=moved, note=self._note()
            )
        return delta.replace_files(
            self.address,
            self.files,
            schema,
            partition_by=self.plan["partition_by"],
            partitions=self.replaced if self._is_partial() else None,
            marks=moved,
            note=self._note(),
            description=self.plan["description"],
        )

    def _replace(self, partitions: Sequence[str]) -> None:
        self.replaced += partitions
        self.is_changed = self.is_changed or bool(partitions)

    def _write(
        self, cursor: duckdb.DuckDBPyConnection, rows: str, single: str | None = None
    ) -> None:
        self.address.mkdir(parents=True, exist_ok=True)
        columns = self.plan["partition_by"]
        known: data_files.Partition | None = {columns[0]: single} if single else None
        self.files += data_files.write(
            cursor, rows, self.address, _schema(cursor, rows), columns, known
        )

    def _changed(
        self, cursor: duckdb.DuckDBPyConnection, scratch: str, first: str, until: str
    ) -> list[str]:
        """The partitions of a part that have to be written.

        Who follows the table builds those of its own again that changed, and no neighbour's
        neighbour: so where it may well be the same, it is compared.
        """
        of_part = f"partition_date >= date '{first}' and partition_date < date '{until}'"
        if self.plan["partitions"] is not None:
            of_part += f" and {_among(self.plan['partitions'])}"
        if not self.plan["is_compared"]:
            found = _dates(cursor, f"select distinct partition_date from {scratch}")
            there = [day for day in self.plan["partitions"] or () if first <= day < until]
            return sorted({*found, *there})
        columns = ", ".join(
            duck.identifier(row[0]) for row in cursor.execute(f"describe {scratch}").fetchall()
        )
        before = duck.delta_scan(self.address)
        fingerprints = " except ".join(
            f"""select partition_date, count(*), sum(hash({columns})::hugeint) from {rows}
                where {of_part} group by partition_date"""
            for rows in (scratch, before)
        )
        gone = f"""select distinct partition_date from {before} where {of_part}
            and partition_date not in (select partition_date from {scratch})"""
        return _dates(cursor, f"select partition_date from ({fingerprints}) union {gone}")

    def _require_within(
        self, cursor: duckdb.DuckDBPyConnection, scratch: str, first: str, until: str
    ) -> None:
        """Refuse rows that another part has as well: they would be twice in the table."""
        outside = f"partition_date < date '{first}' or partition_date >= date '{until}'"
        if self.plan["partitions"] is not None:
            outside += f" or not {_among(self.plan['partitions'])}"
        found = _dates(cursor, f"select partition_date from {scratch} where {outside} limit 1")
        if found:
            raise LakeError(
                Problem(
                    f"{self.plan['layer']}.{self.plan['name']}",
                    f"it gives rows of {found[0]} where those from {first} to {until} are built",
                    "Let the model say 'where {{ in_partitions(plan) }}'.",
                )
            )

    def _is_partial(self) -> bool:
        """Whether the table keeps what was not replaced."""
        if not self.plan["partition_by"]:
            return False
        return self.plan["partitions"] is not None or self.plan["is_compared"]

    def _has_columns(self, schema: pa.Schema) -> bool:
        there = pa.schema(delta.open_table(self.address).schema())
        return [(column.name, column.type) for column in there] == [
            (column.name, column.type) for column in schema
        ]

    def _digest_before(self) -> str | None:
        version = delta.version_of(self.address)
        return None if version is None else delta.note_of(self.address, version).get("digest")

    def _note(self) -> dict[str, str]:
        return {"digest": self.digest} if self.digest else {}


def start(settings: Settings, plan: Mapping[str, Any]) -> ModelBuild:
    """Begin to build a model; `plan` also holds its `layer` and `name`."""
    return ModelBuild(tables.model(settings, plan["layer"], plan["name"]), plan)


def finish(
    build: ModelBuild, cursor: duckdb.DuckDBPyConnection, scratch: str, settings: Settings
) -> delta.Commit:
    """Commit a model whose last part has been taken."""
    marks = dict(build.plan["marks"])
    if build.plan["partition_by"]:
        marks["daily_from"] = settings.daily_from.year
    return build.commit(_schema(cursor, f"select * from {scratch}"), marks)


def _schema(cursor: duckdb.DuckDBPyConnection, rows: str) -> pa.Schema:
    return cursor.execute(f"from ({rows}) limit 0").to_arrow_reader().schema


def _dates(cursor: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return sorted(day.isoformat() for (day,) in cursor.execute(query).fetchall())


def _among(partitions: Sequence[str]) -> str:
    days = ", ".join(duck.literal(date.fromisoformat(day)) for day in partitions)
    return f"partition_date in ({days})" if days else "false"


def _digest(cursor: duckdb.DuckDBPyConnection, scratch: str) -> str:
    """A fingerprint of a table's rows that does not depend on their order."""
    rows, total = cursor.execute(
        f"select count(*), coalesce(sum(hash(t)::hugeint), 0) from {scratch} t"
    ).fetchall()[0]
    return f"duckdb-{duckdb.__version__}:{rows}:{total}"

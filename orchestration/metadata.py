"""What the Dagster UI shows of a table: rows, schema, version and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import dagster as dg

from lakehouse import delta
from lakehouse.delta import data_files
from lakehouse.ledger import Ledger, Receipt

Metadata = dict[str, dg.MetadataValue]


def of_table(address: Path) -> Metadata:
    """Row count, schema and version of a Delta table, from its log alone."""
    if not delta.exists(address):
        return {}
    table = delta.open_table(address)
    extent = data_files.extent_of(table)
    return {
        "dagster/row_count": dg.MetadataValue.int(extent.rows),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            dg.TableSchema(
                columns=[
                    dg.TableColumn(
                        field.name,
                        getattr(field.type, "type", str(field.type)),
                        field.metadata.get("comment"),
                    )
                    for field in table.schema().fields
                ]
            )
        ),
        "dagster/uri": dg.MetadataValue.path(str(address)),
        "delta_version": dg.MetadataValue.int(table.version()),
        "files": dg.MetadataValue.int(extent.files),
        "bytes": dg.MetadataValue.int(extent.size),
    }


def of_ledger(ledger: Ledger) -> Metadata:
    """A ledger's counts."""
    return {
        "records": dg.MetadataValue.int(ledger.records),
        "rows_in": dg.MetadataValue.int(ledger.rows_in),
        "landed": dg.MetadataValue.int(ledger.landed),
        "quarantined": dg.MetadataValue.int(ledger.quarantined),
        "duplicates": dg.MetadataValue.int(ledger.duplicates),
        "filtered": dg.MetadataValue.int(ledger.filtered_rows),
    }


def of_receipts(receipts: Iterable[Receipt]) -> Metadata:
    """A table of deliveries with their accounts, and what was found in them."""
    lines = [
        "| delivery | outcome | rows in | landed | quarantined | duplicates | filtered |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    findings: list[str] = []
    for receipt in receipts:
        ledger = receipt.ledger
        lines.append(
            f"| {receipt.name} | {receipt.outcome} | {ledger.rows_in:,} | {ledger.landed:,} "
            f"| {ledger.quarantined:,} | {ledger.duplicates:,} | {ledger.filtered_rows:,} |"
        )
        findings += [f"- {receipt.name}: {finding}" for finding in receipt.findings]
        if receipt.reason:
            findings.append(f"- {receipt.name}: {receipt.reason}")
    shown: dict[str, dg.MetadataValue] = {"deliveries": dg.MetadataValue.md("\n".join(lines))}
    if findings:
        shown["findings"] = dg.MetadataValue.md("\n".join(findings))
    return shown


def plain(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, bool | int | float | str]:
    """What of some metadata is a number, a truth or a text; schemas and the like are left out."""
    return {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value.value, bool | int | float | str)
    }

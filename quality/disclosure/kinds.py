"""What is looked for, and how a finding is told without telling the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal[
    "personnummer",
    "samordningsnummer",
    "personal_id",
    "person_name",
    "email",
    "phone",
    "vehicle_plate",
    "dwelling",
    "dwelling_meter",
    "precise_place",
    "mac_address",
    "ip_address",
    "imei",
    "free_text",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something of a kind in a column.

    Attributes:
        column: The column.
        kind: What is in it.
        count: How many different values of the column hold it.
        rows: How many rows do.
    """

    column: str
    kind: Kind
    count: int
    rows: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The outcome of a scan.

    Attributes:
        hits: What speaks against letting the rows out, in the order of columns and kinds.
        accepted: What was found where the contract accepts it.
        doubtful: What looks like it, but no more often than numbers or codes of any sort do, and
            single addresses among other places of meters. It stops nothing; a person may look.
        columns_scanned: Columns whose content was read.
        rows_scanned: Rows of the relation.
    """

    hits: tuple[Hit, ...]
    accepted: tuple[Hit, ...]
    doubtful: tuple[Hit, ...]
    columns_scanned: tuple[str, ...]
    rows_scanned: int

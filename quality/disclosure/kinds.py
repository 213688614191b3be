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

WORDS: Final[dict[Kind, tuple[str, str]]] = {
    "personnummer": ("personnummer", "Swedish personal identity numbers"),
    "samordningsnummer": ("samordningsnummer", "Swedish coordination numbers"),
    "personal_id": ("identiteter för enskilda personer", "identities of single persons"),
    "person_name": ("personnamn", "names of persons"),
    "email": ("e-postadresser", "e-mail addresses"),
    "phone": ("telefonnummer", "telephone numbers"),
    "vehicle_plate": ("fordons registreringsnummer", "registration numbers of vehicles"),
    "dwelling": ("enskilda bostäder eller fastigheter", "single dwellings or properties"),
    "dwelling_meter": ("mätare vid enskilda adresser", "meters at single addresses"),
    "precise_place": ("platser som är noggrannare än tillåtet", "places finer than allowed"),
    "mac_address": ("MAC-adresser", "MAC addresses"),
    "ip_address": ("IP-adresser", "IP addresses"),
    "imei": ("telefoners och modems IMEI", "IMEI of phones and modems"),
    "free_text": ("fri text", "free text"),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """Something of a kind in a column.

    Attributes:
        column: The column.
        kind: What is in it.
        count: How many different values of the column hold it.
        rows: How many rows do.
        said_sv: The same in Swedish.
        said_en: The same in English.
    """

    column: str
    kind: Kind
    count: int
    rows: int
    said_sv: str
    said_en: str


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


def hit(column: str, kind: Kind, count: int, rows: int) -> Hit:
    """A finding in words of both languages."""
    sv, en = WORDS[kind]
    rader, lines = ("rad", "row") if rows == 1 else ("rader", "rows")
    olika, different = ("värde", "value") if count == 1 else ("olika värden", "different values")
    return Hit(
        column,
        kind,
        count,
        rows,
        f"Kolumnen '{column}' ser ut att innehålla {sv}: {rows} {rader}, {count} {olika}.",
        f"The column '{column}' seems to hold {en}: {rows} {lines}, {count} {different}.",
    )

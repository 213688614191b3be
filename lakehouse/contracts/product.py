"""The contract of a product: the columns it promises, how good they must be, how it is shared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from lakehouse.contracts.approvals import Audience
from lakehouse.contracts.classification import Classification, Levels, column_levels
from lakehouse.contracts.odcs import IDENTIFIER, Document, Frozen, custom_properties, read_document
from lakehouse.contracts.promises import promised_s
from lakehouse.contracts.statistics import Statistics, statistics_problems
from lakehouse.contracts.texts import Text
from lakehouse.contracts.versions import SemanticVersion
from lakehouse.errors import ContractError, Problem

__all__ = ["ProductColumn", "ProductContract", "Statistics", "Text", "load_product"]

Theme = Literal[
    "AGRI", "ECON", "EDUC", "ENER", "ENVI", "GOVE", "HEAL", "INTR", "JUST", "SOCI", "REGI", "TECH",
    "TRAN",
]  # fmt: skip
"""EU data themes (authority table data-theme)."""

Frequency = Literal[
    "CONT", "UPDATE_CONT", "DAILY_2", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "ANNUAL", "IRREG",
    "NEVER",
]  # fmt: skip
"""Update frequencies of DCAT-AP-SE; hourly data is UPDATE_CONT, the list has no HOURLY."""


_PROPERTIES: Final = ("publication", "classification", "statistics", "exceptions")
"""Custom properties of a whole contract."""


class Words(Frozen):
    """Keywords in both languages."""

    sv: tuple[str, ...] = Field(min_length=1)
    en: tuple[str, ...] = Field(min_length=1)


class Contact(Frozen):
    """Where questions about a product go."""

    name: str
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")


class Question(Frozen):
    """A question people ask of the product, with the SQL that answers it."""

    question: Text
    sql: str


class Publication(Frozen):
    """How a product is presented and shared.

    Attributes:
        licence: Licence of the data; the catalogue's own metadata are always CC0.
        attribution: Words a licence other than CC0 asks to be repeated.
        time_column: Column that says when, for coverage and `data until`.
        limitations: What the reader must know before drawing conclusions.
        sources: The sources it is made from.
        receivers: Who may have a restricted product, by role.
        place_precision_m: Metres that the places in it are rounded to; None if they are exact.
    """

    title: Text
    description: Text
    keywords: Words
    theme: Theme
    frequency: Frequency
    licence: Literal["CC0-1.0", "CC-BY-4.0", "ODbL-1.0"]
    attribution: str | None = None
    publisher: str
    contact: Contact
    audience: Audience = "internal"
    time_column: str
    limitations: Text
    questions: tuple[Question, ...] = ()
    spatial: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    place_precision_m: float | None = Field(default=None, gt=0)


class Occasion(Frozen):
    """Days of a product that are known to be out of the ordinary, such as an outage.

    Attributes:
        first: The first of them, UTC.
        last: The last of them.
        why: What happened.
    """

    first: date
    last: date
    why: Text


class Exceptions(Frozen):
    """All of them; no audit takes them for errors, or for what is usual."""

    occasions: tuple[Occasion, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """One ODCS quality rule: a library metric on a column, or on the whole table (column None).

    `limits` holds the comparison as ODCS writes it, such as `{"mustBeGreaterThan": 0}`.
    """

    column: str | None
    type: str
    metric: str
    limits: Mapping[str, Any]
    arguments: Mapping[str, Any]
    severity: Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class ProductColumn:
    """One column a product promises.

    `may_hold` names the kinds of findings of the disclosure scan that are meant to be in it. If it
    `varies`, one day says nothing of what the next is like, and audits compare none.
    """

    name: str
    logical_type: str
    label: Text
    description: str
    unit: str | None
    required: bool
    is_key: bool
    minimum: float | None
    maximum: float | None
    levels: Levels | None = None
    may_hold: tuple[str, ...] = ()
    varies: bool = False


@dataclass(frozen=True, slots=True)
class ProductContract:
    """A product, as its contract file says.

    Attributes:
        model: Name of the gold model that holds its rows.
        classification: As the contract says of the whole; None if nobody has classified it.
        statistics: How numbers about people are protected; None if there are none.
        retention_s: How long its rows are kept, in seconds; None for good.
        occasions: Days that are out of the ordinary.
    """

    id: str
    version: str
    status: str
    domain: str
    path: Path
    digest: str
    model: str
    grain: str
    columns: tuple[ProductColumn, ...]
    quality: tuple[Quality, ...]
    publication: Publication
    classification: Classification | None
    statistics: Statistics | None
    retention_s: int | None
    occasions: tuple[Occasion, ...] = ()

    @property
    def exceptional_days(self) -> frozenset[date]:
        """The days of all occasions."""
        return frozenset(
            one.first + timedelta(days=number)
            for one in self.occasions
            for number in range((one.last - one.first).days + 1)
        )

    @property
    def tells_time(self) -> bool:
        """Whether its rows are of times that stay what they were, as a time in the key says."""
        return any(
            column.is_key and column.logical_type in ("timestamp", "date")
            for column in self.columns
        )

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that together identify a row."""
        return tuple(column.name for column in self.columns if column.is_key)


def load_product(path: Path) -> ProductContract:
    """Read one product contract.

    Raises:
        ContractError: Naming file, key, problem and remedy.
    """
    document = read_document(path)
    data = document.data
    table = (data.get("schema") or [{}])[0]
    contract = ProductContract(
        id=data["id"],
        version=data["version"],
        status=data.get("status", "draft"),
        domain=data.get("domain", "other"),
        path=path,
        digest=document.digest,
        model=str(table.get("physicalName", data["id"])).removeprefix("gold."),
        grain=table.get("dataGranularityDescription", ""),
        columns=tuple(_columns(document, table)),
        quality=tuple(_quality(table)),
        publication=document.section("publication", Publication),
        classification=document.optional("classification", Classification),
        statistics=document.optional("statistics", Statistics),
        retention_s=promised_s(document, "retention"),
        occasions=_occasions(document),
    )
    problems = list(_problems(contract))
    problems += document.unknown_properties(_PROPERTIES)
    if problems:
        raise ContractError.of(problems)
    return contract


def _occasions(document: Document) -> tuple[Occasion, ...]:
    told = document.optional("exceptions", Exceptions)
    return told.occasions if told else ()


def _columns(document: Document, table: Mapping[str, Any]) -> Iterator[ProductColumn]:
    for index, item in enumerate(table.get("properties", ())):
        extra = custom_properties(item)
        key = f"schema[0].properties[{index}].customProperties.label"
        options = item.get("logicalTypeOptions", {})
        yield ProductColumn(
            name=item["name"],
            logical_type=item.get("logicalType", "string"),
            label=document.read(Text, extra.get("label", {}), key),
            description=item.get("description", ""),
            unit=extra.get("unit"),
            required=item.get("required", False),
            is_key=item.get("primaryKey", False),
            minimum=options.get("minimum"),
            maximum=options.get("maximum"),
            levels=column_levels(document, index, item),
            may_hold=tuple(extra.get("mayHold", ())),
            varies=extra.get("varies") is True,
        )


def _quality(table: Mapping[str, Any]) -> Iterator[Quality]:
    for column, element in [
        (None, table),
        *((item["name"], item) for item in table.get("properties", ())),
    ]:
        for rule in element.get("quality", ()):
            yield Quality(
                column=column,
                type=rule.get("type", "library"),
                metric=rule.get("metric", ""),
                limits={k: v for k, v in rule.items() if k.startswith("must")},
                arguments=rule.get("arguments", {}),
                severity="warning" if rule.get("severity") in ("warning", "info") else "critical",
            )


def _problems(contract: ProductContract) -> Iterator[Problem]:
    path = contract.path
    for occasion in contract.occasions:
        if occasion.last < occasion.first:
            yield Problem(
                f"{path}: customProperties.exceptions",
                f"{occasion.last} is before {occasion.first}",
                "Give the first day and the last.",
            )
    names = [column.name for column in contract.columns]
    if not re.match(IDENTIFIER, contract.id) or path.stem != contract.id:
        yield Problem(f"{path}: id", f"'{contract.id}' is not the file's name", "Make them equal.")
    if not contract.key:
        yield Problem(
            f"{path}: schema[0].properties",
            "no property is a primaryKey",
            "Mark the columns that identify a row.",
        )
    if contract.statistics:
        place = f"{path}: customProperties.statistics"
        yield from statistics_problems(contract.statistics, contract.columns, place)
    if contract.publication.time_column not in names:
        yield Problem(
            f"{path}: customProperties.publication.timeColumn",
            f"'{contract.publication.time_column}' is not a column of the product",
            f"Name one of: {', '.join(names)}.",
        )
    if SemanticVersion.read(contract.version) is None:
        yield Problem(
            f"{path}: version",
            f"'{contract.version}' is no semantic version",
            "Write three numbers such as 1.0.0.",
        )

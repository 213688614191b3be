"""Approvals: the information owners' recorded decisions to share, one file each.

`approvals/<product>/<date>-<audience>.yaml` in the contracts folder, so that each decision is
reviewed and kept like any other change: who decided what, when, until when, and on which audit.
`sjostad approve` writes them. Taking a decision back is deleting its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field

from lakehouse.contracts.classification import Levels
from lakehouse.contracts.odcs import Document, Frozen, read_yaml
from lakehouse.contracts.versions import SemanticVersion
from lakehouse.errors import ContractError, Problem

Audience = Literal["open", "internal", "restricted"]


def _day(text: str) -> str:
    try:
        is_day = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError("expected a date such as 2026-09-15")
    return text


def _version(text: str) -> str:
    if SemanticVersion.read(text) is None:
        raise ValueError("expected a version such as 1.2.0")
    return text


def _levels(text: str) -> str:
    if Levels.read(text) is None:
        raise ValueError("expected K-R-T such as 0-2-1")
    return text


Day = Annotated[str, AfterValidator(_day)]


class Audited(Frozen):
    """The audit that an approval was given on.

    Attributes:
        delta_version: Version of the gold table.
        rows: Rows of it.
        audited_at: When, ISO 8601 in UTC.
        verdict: sha-256 of the verdict's content.
    """

    delta_version: int = Field(ge=0)
    rows: int = Field(ge=1)
    audited_at: str
    verdict: str = Field(pattern=r"^[0-9a-f]{64}$")


class Approval(Frozen):
    """One decision to share one product with one audience.

    Attributes:
        product: Product id.
        audience: With whom.
        contract_version: Version of the contract that was decided on.
        columns: The columns that were decided on; others are not covered.
        classification: The product's K-R-T then.
        personal_data: Whether the product held personal data then.
        decision: Reference of the decision in the registry.
        decided_by: The body that decided.
        decided_on: When, ISO 8601.
        valid_until: Last day on which it holds.
        reclassified: Why the product is classified lower than what it is made from.
        audited: The audit that was looked at.
    """

    product: str
    audience: Audience
    contract_version: Annotated[str, AfterValidator(_version)]
    columns: tuple[str, ...] = Field(min_length=1)
    classification: Annotated[str, AfterValidator(_levels)]
    personal_data: bool
    decision: str = Field(min_length=1)
    decided_by: str = Field(min_length=1)
    decided_on: Day
    valid_until: Day
    reclassified: str | None = None
    audited: Audited

    def holds_on(self, day: date) -> bool:
        """Whether a day is within the time that it was given for."""
        return self.decided_on <= day.isoformat() <= self.valid_until

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"{self.decided_on}-{self.audience}.yaml"


Approvals = Mapping[str, tuple[Approval, ...]]
"""By product, oldest decision first."""


def load_approvals(folder: Path, products: Iterable[str], problems: list[Problem]) -> Approvals:
    """Read the approvals of a contracts folder.

    Args:
        folder: The contracts folder; it need not have any.
        products: Ids of the products that there are.
        problems: What is wrong with a file is added here.
    """
    known = set(products)
    found: dict[str, list[Approval]] = {}
    for path in sorted((folder / "approvals").rglob("*.yaml")):
        try:
            approval = Document(path, read_yaml(path), "").whole(Approval)
        except ContractError as error:
            problems += error.problems
            continue
        problems += _problems(approval, path, known)
        found.setdefault(approval.product, []).append(approval)
    return {
        product: tuple(sorted(listed, key=lambda one: one.decided_on))
        for product, listed in sorted(found.items())
    }


def write_approval(folder: Path, approval: Approval) -> Path:
    """Write a decision into a contracts folder, as one new file.

    Raises:
        ContractError: There is already a decision of that day on that audience.
    """
    path = folder / "approvals" / approval.product / approval.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = approval.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ContractError(
            Problem(
                str(path),
                "there is already a decision of that day",
                "Delete it first if this one replaces it.",
            )
        ) from None
    return path


def _problems(approval: Approval, path: Path, known: set[str]) -> Iterator[Problem]:
    if approval.product not in known:
        yield Problem(
            f"{path}: product",
            f"there is no product '{approval.product}'",
            f"Known: {', '.join(sorted(known)) or 'none'}.",
        )
    if (path.parent.name, path.name) != (approval.product, approval.file_name):
        yield Problem(
            str(path),
            f"it holds the decision {approval.product}/{approval.file_name}",
            "Name the folder and the file for the decision, one decision in each.",
        )
    if approval.valid_until < approval.decided_on:
        yield Problem(
            f"{path}: validUntil",
            f"{approval.valid_until} is before {approval.decided_on}, when it was decided",
            "Correct the dates.",
        )

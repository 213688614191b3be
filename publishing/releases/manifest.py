"""What a release says about itself: `manifest.json`, read back into frozen objects.

The manifest is complete on purpose. The catalogue, the site and the assistant describe a release
from it alone, so that a page never tells of a contract that the data on it was not made for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lakehouse.contracts.classification import Classification
from lakehouse.contracts.odcs import IDENTIFIER
from lakehouse.contracts.product import Publication, Text
from lakehouse.decisions import Decision, decision_from
from lakehouse.errors import LakeError, Problem
from lakehouse.settings import Settings
from lakehouse.signatures import SUFFIX
from lakehouse.verdicts import Verdict, verdict_from
from publishing.releases import changes
from publishing.releases.changes import Changes
from publishing.releases.withdrawals import standing

MANIFEST = "manifest.json"
SIGNATURE = f"{MANIFEST}{SUFFIX}"
_NUMBER = re.compile(r"^\d{4,}$")
_FILE = re.compile(r"^[a-z0-9][a-z0-9_.]{0,80}$")


@dataclass(frozen=True, slots=True)
class Publisher:
    """The organisation that answers for a product, as the vocabulary had it at release."""

    id: str
    name: Text
    kind: str
    organisation_number: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The information owner's decision, as it was at release."""

    decision: str
    decided_by: str
    decided_on: str
    valid_until: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One released column; `unit` is its UCUM code, `symbol` how people write it."""

    name: str
    type: str
    label: Text
    description: str
    unit: str | None
    symbol: str | None
    is_key: bool


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release; `rows` is None for files that are not tables."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class Release:
    """One immutable release of a product.

    Attributes:
        product: Product id.
        number: 1 for the first release; the folder's name.
        folder: Where the files are.
        delta_version: Version of the gold table that was audited and released.
        contract_version: Semantic version of the contract.
        contract_digest: sha-256 of the contract's content.
        verdict: The audit that allowed the release.
        model: Gold model the rows come from.
        grain: What one row is.
        rows: Number of rows.
        period: First and last value of the time column, ISO 8601; None for an empty release.
        issued: When the audit was made, ISO 8601 in UTC.
        publisher: Who answers for the data.
        publication: How the product is presented, as the contract had it at release.
        classification: KLASSA levels and personal data, as the contract had them.
        decision: What the sharing policy said; None for releases made before it was asked.
        approval: The information owner's decision to share.
        columns: The released columns in order.
        files: The files of the release, without the manifest.
        changes: What changed against the release before; None for the first one.
        is_new: Whether this call made the release; always False for a loaded one.
    """

    product: str
    number: int
    folder: Path
    delta_version: int
    contract_version: str
    contract_digest: str
    verdict: Verdict
    model: str
    grain: str
    rows: int
    period: tuple[str, str] | None
    issued: str
    publisher: Publisher
    publication: Publication
    classification: Classification
    decision: Decision | None
    approval: Approval | None
    columns: tuple[Column, ...]
    files: tuple[ReleasedFile, ...]
    changes: Changes | None = None
    is_new: bool = False

    @property
    def version(self) -> str:
        """Version that people cite: the contract's version and the release's number."""
        return f"{self.contract_version}+{self.number}"

    @property
    def data_until(self) -> str | None:
        """The last time the data speak of; None for an empty release."""
        return self.period[1] if self.period else None

    def file(self, suffix: str) -> ReleasedFile:
        """The one file whose name ends with `suffix`, such as `.csv`.

        Raises:
            LakeError: The release has no such file.
        """
        for file in self.files:
            if file.name.endswith(suffix):
                return file
        raise _damaged(self.folder, f"there is no file '*{suffix}' in it")

    def as_new(self) -> Release:
        """The same release, marked as made by this call."""
        return replace(self, is_new=True)


def newest_release(settings: Settings, product_id: str) -> Release | None:
    """The newest release of a product that may be shown; None when there is none.

    Raises:
        LakeError: The release is damaged.
    """
    numbers = shown_numbers(settings, product_id)
    return load_release(settings, product_id, numbers[-1]) if numbers else None


def shown_numbers(settings: Settings, product_id: str) -> tuple[int, ...]:
    """Numbers of the releases of a product that may be shown, in order."""
    now = standing(_product_folder(settings, product_id))
    if now.closed:
        return ()
    return tuple(
        number for number in release_numbers(settings, product_id) if number not in now.hidden
    )


def releases(settings: Settings, product_id: str | None = None) -> tuple[Release, ...]:
    """Every release that may be shown, of one product or of all, oldest first in each.

    Raises:
        LakeError: A release is damaged.
    """
    products = [product_id] if product_id else released_products(settings)
    return tuple(
        load_release(settings, product, number)
        for product in products
        for number in shown_numbers(settings, product)
    )


def released_products(settings: Settings) -> tuple[str, ...]:
    """Ids of the products that have at least one release, in order."""
    if not settings.releases.is_dir():
        return ()
    names = sorted(path.name for path in settings.releases.iterdir() if path.is_dir())
    return tuple(
        name for name in names if re.match(IDENTIFIER, name) and release_numbers(settings, name)
    )


def release_numbers(settings: Settings, product_id: str) -> tuple[int, ...]:
    """Numbers of a product's releases in order; staging folders do not count."""
    folder = _product_folder(settings, product_id)
    if not folder.is_dir():
        return ()
    return tuple(sorted(int(path.name) for path in folder.iterdir() if _NUMBER.match(path.name)))


def release_folder(settings: Settings, product_id: str, number: int) -> Path:
    """Where a release stands or will stand."""
    return _product_folder(settings, product_id) / f"{number:04d}"


def load_release(settings: Settings, product_id: str, number: int) -> Release:
    """Read one release.

    Raises:
        LakeError: The manifest is missing, is of another release or names files that are not
            there in the size it says.
    """
    folder = release_folder(settings, product_id, number)
    try:
        data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found = from_manifest(data, folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"its manifest cannot be read: {error!r}") from error
    if (found.product, found.number) != (product_id, number):
        raise _damaged(folder, f"its manifest is of {found.product} {found.number}")
    for file in found.files:
        _check_file(folder, file)
    return found


def stored_manifest(settings: Settings, product_id: str, number: int) -> Mapping[str, Any]:
    """The manifest of a release as it stands, also of one whose rows were erased."""
    path = release_folder(settings, product_id, number) / MANIFEST
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def link_before(settings: Settings, product_id: str, number: int) -> Mapping[str, Any] | None:
    """What a manifest says of the release before it; None for the first one."""
    earlier = [one for one in release_numbers(settings, product_id) if one < number]
    if not earlier:
        return None
    path = release_folder(settings, product_id, earlier[-1]) / MANIFEST
    return {"number": earlier[-1], "manifest_sha256": sha256_of(path)}


def sha256_of(path: Path) -> str:
    """The sha-256 of a file in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_manifest(data: Mapping[str, Any], folder: Path) -> Release:
    """A release from the content of its manifest."""
    period = data["period"]
    publisher = data["publisher"]
    return Release(
        product=str(data["product"]),
        number=int(data["number"]),
        folder=folder,
        delta_version=int(data["delta_version"]),
        contract_version=str(data["contract"]["version"]),
        contract_digest=str(data["contract"]["digest"]),
        verdict=verdict_from(data["verdict"]),
        model=str(data["model"]),
        grain=str(data["grain"]),
        rows=int(data["rows"]),
        period=(str(period["from"]), str(period["until"])) if period else None,
        issued=str(data["issued"]),
        publisher=Publisher(**{**publisher, "name": Text(**publisher["name"])}),
        publication=Publication.model_validate(data["publication"]),
        classification=Classification.model_validate(data["classification"]),
        decision=decision_from(data["policy"]) if data.get("policy") else None,
        approval=Approval(**data["approval"]) if data["approval"] else None,
        columns=tuple(
            Column(**{**column, "label": Text(**column["label"])}) for column in data["columns"]
        ),
        files=tuple(ReleasedFile(**file) for file in data["files"]),
        # Releases made before changes were told have none.
        changes=changes.from_json(data["changes"]) if data.get("changes") else None,
    )


def _product_folder(settings: Settings, product_id: str) -> Path:
    if not re.match(IDENTIFIER, product_id):
        raise LakeError(
            Problem(
                str(settings.releases),
                f"'{product_id[:80]}' cannot be the id of a product",
                "Use the id of a product contract.",
            )
        )
    return settings.releases / product_id


def _check_file(folder: Path, file: ReleasedFile) -> None:
    path = folder / file.name
    if not _FILE.match(file.name) or path.is_symlink() or not path.is_file():
        raise _damaged(folder, f"its manifest names '{file.name[:80]}', which is no file of it")
    if path.stat().st_size != file.bytes:
        raise _damaged(folder, f"{file.name} is not {file.bytes} bytes long")


def _damaged(folder: Path, what: str) -> LakeError:
    return LakeError(
        Problem(str(folder), f"the release is damaged: {what}", "Restore it from backup.")
    )

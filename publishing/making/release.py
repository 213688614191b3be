"""Making a release: the one way that rows leave the lake.

A release is a pure function of a Delta version's content and a contract version. It is staged
beside its final place, counted, flushed and then renamed, so that readers see all of it or
nothing, and a killed process leaves only a staging folder that the next one clears away.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lakehouse import audit_log, flushing
from lakehouse.contracts import Contracts, ProductContract, Vocabulary
from lakehouse.contracts.product import ProductColumn, Text
from lakehouse.errors import Problem, ReleaseRefused
from lakehouse.lineage import lineage_of
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from lakehouse.signatures import sign_file
from lakehouse.timeline import city_today
from publishing.addresses import Addresses
from publishing.documents.cards import card
from publishing.documents.changelog import changes_file
from publishing.documents.knowledge import knowledge_lines
from publishing.making.comparison import changes_of
from publishing.making.contract_versions import require_version
from publishing.making.distributions import Extent, write_distributions
from publishing.making.permission import Permission, permission
from publishing.releases.manifest import (
    MANIFEST,
    Approval,
    Column,
    Publisher,
    Release,
    ReleasedFile,
    link_before,
    newest_release,
    release_folder,
    release_numbers,
    sha256_of,
    stored_manifest,
)
from publishing.releases.withdrawals import standing
from publishing.terms import MEDIA_TYPES
from publishing.words import LANGUAGES

_STAGING = ".staging"
_SYMBOLS = {"deg": "°"}
"""Units of positions; they are no measured quantity, so the vocabulary has none for them."""


def release(settings: Settings, contracts: Contracts, product_id: str) -> Release:
    """Release the newest version of a product, if its audit and the sharing policy allow it.

    Args:
        settings: Where the lake, the verdicts, the decisions and the releases are.
        contracts: Every contract.
        product_id: The product.

    Returns:
        The release; `is_new` is False when the newest one already holds this content.

    Raises:
        ReleaseRefused: There is no table, no passed verdict on this very version and contract, or
            no decision to share it. The last good release is untouched.
        Busy: Another process is releasing this product.
    """
    with drafted(settings, contracts, product_id) as draft:
        if not draft.is_new:
            return draft
        staging = _staging(settings, product_id)
        complete = _write_texts(settings, draft, staging)
        _publish(complete, staging)
        audit_log.note(
            settings,
            "released",
            f"product/{product_id}",
            release=complete.number,
            version=complete.version,
            rows=complete.rows,
            delta_version=complete.delta_version,
            audience=complete.publication.audience,
        )
        return complete


@contextmanager
def drafted(settings: Settings, contracts: Contracts, product_id: str) -> Iterator[Release]:
    """The release that would be made now, staged but not shown; cleared away afterwards.

    Yields:
        A release with its tables and with what it changes, without its texts; or, `is_new` False,
        the newest one, which already holds this content.

    Raises:
        ReleaseRefused, Busy: As `release` does.
    """
    contract = contracts.product(product_id)
    with exclusive(settings, f"release.{product_id}"):
        _refuse_closed(settings, product_id)
        given = permission(settings, contracts, contract, city_today())
        newest = newest_release(settings, product_id)
        if newest:
            require_version(newest, contract, _columns(contracts, contract))
        if newest and _is_same(newest, contract) and newest.delta_version == given.delta_version:
            yield newest
            return
        staging = _staging(settings, product_id)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            yield _draft(settings, contracts, given, newest, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _is_same(newest: Release, contract: ProductContract) -> bool:
    return newest.contract_digest == contract.digest


def _staging(settings: Settings, product_id: str) -> Path:
    return settings.releases / product_id / _STAGING


def _draft(
    settings: Settings,
    contracts: Contracts,
    given: Permission,
    newest: Release | None,
    staging: Path,
) -> Release:
    contract, verdict = given.contract, given.verdict
    extent = write_distributions(contract, given.address, verdict.delta_version, staging)
    if extent.rows != verdict.rows:
        raise ReleaseRefused(
            Problem(
                f"{contract.id}, version {verdict.delta_version} of {contract.model}",
                f"{verdict.rows} rows were audited but there are {extent.rows}",
                "Run the audit again.",
            )
        )
    text = staging / f"{contract.id}.csv"
    _refuse_withdrawn(settings, contract, sha256_of(text))
    is_known = newest is not None and _is_same(newest, contract)
    if newest and is_known and newest.file(".csv").sha256 == sha256_of(text):
        return newest
    numbers = release_numbers(settings, contract.id)
    number = numbers[-1] + 1 if numbers else 1
    folder = release_folder(settings, contract.id, number)
    draft = _describe(contracts, given, number, extent, folder)
    if newest:
        draft = replace(draft, changes=changes_of(newest, draft, staging))
    return draft.as_new()


def _refuse_closed(settings: Settings, product_id: str) -> None:
    closed = standing(settings.releases / product_id).closed
    if closed:
        raise ReleaseRefused(
            Problem(
                product_id,
                f"it was withdrawn on {closed.at}: {closed.reason_en}",
                f"Run 'sjostad reinstate {product_id}' when the reason is gone.",
            )
        )


def _refuse_withdrawn(settings: Settings, contract: ProductContract, sha256: str) -> None:
    """What was taken back must not come again with the next morning's run."""
    for number, why in standing(settings.releases / contract.id).hidden.items():
        files = stored_manifest(settings, contract.id, number)["files"]
        if any(file["name"].endswith(".csv") and file["sha256"] == sha256 for file in files):
            raise ReleaseRefused(
                Problem(
                    contract.id,
                    f"the same rows were release {number}, taken back on {why.at}: {why.reason_en}",
                    "Mend what was wrong with them.",
                )
            )


def _describe(
    contracts: Contracts, given: Permission, number: int, extent: Extent, folder: Path
) -> Release:
    contract, verdict = given.contract, given.verdict
    staging = folder.parent / _STAGING
    names = (f"{contract.id}.csv", f"{contract.id}.parquet")
    return Release(
        product=contract.id,
        number=number,
        folder=folder,
        delta_version=verdict.delta_version,
        contract_version=contract.version,
        contract_digest=contract.digest,
        verdict=verdict,
        model=contract.model,
        grain=contract.grain,
        rows=extent.rows,
        period=extent.period,
        issued=verdict.audited_at,
        publisher=_publisher(contracts.vocabulary, contract.publication.publisher),
        publication=contract.publication,
        classification=given.classification,
        decision=given.decision,
        approval=_approval(contracts, contract),
        columns=_columns(contracts, contract),
        files=tuple(_file(staging / name, extent.rows) for name in names),
    )


def _approval(contracts: Contracts, contract: ProductContract) -> Approval | None:
    made = contracts.approval(contract.id)
    if made is None:
        return None
    return Approval(made.decision, made.decided_by, made.decided_on, made.valid_until)


def _publisher(vocabulary: Vocabulary, organisation_id: str) -> Publisher:
    row = vocabulary.organisations[organisation_id]
    return Publisher(
        id=organisation_id,
        name=Text(sv=row["name_sv"], en=row["name_en"]),
        kind=row["kind"],
        organisation_number=row["organisation_number"],
    )


def _columns(contracts: Contracts, contract: ProductContract) -> tuple[Column, ...]:
    return tuple(_column(column, contracts.vocabulary) for column in contract.columns)


def _column(column: ProductColumn, vocabulary: Vocabulary) -> Column:
    unit = column.unit
    known = vocabulary.units.get(unit or "")
    symbol = (known["symbol"] if known else None) or _SYMBOLS.get(unit or "") or unit
    return Column(
        name=column.name,
        type=column.logical_type,
        label=column.label,
        description=column.description,
        unit=unit,
        symbol=symbol,
        is_key=column.is_key,
    )


def _file(path: Path, rows: int | None) -> ReleasedFile:
    return ReleasedFile(
        name=path.name,
        media_type=MEDIA_TYPES[path.suffix],
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        rows=rows,
    )


def _write_texts(settings: Settings, draft: Release, staging: Path) -> Release:
    """Write the cards, what changed, the knowledge, and the manifest with its signature.

    Returns:
        The release with all its files.
    """
    addresses = Addresses(settings.base_url)
    texts = {f"card.{language}.md": card(draft, language, addresses) for language in LANGUAGES}
    for language in LANGUAGES:
        told = changes_file(draft, language)
        if told:
            texts[f"changes.{language}.md"] = told
    if draft.publication.audience == "open":
        texts["knowledge.jsonl"] = "".join(knowledge_lines(draft, addresses))
    for name, text in texts.items():
        (staging / name).write_text(text, encoding="utf-8", newline="\n")
    files = (*draft.files, *(_file(staging / name, None) for name in texts))
    complete = replace(draft, files=files)
    content = _manifest(complete) | {
        "previous": link_before(settings, draft.product, draft.number),
        "lineage": _lineage(settings, draft),
    }
    manifest = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    (staging / MANIFEST).write_text(manifest, encoding="utf-8", newline="\n")
    sign_file(settings, staging / MANIFEST)
    return complete


def _lineage(settings: Settings, draft: Release) -> Mapping[str, Any]:
    """What `sjostad trace` walks along."""
    sources = draft.publication.sources
    return asdict(lineage_of(settings, draft.model, draft.delta_version, sources))


def _manifest(found: Release) -> dict[str, Any]:
    publication = found.publication
    return {
        "product": found.product,
        "number": found.number,
        "title": publication.title.model_dump(),
        "delta_version": found.delta_version,
        "contract": {"version": found.contract_version, "digest": found.contract_digest},
        "verdict": asdict(found.verdict),
        "model": found.model,
        "grain": found.grain,
        "rows": found.rows,
        "period": {"from": found.period[0], "until": found.period[1]} if found.period else None,
        "issued": found.issued,
        "licence": publication.licence,
        "publisher": asdict(found.publisher) | {"name": found.publisher.name.model_dump()},
        "publication": publication.model_dump(mode="json"),
        "classification": found.classification.model_dump(mode="json"),
        "policy": asdict(found.decision) if found.decision else None,
        "approval": asdict(found.approval) if found.approval else None,
        "columns": [
            asdict(column) | {"label": column.label.model_dump()} for column in found.columns
        ],
        "files": [asdict(file) for file in found.files],
        "changes": found.changes.as_json() if found.changes else None,
    }


def _publish(complete: Release, staging: Path) -> None:
    """Flush everything, then rename: after this line of time the release is there for good."""
    for path in sorted(staging.iterdir()):
        flushing.flush(path)
    flushing.flush(staging)
    os.rename(staging, complete.folder)
    flushing.flush(complete.folder.parent)

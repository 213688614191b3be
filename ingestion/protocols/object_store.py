"""Files in an object store, or in any other place that fsspec can list.

The secrets of a store stand in the environment, where its own client looks for them; S3 needs
the package s3fs, Azure adlfs.

Source: fsspec, "API Reference".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch, address
from ingestion.protocols import remote_files
from ingestion.protocols.patience import patiently
from ingestion.protocols.remote_files import Place, RemoteFile
from lakehouse.errors import Problem, SourceUnavailable


def offers(fetch: Fetch) -> Iterator[Offer]:
    """The objects that match, oldest name first.

    Args:
        fetch: Its contract's location is such as `s3://bucket/prefix/*.csv`, or `env:NAME` of a
            variable holding one; `**` spans folders.

    Raises:
        SourceUnavailable: The store did not answer, or its package is not installed.
    """
    contract = fetch.contract
    url = address(contract, fetch.settings)
    try:
        store, pattern = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise SourceUnavailable(
            Problem(f"{contract.path}: servers", f"the store cannot be used: {error}",
                    "Write one such as s3://bucket/*.csv and install its package.")
        ) from None  # fmt: skip
    base = _base(pattern)
    listed = partial(_files, store, base, pattern)
    # Every client has errors of its own kinds; that they come from it is all they share.
    patient = partial(
        patiently, contract, failures=(Exception,), told=_told, asked="the object store"
    )
    place = Place(
        files=lambda: patient(listed),
        fetch=lambda file, path: patient(partial(_fetch, store, base, file, path)),
        # An object appears when it is whole; a file in a folder may still be written.
        settle_s=contract.delivery.remote.settle_s if isinstance(store, LocalFileSystem) else 0.0,
    )
    yield from remote_files.offers(fetch, place)


def _told(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _base(pattern: str) -> str:
    """The folder above the first pattern."""
    first = min((pattern.index(sign) for sign in "*?[" if sign in pattern), default=len(pattern))
    return pattern[: pattern.rindex("/", 0, first) + 1] if "/" in pattern[:first] else ""


def _files(store: AbstractFileSystem, base: str, pattern: str) -> list[RemoteFile]:
    found: Mapping[str, Mapping[str, Any]] = store.glob(pattern, detail=True)
    return [
        RemoteFile(
            name=name.removeprefix(base),
            version=_version(info),
            modified=_modified(info),
            is_link=_is_link(store, name, info),
        )
        for name, info in found.items()
        if info["type"] != "directory"
    ]


def _version(info: Mapping[str, Any]) -> str:
    """Size, and what the store knows of the content: an ETag, or when it was written."""
    return f"{info.get('size')} {info.get('ETag') or info.get('etag') or _modified(info)}"


def _modified(info: Mapping[str, Any]) -> datetime:
    """When an object was written; every store has a word of its own for it."""
    words = ("LastModified", "last_modified", "mtime", "updated", "created")
    told = next((info[word] for word in words if info.get(word) is not None), 0)
    if isinstance(told, str):
        told = datetime.fromisoformat(told)
    if isinstance(told, datetime):
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    return datetime.fromtimestamp(told, UTC)


def _is_link(store: AbstractFileSystem, name: str, info: Mapping[str, Any]) -> bool:
    is_reached_by_one = isinstance(store, LocalFileSystem) and os.path.realpath(name) != name
    return bool(info.get("islink")) or info["type"] not in ("file", "link") or is_reached_by_one


def _fetch(store: AbstractFileSystem, base: str, file: RemoteFile, path: Path) -> str:
    store.get_file(f"{base}{file.name}", str(path))
    return _version(store.info(f"{base}{file.name}"))

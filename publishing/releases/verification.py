"""Whether a release, or a copy of one, is what was released: signature, manifest, every byte.

The signature covers the manifest, and the manifest covers every file. Each manifest also has the
hash of the one before it, so that none can be taken out or exchanged without the next one telling.
Whoever has a copy needs no more than the trusted keys; docs/operations.md shows the same with
stock tools.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lakehouse.errors import Problem, SignatureRefused
from lakehouse.settings import Settings
from lakehouse.signatures import TrustedKey, trusted_keys, verify_file
from publishing.releases.manifest import (
    MANIFEST,
    SIGNATURE,
    release_folder,
    release_numbers,
    released_products,
    sha256_of,
)
from publishing.releases.withdrawals import standing

_AGAIN: Final = "Trust nothing of this; get it again from the publisher."


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of verifying one release.

    Attributes:
        place: The folder.
        release: Product and number, as the manifest says; None if it cannot be trusted.
        signer: Fingerprint of the key that signed it.
        files: Files that are what was released.
        problems: Everything that is not.
    """

    place: str
    release: tuple[str, int] | None
    signer: str | None
    files: int
    problems: tuple[Problem, ...]


def verify_copy(folder: Path, trusted: Sequence[TrustedKey], at_least: int = 1) -> Verified:
    """Verify a folder with a manifest, its signature and the files, such as a download.

    Args:
        folder: The folder.
        trusted: The keys that count.
        at_least: Lowest number that the release may have; whoever has seen release 42 must not be
            given release 41 for it.
    """
    manifest = folder / MANIFEST
    try:
        signer = verify_file(manifest, trusted)
        told: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        product, number = str(told["product"]), int(told["number"])
        files = {str(file["name"]): file for file in told["files"]}
    except SignatureRefused as refused:
        return Verified(str(folder), None, None, 0, refused.problems)
    except (OSError, ValueError, KeyError, TypeError) as error:
        unread = Problem(str(manifest), f"it cannot be read: {error!r}", _AGAIN)
        return Verified(str(folder), None, None, 0, (unread,))
    problems = list(_wrong_files(folder, files))
    sound = len(files) - len(problems)
    problems += _strangers(folder, files)
    if number < at_least:
        what = f"it is release {number}, but release {at_least} has been seen"
        problems.append(Problem(str(manifest), what, _AGAIN))
    return Verified(str(folder), (product, number), signer.fingerprint, sound, tuple(problems))


def verify_releases(settings: Settings, product_id: str | None = None) -> Iterator[Verified]:
    """Verify the releases of one product or of all, each with the one before it."""
    trusted = trusted_keys(settings)
    for product in [product_id] if product_id else released_products(settings):
        hidden = standing(release_folder(settings, product, 1).parent).hidden
        before: tuple[int, str] | None = None
        for number in release_numbers(settings, product):
            folder = release_folder(settings, product, number)
            is_erased = number in hidden and hidden[number].erased
            found = verify_as(folder, trusted, (product, number), is_erased=is_erased)
            yield _chained(found, folder, before)
            before = (number, sha256_of(folder / MANIFEST))


def verify_as(
    folder: Path,
    trusted: Sequence[TrustedKey],
    expected: tuple[str, int],
    *,
    is_erased: bool = False,
) -> Verified:
    """Verify a folder that must hold one certain release."""
    found = verify_copy(folder, trusted)
    problems = found.problems
    if is_erased:  # its files are meant to be gone; the manifest still tells what they were
        problems = tuple(one for one in problems if "is missing" not in one.what)
    if found.release not in (None, expected):
        what = f"it is release {found.release}, where {expected} belongs"
        problems = (*problems, Problem(found.place, what, "Restore it from backup."))
    return Verified(found.place, found.release, found.signer, found.files, problems)


def _chained(found: Verified, folder: Path, before: tuple[int, str] | None) -> Verified:
    """The same, with a problem more if it does not follow the release before it."""
    if found.release is None:
        return found
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("previous")
    follows = (told["number"], told["manifest_sha256"]) if told else None
    if follows == before:
        return found
    what = f"it follows {_named(follows)}, but {_named(before)} stands before it"
    problem = Problem(str(folder / MANIFEST), what, "Restore the release before from backup.")
    return Verified(
        found.place, found.release, found.signer, found.files, (*found.problems, problem)
    )


def _named(one: tuple[int, str] | None) -> str:
    return f"release {one[0]} (manifest {one[1][:12]})" if one else "no release"


def _wrong_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    for name, told in files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            yield Problem(str(path), "it is missing", "Get the whole release again.")
        elif sha256_of(path) != told["sha256"]:
            yield Problem(str(path), "its content is not what was released", _AGAIN)


def _strangers(folder: Path, files: Mapping[str, object]) -> Iterator[Problem]:
    known = {*files, MANIFEST, SIGNATURE}
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            yield Problem(str(path), "it is no file of the release", "Trust nothing in it.")

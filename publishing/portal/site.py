"""The published site: built whole in a folder of its own, then shown by swapping one link.

A reader that follows the link once sees one build, never half of two. A build that would show
the same as the current one is thrown away, so building often costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lakehouse import flushing
from lakehouse.contracts import Contracts
from lakehouse.contracts.product import Text
from lakehouse.errors import LakeError, ReleaseRefused
from lakehouse.locks import exclusive
from lakehouse.settings import Settings
from lakehouse.signatures import trusted_keys, trusted_lines
from publishing.catalogue import Catalogue, build_catalogue, open_releases
from publishing.catalogue.dcat import european, swedish
from publishing.catalogue.open_database import build_open_database
from publishing.catalogue.profile import check
from publishing.catalogue.serialisations import json_ld, rdf_xml, turtle
from publishing.portal.pages import Gone, render_gone, render_pages
from publishing.releases.manifest import (
    MANIFEST,
    SIGNATURE,
    Release,
    load_release,
    shown_numbers,
    stored_manifest,
)
from publishing.releases.verification import Verified, verify_as
from publishing.releases.withdrawals import closed_products

_BUILD: Final = "build.json"
_KEPT_BUILDS: Final = 3
_HISTORY: Final = 20
"""Releases that a dataset's page lists."""


@dataclass(frozen=True, slots=True)
class Site:
    """One build of the site.

    Attributes:
        number: Number of the build.
        folder: The build's own folder; `settings.site` is a link to it.
        digest: sha-256 over every path and content.
        releases: Number of the release shown, by product.
        is_new: Whether this call made it.
    """

    number: int
    folder: Path
    digest: str
    releases: Mapping[str, int]
    is_new: bool


def build_site(settings: Settings, contracts: Contracts) -> Site:
    """Build the site and the open database from the newest open releases, and show them.

    Returns:
        The site that is now shown; `is_new` is False when nothing had changed.

    Raises:
        ReleaseRefused: The catalogue breaks DCAT-AP-SE; the current site stays.
        LakeError: A release is damaged; the current site stays.
        Busy: Another process is building the site.
    """
    with exclusive(settings, "site"):
        current = current_site(settings)
        releases = open_releases(settings, contracts)
        _refuse_damaged(settings, releases, current)
        catalogue = build_catalogue(settings, contracts, releases)
        texts = _texts(settings, catalogue)
        digest = _digest(texts, releases)
        is_shown = current is not None and current.digest == digest
        site = current if current and is_shown else _show(settings, texts, releases, digest)
        build_open_database(settings, contracts)
    return site


def verify_site(settings: Settings, product_id: str | None = None) -> Iterator[Verified]:
    """Verify the files that the site shows, of one product or of all."""
    site = current_site(settings)
    if site is None:
        return
    trusted = trusted_keys(settings)
    for product, number in site.releases.items():
        if product_id in (None, product):
            yield verify_as(site.folder / "files" / product, trusted, (product, number))


def current_site(settings: Settings) -> Site | None:
    """The site that is shown now; None before the first build."""
    if not settings.site.is_symlink():
        return None
    folder = settings.site.resolve()
    try:
        told: dict[str, Any] = json.loads((folder / _BUILD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # a damaged build is simply built again
    return Site(int(folder.name), folder, told["digest"], told["releases"], is_new=False)


def _refuse_damaged(
    settings: Settings, releases: tuple[Release, ...], current: Site | None
) -> None:
    shown = current.releases if current else {}
    # What is shown already was read through when it was first shown.
    fresh = [release for release in releases if shown.get(release.product) != release.number]
    if fresh:
        trusted = trusted_keys(settings)
        checked = [
            verify_as(release.folder, trusted, (release.product, release.number))
            for release in fresh
        ]
        problems = [problem for one in checked for problem in one.problems]
        if problems:
            raise LakeError(*problems)


def _texts(settings: Settings, catalogue: Catalogue) -> dict[str, bytes]:
    """Everything that is generated, by path."""
    history = {
        dataset.release.product: _history(settings, dataset.release)
        for dataset in catalogue.datasets
    }
    gone = _gone(settings, catalogue)
    pages = render_pages(catalogue, history, settings.base_url) | render_gone(
        gone, has_catalogue=bool(catalogue.datasets)
    )
    texts = {path: text.encode() for path, text in pages.items()}
    if catalogue.datasets:  # a catalogue without datasets breaks the profile: there is none
        swede, europe = swedish(catalogue), european(catalogue)
        problems = check(swede)
        if problems:
            raise ReleaseRefused(*problems)
        texts["catalog.rdf"] = rdf_xml(swede)
        texts["catalog-eu.ttl"] = turtle(europe)
        texts["catalog-eu.jsonld"] = json_ld(europe)
        texts["allowed_signers"] = trusted_lines(settings).encode()
    return texts


def _gone(settings: Settings, catalogue: Catalogue) -> Mapping[str, Gone]:
    """The open products that were withdrawn."""
    shown = {dataset.release.product for dataset in catalogue.datasets}
    found = {}
    for product, why in closed_products(settings).items():
        last = stored_manifest(settings, product, why.numbers[-1])
        if product not in shown and last["publication"]["audience"] == "open":
            found[product] = Gone(Text(**last["publication"]["title"]), why)
    return found


def _history(settings: Settings, newest: Release) -> list[Release]:
    numbers = shown_numbers(settings, newest.product)[-_HISTORY:]
    return [load_release(settings, newest.product, number) for number in reversed(numbers)]


def _digest(texts: Mapping[str, bytes], releases: tuple[Release, ...]) -> str:
    whole = {path: hashlib.sha256(content).hexdigest() for path, content in texts.items()}
    for release in releases:
        for file in release.files:
            whole[f"files/{release.product}/{file.name}"] = file.sha256
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _show(
    settings: Settings, texts: Mapping[str, bytes], releases: tuple[Release, ...], digest: str
) -> Site:
    sites = settings.home / "sites"
    staging = sites / ".staging"
    shutil.rmtree(staging, ignore_errors=True)
    numbers = {release.product: release.number for release in releases}
    told = json.dumps({"digest": digest, "releases": numbers}, indent=1, sort_keys=True)
    for path, content in {**texts, _BUILD: told.encode()}.items():
        target = staging / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for release in releases:
        _add_files(release, staging)
    _flush_tree(staging)
    number = max(_builds(sites), default=0) + 1
    folder = sites / f"{number:04d}"
    os.rename(staging, folder)
    _point(settings.site, folder)
    forget_builds(settings)
    return Site(number, folder, digest, numbers, is_new=True)


def _add_files(release: Release, staging: Path) -> None:
    files, page = staging / "files" / release.product, staging / "dataset" / release.product
    files.mkdir(parents=True)
    for name in (*(file.name for file in release.files), MANIFEST, SIGNATURE):
        _link(release.folder / name, files / name)
    for language in ("sv", "en"):
        name = f"card.{language}.md"
        _link(release.folder / name, page / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _flush_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        flushing.flush(path)
    flushing.flush(folder)


def _point(link: Path, folder: Path) -> None:
    """Make the link point at a build, in one step."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    os.symlink(os.path.relpath(folder, link.parent), fresh)
    os.replace(fresh, link)
    flushing.flush(link.parent)


def _builds(sites: Path) -> list[int]:
    return sorted(int(path.name) for path in sites.iterdir() if path.name.isdigit())


def forget_builds(settings: Settings, keep: int = _KEPT_BUILDS) -> None:
    """Remove the builds before the newest ones, with the files that they link to."""
    sites = settings.home / "sites"
    for number in _builds(sites)[:-keep]:
        shutil.rmtree(sites / f"{number:04d}", ignore_errors=True)

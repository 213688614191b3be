"""A reader that polls the site while it is rebuilt sees whole versions only."""

import hashlib
import json
import threading
from pathlib import Path

import pytest

from publishing.making.release import release
from publishing.portal.site import build_site
from tests.unit.publishing.lake import PRODUCT, air_rows


def read_whole(folder: Path) -> int:
    """Read everything of one build; returns the release it shows, or fails if any part differs."""
    number = json.loads((folder / "build.json").read_text())["releases"][PRODUCT]
    files = folder / "files" / PRODUCT
    manifest = json.loads((files / "manifest.json").read_text())
    assert manifest["number"] == number
    assert f"1.0.0+{number}<" in (folder / "dataset" / PRODUCT / "index.html").read_text()
    assert f">1.0.0+{number}<" in (folder / "catalog.rdf").read_text()
    for file in manifest["files"]:
        content = (files / file["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return number


@pytest.mark.slow
def test_readers_see_only_whole_versions(settings, contracts, gold, write_gold, audit):
    release(settings, contracts, PRODUCT)
    build_site(settings, contracts)
    seen: set[int] = set()
    faults: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            try:
                seen.add(read_whole(settings.site.resolve(strict=True)))
            except (AssertionError, OSError, ValueError, KeyError) as error:
                faults.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for rows in range(50, 66, 2):
        audit(write_gold(air_rows(rows)), rows)
        release(settings, contracts, PRODUCT)
        build_site(settings, contracts)
    is_over.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert len(seen) >= 5

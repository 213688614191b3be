"""Files that lie elsewhere: fetched into scratch, and then offered like those of the folder.

Only what has stopped growing is taken: a file must have the same size and time twice, and still
after it was fetched. What was taken before is not fetched again as long as its size and time say
that it is the same; that is a hint in a file of its own, and losing it costs a transfer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from ingestion.deliveries import Offer
from ingestion.fetching import Fetch
from ingestion.landing import digest

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as a listing names it.

    Attributes:
        name: Its path below the folder that is listed.
        version: What changes when it does: size and time, or size and ETag.
        modified: When it was changed, UTC.
        is_link: Whether it is a symbolic link, which is never followed.
    """

    name: str
    version: str
    modified: datetime
    is_link: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is a file, below the folder, under a name that is one."""
        path = PurePosixPath(self.name)
        leads_out = path.is_absolute() or ".." in path.parts or "\\" in self.name
        return not (self.is_link or leads_out or not self.name.isprintable())


@dataclass(frozen=True, slots=True)
class Place:
    """Where files lie.

    Attributes:
        files: Lists them.
        fetch: Copies one of them to a local path; gives its version afterwards.
        settle_s: Seconds between the two listings that must agree.
    """

    files: Callable[[], Iterable[RemoteFile]]
    fetch: Callable[[RemoteFile, Path], str]
    settle_s: float


def offers(fetch: Fetch, place: Place) -> Iterator[Offer]:
    """The files that are whole and not known, oldest name first.

    A link, and a name that leads out of the folder, is offered as what cannot be opened: it is
    refused and named in quarantine, like a link in the inbox.
    """
    hints = _hints(fetch)
    fresh = [file for file in place.files() if not _is_known(fetch, hints, file)]
    if not fresh:
        return
    time.sleep(place.settle_s)
    settled = {file.name: file.version for file in place.files()}
    for number, file in enumerate(sorted(fresh, key=lambda one: one.name)):
        path = fetch.scratch / f"remote-{number:06d}"
        if not file.is_plain:
            path.symlink_to("nowhere")
        elif settled.get(file.name) != file.version or place.fetch(file, path) != file.version:
            _log.info(
                "%s: %s is still being written; the next run looks again",
                fetch.contract.id, file.name,
            )  # fmt: skip
            continue
        else:
            hints[file.name] = [file.version, digest(path)]
        yield Offer(file.name, path, file.modified)
    _keep(fetch, hints, set(settled))


def _is_known(fetch: Fetch, hints: dict[str, list[str]], file: RemoteFile) -> bool:
    version, sha256 = hints.get(file.name, ("", ""))
    return version == file.version and fetch.is_taken(sha256)


def _place_of_hints(fetch: Fetch) -> Path:
    return fetch.settings.home / "hints" / f"{fetch.contract.id}.json"


def _hints(fetch: Fetch) -> dict[str, list[str]]:
    """For each name the version and digest it was last fetched with; empty if they are lost."""
    path = _place_of_hints(fetch)
    if not path.exists():
        return {}
    try:
        found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        _log.warning("%s cannot be read: every file is fetched again", path)
        return {}
    return found


def _keep(fetch: Fetch, hints: dict[str, list[str]], there: set[str]) -> None:
    path = _place_of_hints(fetch)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    kept = {name: hint for name, hint in hints.items() if name in there}
    fresh.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    fresh.replace(path)

"""Samples: files as a newcomer has them, archives unpacked, and the path pattern they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Final

from ingestion.archives import unpack
from ingestion.deliveries import Landed, Member, Offer
from ingestion.landing import digest
from lakehouse.errors import DeliveryRefused, Problem

MOST_FILES: Final = 12
"""Files of a sample that are read; more of the same kind say nothing new."""
HEAD_BYTES: Final = 8 << 20
"""Bytes of a text file that are read."""
_PACKED: Final = (".gz", ".tgz", ".zip", ".tar")
_NO_DATA: Final = (".md", ".txt~", ".license", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Sample:
    """Files to learn from.

    Attributes:
        files: All of them, in the order of their names.
        members: The plain files of those that are read, as links or copies in a scratch folder,
            so that what is written beside them is never written beside a sample.
        left_out: Files of another kind that lay beside them.
    """

    files: tuple[Path, ...]
    members: tuple[Member, ...]
    left_out: int = 0

    def head(self, member: Member) -> bytes:
        """The beginning of a file, to a line end when it was cut."""
        with member.path.open("rb") as file:
            content = file.read(HEAD_BYTES + 1)
        if len(content) <= HEAD_BYTES:
            return content
        return content[: content.rfind(b"\n") + 1] or content


def gather(text: str, scratch: Path) -> Sample:
    """The sample that a path, a folder or a glob names.

    Args:
        text: As typed.
        scratch: Empty folder for what is unpacked.

    Raises:
        DeliveryRefused: There is nothing, or an archive is damaged.
    """
    found = paths_of(text)
    kinds = Counter(_kind(path) for path in found)
    files = tuple(path for path in found if _kind(path) == kinds.most_common(1)[0][0])
    if {path.name for path in found} >= {"stops.txt", "stop_times.txt"}:
        files = tuple(found)  # the tables of a timetable belong together
    chosen = [files[number] for number in sorted(_spread(len(files)))]
    members: list[Member] = []
    for number, path in enumerate(chosen):
        received = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        landed = Landed(
            Offer(path.name, path, received), digest(path.resolve()), path, path.stat().st_size
        )
        for name, plain in unpack(landed, scratch / str(number)):
            members.append(Member(len(members), landed, name, _apart(plain, scratch, number)))
    return Sample(files, tuple(members[:MOST_FILES]), len(found) - len(files))


def _apart(path: Path, scratch: Path, number: int) -> Path:
    """The same file in the scratch folder, under a name that no reader takes for a pattern."""
    if path.is_relative_to(scratch):
        return path
    link = scratch / f"plain-{number}"
    link.symlink_to(path.resolve())
    return link


def paths_of(text: str) -> list[Path]:
    """The files that a path, a folder or a glob names, in order.

    Raises:
        DeliveryRefused: There is none.
    """
    place = Path(text)
    if place.is_file():
        return [place]
    if place.is_dir():
        inside: Iterable[Path] = place.rglob("*")
    elif place.is_absolute():
        inside = Path(place.anchor).glob(str(place.relative_to(place.anchor)))
    else:
        inside = Path().glob(text) if text else []
    found = sorted(
        path for path in inside
        if path.is_file() and not path.name.startswith(".") and path.suffix not in _NO_DATA
    )  # fmt: skip
    if not found:
        raise DeliveryRefused(
            Problem(text, "there is no such file", "Name a file, a folder, or a glob in quotes.")
        )
    return found


def _kind(path: Path) -> str:
    suffix = "".join(path.suffixes[-2:]) if path.suffix in _PACKED else path.suffix
    return suffix.removesuffix(".gz").lower() or path.suffix.lower()


def _spread(count: int) -> Iterable[int]:
    """Numbers of the files that are read: the first, the last and some between."""
    if count <= MOST_FILES:
        return range(count)
    return {round(step * (count - 1) / (MOST_FILES - 1)) for step in range(MOST_FILES)}


def location(files: Sequence[Path], inbox: Path, source_id: str) -> tuple[str, str]:
    """The path pattern for the contract, and what it was made from.

    Files that lie in the inbox keep their place; others get a folder of the source's own.
    """
    pattern = _pattern([path.name for path in files])
    folders = {path.resolve().parent for path in files}
    top = next(iter(folders)) if len(folders) == 1 else None
    if top and top.is_relative_to(inbox) and top != inbox:
        return f"{top.relative_to(inbox).as_posix()}/{pattern}", "where the sample lies"
    return f"{source_id}/{pattern}", ""


def _pattern(names: Sequence[str]) -> str:
    """A glob for file names: what differs among several, and the digits of one, become `*`."""
    suffix = "".join(Path(names[0]).suffixes[-2:]) if names[0].endswith(_PACKED) else (
        Path(names[0]).suffix
    )  # fmt: skip
    if any(not name.endswith(suffix) for name in names):
        suffix = Path(names[0].removesuffix(".gz")).suffix + "*"
    if len(names) == 1:
        stem = names[0].removesuffix(suffix)
        return (re.sub(r"\d[\d_.-]*\d|\d", "*", stem) or "*") + suffix
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*names, strict=False))
    start = "".join(signs[0] for signs in alike).rstrip("0123456789")
    return f"{start}*{suffix}"


def file_pattern(names: Sequence[str]) -> str | None:
    """A pattern whose group is the part of the file names that tells devices apart.

    Names are cut into runs of digits and of other characters. Where they agree in their shape,
    the group is the one run that differs and is no date.

    Returns:
        Regular expression with one group; None when the names have no such part.
    """
    cut = [re.findall(r"\d+|[A-Za-zÅÄÖåäö]+|[^\dA-Za-zÅÄÖåäö]+", name) for name in names]
    if len({len(runs) for runs in cut}) != 1 or len(names) < 2:
        return None
    columns = list(zip(*cut, strict=True))
    dates = _date_runs(columns)
    differing = [
        place for place, runs in enumerate(columns) if len(set(runs)) > 1 and place not in dates
    ]
    if len(differing) != 1:
        return None
    place = differing[0]
    before = "".join(re.escape(runs[0]) if len(set(runs)) == 1 else r"\d+"
                     for runs in columns[max(0, place - 2) : place])  # fmt: skip
    group = r"(\d+)" if all(run.isdigit() for run in columns[place]) else r"([^\W_]+)"
    return before + group


def _date_runs(columns: Sequence[Sequence[str]]) -> set[int]:
    """Places of runs that are a date: 20261120, or 2026, 11 and 20 with something between."""
    found: set[int] = set()
    for place, runs in enumerate(columns):
        if all(re.fullmatch(r"(19|20)\d{2}[01]\d([0-3]\d\d*)?", run) for run in runs):
            found.add(place)
        if all(re.fullmatch(r"(19|20)\d{2}", run) for run in runs):
            found.add(place)
            followers = [
                other for other in range(place + 2, min(place + 5, len(columns)), 2)
                if all(re.fullmatch(r"[0-3]\d", run) for run in columns[other])
            ]  # fmt: skip
            found |= set(followers)
    return found

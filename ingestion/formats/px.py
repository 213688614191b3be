"""PC-Axis files (.px) of statistical agencies, in their main language.

The character set is the file's own (CODEPAGE, else CHARSET; without any it is DOS text). A
keyword that says nothing about the figures may be damaged: it is named in quarantine, the
figures are read. One that does (VALUES, CODES, TIMEVAL, UNITS and the like) refuses the file.
In a file with KEYS only the rows that stand in it are figures.

Source: Statistics Sweden, "PX-file format" (2013), www.scb.se/px.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.reading import statistics
from ingestion.reading.offered import Reading
from ingestion.reading.statistics import Cube, Dimension, Figure, refused
from lakehouse.contracts import SourceContract

Keywords = Mapping[tuple[str, tuple[str, ...]], list[str]]
"""Values of the keywords, by name and sub-keys."""

_KEY: Final = r'[A-Z][A-Z0-9_-]*(?:\[[^\]\n]*\])?(?:\((?:[^"\n)]|"[^"\n]*")*\))?\s*='
_STATEMENT: Final = re.compile(
    r"""\s*(?P<name>[A-Z][A-Z0-9_-]*)(?:\[(?P<language>[^\]\n]*)\])?
    (?:\((?P<keys>(?:[^"\n)]|"[^"\n]*")*)\))?\s*=(?P<value>(?:"(?:(?!\r?\n[A-Z][A-Z0-9-]*[(\[=])[^"])*"|[^";])*);""",
    re.VERBOSE,
)
_NEXT: Final = re.compile(rf"^{_KEY}", re.MULTILINE)
_DATA: Final = re.compile(r"(?:^|;)\s*DATA\s*=", re.MULTILINE)
_ITEM: Final = re.compile(r'"([^"]*)"|(,)|([^",\s(]+(?:\([^)]*\))?)')
_CELL: Final = re.compile(r'"[^"]*"|[^\s,;"]+')
_MARK: Final = re.compile(r"\.{1,6}|-")
_CHARSET: Final = re.compile(rb'^(CODEPAGE|CHARSET)\s*=\s*"([^"]*)"', re.MULTILINE)
_RANGE: Final = re.compile(r'TLIST\((?P<scale>[A-Z])1?(?:,\s*"(\d+)"\s*-\s*"(\d+)")?\)')
_NEEDED: Final = {"STUB", "HEADING", "VALUES", "CODES", "TIMEVAL", "CONTVARIABLE", "UNITS", "KEYS"}
_OF_VARIABLE: Final = {
    "DOMAIN", "DOUBLECOLUMN", "ELIMINATION", "MAP", "PRESTEXT", "NOTE", "NOTEX",
    "VALUENOTE", "VALUENOTEX", "PRECISION", "PARTITIONED", "HIERARCHIES", "VARIABLE-TYPE",
}  # fmt: skip
_OF_CONTENTS: Final = {
    "LAST-UPDATED", "CONTACT", "STOCKFA", "CFPRICES", "DAYADJ", "SEASADJ", "REFPERIOD",
    "BASEPERIOD",
}  # fmt: skip
_OF_CELL: Final = {"CELLNOTE", "CELLNOTEX", "DATANOTECELL"}


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read PC-Axis files.

    Raises:
        ContractError: The contract has no rule for the time.
        DeliveryRefused: A file is none, is cut, or contradicts itself about its figures.
    """
    return statistics.reading(connection, members, contract, map(_cube, members))


def _cube(member: Member) -> Cube:
    text = _decoded(member)
    found = _DATA.search(text)
    if not found:
        raise refused(member, "this is no PC-Axis file: there is no keyword DATA")
    keywords, faults = _keywords(member, text[: found.start() + 1])
    stub, heading = keywords.get(("STUB", ()), []), keywords.get(("HEADING", ()), [])
    dimensions = [_dimension(member, keywords, name) for name in (*stub, *heading)]
    if not dimensions:
        raise refused(member, "the file has neither STUB nor HEADING")
    names = [dimension.name for dimension in dimensions]
    contents = next(iter(keywords.get(("CONTVARIABLE", ()), ())), None)
    if contents is not None and contents not in names:
        raise refused(member, f"CONTVARIABLE is '{contents}', which is no variable of the table")
    title = (keywords.get(("CONTENTS", ())) or ["value"])[0]
    counted = next((d for d in dimensions if d.name == contents), None)
    return Cube(
        member,
        dimensions,
        next((name for name in names if ("TIMEVAL", (name,)) in keywords), None),
        contents,
        title,
        _units(keywords, counted, title),
        _figures(member, text[found.end() :], keywords, dimensions, len(stub)),
        _updated(keywords),
        [*faults, *_contradictions(keywords, dimensions, counted)],
    )


def _decoded(member: Member) -> str:
    content = member.path.read_bytes()
    if content.startswith(codecs.BOM_UTF8):
        return content.decode("utf-8-sig", errors="replace")
    told: dict[bytes, bytes] = dict(_CHARSET.findall(content[:10_000]))
    name = told.get(b"CODEPAGE", b"cp1252" if b"CHARSET" in told else b"cp850").decode("latin-1")
    if re.sub("[^a-z0-9]", "", name.lower()) in ("iso88591", "ansi", "windows1252"):
        name = "cp1252"  # what says Latin-1 is the larger set of Windows in practice
    try:
        return content.decode(name, errors="replace")
    except LookupError as error:
        raise refused(member, f"the character set '{name}' is unknown") from error


def _keywords(member: Member, text: str) -> tuple[Keywords, list[tuple[str, str]]]:
    """The keywords of the main language, and the statements that are damaged."""
    keywords: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    faults: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = _STATEMENT.match(text, at)
        if found:
            at = found.end()
            if found["language"] is None:
                keys = tuple(_items(found["keys"] or ""))
                keywords[found["name"], keys] = _items(found["value"])
            continue
        start = at + len(text[at:]) - len(text[at:].lstrip())
        following = _NEXT.search(text, start + 1)
        damaged = text[start : following.start() if following else len(text)].strip()
        name = re.match(r"[A-Z0-9_-]*", damaged)
        if not name or not name[0] or name[0] in _NEEDED:
            raise refused(member, f"this part of the file cannot be read: {damaged[:200]}")
        faults.append((damaged, f"the keyword {name[0]} cannot be read; its quotes do not pair"))
        at = following.start() if following else len(text)
    return keywords, faults


def _items(text: str) -> list[str]:
    """The values of a keyword; texts that no comma parts are pieces of one."""
    found: list[str] = []
    is_next = True
    for quoted, comma, bare in _ITEM.findall(text):
        if comma:
            is_next = True
        elif is_next or bare:
            found.append(quoted or bare)
            is_next = False
        else:
            found[-1] += quoted
    if found and is_next:
        found.append("")
    return found


def _dimension(member: Member, keywords: Keywords, name: str) -> Dimension:
    labels = keywords.get(("VALUES", (name,)))
    if not labels:
        raise refused(member, f"the variable '{name}' has no VALUES")
    times = keywords.get(("TIMEVAL", (name,)))
    codes = list(_times(times)) if times else keywords.get(("CODES", (name,)), labels)
    if len(codes) != len(labels):
        other = "TIMEVAL" if times else "CODES"
        raise refused(member, f"'{name}' has {len(labels)} VALUES but {len(codes)} in {other}")
    codes = [code or label for code, label in zip(codes, labels, strict=True)]
    if len(set(codes)) < len(codes):
        raise refused(member, f"a code of '{name}' stands twice")
    return Dimension(name, codes, labels)


def _times(items: Sequence[str]) -> Iterator[str]:
    """Periods of a TIMEVAL, written so that their kind can be seen: 200412 of months is 2004M12."""
    found = _RANGE.fullmatch(items[0])
    if not found:
        yield from items
        return
    scale = found["scale"]
    if found[2]:
        steps = {"H": 2, "Q": 4, "M": 12, "W": 53}.get(scale, 1)
        yield from (_time(text, scale) for text in _between(found[2], found[3], steps))
    yield from (_time(text, scale) for text in items[1:])


def _between(first: str, last: str, steps: int) -> Iterator[str]:
    """Every period from one to another, as the numbers that TIMEVAL writes."""
    width = len(first) - 4
    if width == 0:
        yield from (str(year) for year in range(int(first), int(last) + 1))
        return
    for year in range(int(first[:4]), int(last[:4]) + 1):
        for part in range(1, steps + 1):
            text = f"{year}{part:0{width}}"
            if first <= text <= last:
                yield text


def _time(text: str, scale: str) -> str:
    if scale == "D" and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return f"{text[:4]}{scale}{text[4:]}" if text.isdecimal() and len(text) > 4 else text


def _units(keywords: Keywords, counted: Dimension | None, title: str) -> dict[str, str]:
    table = (keywords.get(("UNITS", ())) or [""])[0]
    if counted is None:
        return {title: table}
    return {
        code: (keywords.get(("UNITS", (label,))) or keywords.get(("UNITS", (code,))) or [table])[0]
        for code, label in zip(counted.codes, counted.labels, strict=True)
    }


def _updated(keywords: Keywords) -> str | None:
    told = [
        values[0] for (name, _), values in keywords.items() if name == "LAST-UPDATED" and values
    ]
    return max(told, default=None)


def _figures(
    member: Member, text: str, keywords: Keywords, dimensions: Sequence[Dimension], stubs: int
) -> list[Figure]:
    if text[-1:] != ";" and not text[-1:].isspace():
        raise refused(member, "the file is cut: its last figure may be only a part of one")
    found = _CELL.findall(text)
    sizes = [len(dimension.codes) for dimension in dimensions]
    if not any(name == "KEYS" for name, _ in keywords):
        if len(found) != prod(sizes):
            raise refused(member, f"the table has {prod(sizes)} cells, the file {len(found)}")
        return [_figure(number, cell) for number, cell in enumerate(found)]
    rows, left = divmod(len(found), stubs + prod(sizes[stubs:]))
    if left:
        raise refused(member, f"the last of {rows + 1} rows with keys is not whole")
    places = [_places(keywords, dimension) for dimension in dimensions[:stubs]]
    width = prod(sizes[stubs:])
    figures: list[Figure] = []
    for row in range(rows):
        start = row * (stubs + width)
        position = 0
        for place, size, key in zip(places, sizes, found[start:], strict=False):
            if key.strip('"') not in place:
                raise refused(member, f"row {row + 1} has the key {key}, which is no value")
            position = position * size + place[key.strip('"')]
        cells = found[start + stubs : start + stubs + width]
        figures += [_figure(position * width + n, cell) for n, cell in enumerate(cells)]
    return figures


def _places(keywords: Keywords, dimension: Dimension) -> dict[str, int]:
    kind = (keywords.get(("KEYS", (dimension.name,))) or ["VALUES"])[0]
    codes = keywords.get(("CODES", (dimension.name,)), dimension.labels)
    names = codes if kind == "CODES" else dimension.labels
    return {name: number for number, name in enumerate(names)}


def _figure(position: int, cell: str) -> Figure:
    plain = cell.strip('"')
    if _MARK.fullmatch(plain):
        return Figure(position, None, plain)
    return Figure(position, plain or None)


def _contradictions(
    keywords: Keywords, dimensions: Sequence[Dimension], counted: Dimension | None
) -> Iterator[tuple[str, str]]:
    """Keywords that speak of what the table does not have."""
    names = {dimension.name: {*dimension.labels, *dimension.codes} for dimension in dimensions}
    contents = {*counted.labels, *counted.codes} if counted else set()
    for (keyword, keys), values in keywords.items():
        text = f"{keyword}({', '.join(keys)})={', '.join(values)}"
        if keyword in _OF_VARIABLE and keys:
            if keys[0] not in names:
                yield text, f"{keyword} speaks of '{keys[0]}', which is no variable of the table"
            elif len(keys) > 1 and keys[1] not in names[keys[0]]:
                yield text, f"{keyword} speaks of '{keys[1]}', which is no value of '{keys[0]}'"
        elif keyword in _OF_CONTENTS and keys and contents and keys[0] not in contents:
            yield text, f"{keyword} speaks of '{keys[0]}', which is none of the contents"
        elif keyword in _OF_CELL and keys and len(keys) != len(dimensions):
            yield text, f"{keyword} has {len(keys)} keys, the table {len(dimensions)} variables"

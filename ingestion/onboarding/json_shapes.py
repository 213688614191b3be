"""Where in JSON documents the records are: lists of objects, objects of objects, parallel lists.

Paths are written as `ingestion.reading.paths` reads them. Of several lists the one is taken whose
records carry numbers and times, then the longest.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingestion.formats.json_paths import Number
from ingestion.onboarding.tables import MOST_ROWS, Table, of_rows
from ingestion.onboarding.times import looks_like_time
from ingestion.reading.paths import Json

_PLAIN: Final = re.compile(r"[^.\[\]*\"'@^$\s]+")
_DEEPEST: Final = 6
_ITEMS: Final = 2000
"""Items of a list that are looked into for lists of their own."""
_ALIKE: Final = 3
_LONGEST_TUPLE: Final = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the records are.

    Attributes:
        records: Path to them.
        table: Their cells, by the path from the record.
        others: Other lists that might be the records, with their number of items.
    """

    records: str
    table: Table
    others: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Found:
    file: int
    record: Json
    outers: tuple[Json, ...]
    key: str | None = None


def find(documents: Sequence[tuple[int, Json]]) -> Shape:
    """The records of documents of one kind.

    Args:
        documents: Pairs of member and decoded document, numbers as texts.
    """
    found: dict[str, list[_Found]] = defaultdict(list)
    for file, document in documents:
        if isinstance(document, dict):
            found["$"].append(_Found(file, document, ()))
        for path, one in _lists(document, "$", (document,), file):
            if len(found[path]) < MOST_ROWS:
                found[path].append(one)
    tables = {path: of_rows(_rows(matches)) for path, matches in found.items()}
    tables |= dict(_parallel(documents))
    ranked = sorted(tables, key=lambda path: _merit(tables[path]), reverse=True)
    best = ranked[0] if ranked else "$"
    others = tuple((path, tables[path].count) for path in ranked[1:4] if path != "$")
    return Shape(best, tables.get(best, Table({}, [])), others)


def _lists(
    node: Json, path: str, outers: tuple[Json, ...], file: int, depth: int = 0
) -> Iterator[tuple[str, _Found]]:
    if depth > _DEEPEST:
        return
    if isinstance(node, list):
        for item in node[:MOST_ROWS]:
            if isinstance(item, dict):
                yield f"{path}[*]", _Found(file, item, outers)
        for item in node[:_ITEMS]:
            yield from _lists(item, f"{path}[*]", (*outers, item), file, depth + 1)
    elif isinstance(node, dict):
        if _are_alike(node):
            for key, item in node.items():
                yield f"{path}.*", _Found(file, item, outers, key)
            return
        are_lists = len(node) >= _ALIKE and _are_objects(node)
        for key, item in node.items():
            inner = f"{path}.*" if are_lists else f"{path}{step(key)}"
            around = (*outers, item) if are_lists else outers
            yield from _lists(item, inner, around, file, depth + 1)


def _are_objects(node: Mapping[str, Json]) -> bool:
    return all(isinstance(i, list) and i and isinstance(i[0], dict) for i in node.values())


def _are_alike(node: Mapping[str, Json]) -> bool:
    """Whether an object is a list in disguise: several objects with the same keys."""
    items = list(node.values())
    if len(items) < _ALIKE or not all(isinstance(item, dict) and item for item in items):
        return False
    keys = [frozenset(item) for item in items if isinstance(item, dict)]
    return sum(one == keys[0] for one in keys) >= 0.8 * len(keys)


def _rows(matches: Sequence[_Found]) -> Iterator[tuple[int, dict[str, str | None]]]:
    for found in matches:
        row = dict(leaves(found.record))
        if found.key is not None:
            row["@key"] = found.key
        for number, outer in enumerate(reversed(found.outers), start=1):
            is_document = number == len(found.outers)
            start = "$" if is_document else "^" * number
            row |= {f"{start}.{name}": text for name, text in leaves(outer, lists=False)}
        yield found.file, row


def leaves(node: Json, path: str = "", *, lists: bool = True) -> Iterator[tuple[str, str | None]]:
    """The plain values in an object with their paths; long lists are left alone."""
    if isinstance(node, dict):
        for key, item in node.items():
            own = step(key)
            yield from leaves(item, f"{path}{own}" if path else own.removeprefix("."), lists=lists)
    elif isinstance(node, list):
        if lists and path and len(node) <= _LONGEST_TUPLE:
            for place, item in enumerate(node):
                if not isinstance(item, dict | list):
                    yield f"{path}[{place}]", text_of(item)
    elif path:
        yield path, text_of(node)


def step(key: str) -> str:
    """A key as a step of a path."""
    return f".{key}" if _PLAIN.fullmatch(key) else f'["{key}"]'


def text_of(node: Json) -> str | None:
    """A plain value as its cell."""
    if isinstance(node, bool):
        return "true" if node else "false"
    return None if node is None else str(node)


def _parallel(documents: Sequence[tuple[int, Json]]) -> Iterator[tuple[str, Table]]:
    """Objects of lists of the same length: one list is walked, the others are its neighbours."""
    rows: dict[str, list[tuple[int, dict[str, str | None]]]] = defaultdict(list)
    for file, document in documents:
        for path, lists in _lists_beside(document, "$"):
            clock = next((k for k, v in lists.items() if looks_like_time(str(v[0]))), None)
            if clock is None:
                continue
            for place, item in enumerate(lists[clock]):
                row = {f"{path}{step(k)}[@key]": text_of(v[place]) for k, v in lists.items()}
                row["@"] = row.pop(f"{path}{step(clock)}[@key]", text_of(item))
                rows[f"{path}{step(clock)}[*]"].append((file, row))
    for where, found in rows.items():
        yield where, of_rows(iter(found))


def _lists_beside(node: Json, path: str) -> Iterator[tuple[str, dict[str, list[Json]]]]:
    if not isinstance(node, dict):
        return
    lists = {
        key: item for key, item in node.items()
        if isinstance(item, list) and len(item) > 1 and not isinstance(item[0], dict | list)
    }  # fmt: skip
    if len(lists) > 1 and len({len(item) for item in lists.values()}) == 1:
        yield path, lists
    for key, item in node.items():
        yield from _lists_beside(item, f"{path}{step(key)}")


def _merit(table: Table) -> tuple[bool, bool, int, int]:
    """Records with numbers and times of their own, then many of them."""
    some = {name: table.filled(name)[:5] for name in table.cells}
    own = {
        name: cells for name, cells in some.items()
        if name.endswith("[@key]") or not name.startswith(("$.", "^"))
    }  # fmt: skip
    has_number = any(cells and all(map(_is_number, cells)) for cells in own.values())
    has_time = any(cells and looks_like_time(cells[0]) for cells in some.values())
    return has_number, has_time, table.count, len(own)


def _is_number(cell: str) -> bool:
    return isinstance(cell, Number) or cell.replace(".", "", 1).lstrip("-").isdigit()

"""Statistics in JSON: JSON-stat 2.0 datasets, and the older `json` answer of PxWeb (v1).

JSON-stat: `value` and `status` are lists over the whole cube, or objects of those figures that
there are; the order of categories is that of `index`. PxWeb v1 lists figures with their codes
and says nothing of labels and units.

Source: json-stat.org/full, "JSON-stat 2.0"; Statistics Sweden, "API documentation for PxWeb" (v1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import json_paths
from ingestion.reading import statistics
from ingestion.reading.offered import Reading
from ingestion.reading.statistics import Cube, Dimension, Figure, refused
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused


def read(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read JSON-stat 2.0 datasets.

    Raises:
        ContractError: The contract has no rule for the time.
        DeliveryRefused: A file is no such dataset or contradicts itself.
    """
    return statistics.reading(connection, members, contract, map(_dataset, members))


def read_pxweb(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], contract: SourceContract
) -> Reading:
    """Read answers of PxWeb v1 in its format `json`.

    Raises:
        ContractError: The contract has no rule for the time.
        DeliveryRefused: A file is no such answer.
    """
    return statistics.reading(connection, members, contract, map(_answer, members))


def _document(member: Member) -> dict[str, Any]:
    try:
        document = json_paths.decoded(member.path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refused(member, "bytes that are not utf-8") from error
    except ValueError as error:
        raise refused(member, f"this is not a whole JSON document: {error}") from error
    except RecursionError as error:
        raise refused(member, "the document is nested deeper than any table is") from error
    if not isinstance(document, dict):
        raise refused(member, "the document is no object")
    return dict(document)


def _dataset(member: Member) -> Cube:
    document = _document(member)
    told = document.get("class"), document.get("version")
    if told != ("dataset", "2.0"):
        raise refused(
            member, f"this is no JSON-stat 2.0 dataset: class {told[0]}, version {told[1]}"
        )
    try:
        dimensions = [_dimension(document["dimension"][name], name) for name in document["id"]]
        sizes = [int(size) for size in document["size"]]
        if sizes != [len(dimension.codes) for dimension in dimensions]:
            raise refused(member, f"size says {sizes}, the categories are otherwise")
        figures = _figures(member, document["value"], document.get("status"), prod(sizes))
        role = document.get("role") or {}
        time, metric = (role.get("time") or [None])[0], (role.get("metric") or [None])[0]
        title = document.get("label") or "value"
        units = _units(document["dimension"][metric]) if metric else {}
    except DeliveryRefused:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"the dataset lacks or misplaces a part: {type(error).__name__} {error}"
        raise refused(member, what) from error
    return Cube(member, dimensions, time, metric, title, units, figures, document.get("updated"))


def _dimension(described: Mapping[str, Any], name: str) -> Dimension:
    category = described["category"]
    labels = category.get("label") or {}
    index = category.get("index") or labels
    codes = list(index)
    if isinstance(index, dict) and index is not labels:
        codes.sort(key=lambda code: int(index[code]))
        if [int(index[code]) for code in codes] != list(range(len(codes))):
            raise ValueError(f"the positions of '{name}' are not 0, 1, 2 and so on")
    return Dimension(name, codes, [str(labels.get(code, code)) for code in codes])


def _units(described: Mapping[str, Any]) -> dict[str, str]:
    units = described["category"].get("unit") or {}
    return {
        code: str(unit.get("base") or unit.get("label") or unit.get("symbol") or "")
        for code, unit in units.items()
        if isinstance(unit, dict)
    }


def _figures(member: Member, value: object, status: object, size: int) -> list[Figure]:
    values = _by_position(member, "value", value, size)
    marks = (
        dict.fromkeys(values, status)
        if isinstance(status, str)
        else (_by_position(member, "status", status, size) if status is not None else {})
    )
    return [
        _figure(position, values.get(position), marks.get(position))
        for position in sorted(values.keys() | marks.keys())
    ]


def _by_position(member: Member, what: str, told: object, size: int) -> dict[int, Any]:
    if isinstance(told, list):
        if len(told) != size and not (what == "status" and len(told) == 1):
            raise refused(member, f"{what} has {len(told)} items, the table {size} cells")
        return dict(enumerate(told * size if len(told) < size else told))
    if isinstance(told, dict):
        found = {int(position): item for position, item in told.items()}
        if any(not 0 <= position < size for position in found):
            raise refused(member, f"{what} names a position outside of the {size} cells")
        return found
    raise refused(member, f"{what} is neither a list nor an object")


def _figure(position: int, value: object, mark: object) -> Figure:
    """A figure; a text where a number should be, as `..`, is its mark."""
    if isinstance(value, json_paths.Number) or value is None:
        return Figure(position, value, str(mark) if mark else None)
    text = str(value)
    if text == statistics.NIL or not text.strip("."):
        return Figure(position, None, str(mark or text) or None)
    return Figure(position, text, str(mark) if mark else None)


def _answer(member: Member) -> Cube:
    document = _document(member)
    try:
        columns = [(column["code"], column.get("type") or "d") for column in document["columns"]]
        named = [(code, kind) for code, kind in columns if kind != "c"]
        contents = [code for code, kind in columns if kind == "c"]
        rows = [(row["key"], row["values"]) for row in document["data"]]
        if any(len(key) != len(named) or len(told) != len(contents) for key, told in rows):
            raise refused(member, "a row has another number of keys or values than columns")
        codes = [list(dict.fromkeys(key[n] for key, _ in rows)) for n in range(len(named))]
        updated = (document.get("metadata") or [{}])[0].get("updated")
    except DeliveryRefused:
        raise
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        what = f"this is no answer of PxWeb v1: {type(error).__name__} {error}"
        raise refused(member, what) from error
    dimensions = [
        Dimension(name, found, found) for (name, _), found in zip(named, codes, strict=True)
    ]
    dimensions.append(Dimension("contents", contents, contents))
    places = [{code: n for n, code in enumerate(found)} for found in codes]
    figures = []
    for key, told in rows:
        position = 0
        for place, code in zip(places, key, strict=True):
            position = position * len(place) + place[code]
        figures += [
            _figure(position * len(contents) + n, _number(text), None)
            for n, text in enumerate(told)
        ]
    time = next((code for code, kind in named if kind == "t"), None)
    return Cube(member, dimensions, time, "contents", "value", {}, figures, updated)


def _number(text: object) -> object:
    """A value of PxWeb v1, which writes numbers in quotes."""
    return json_paths.Number(text) if isinstance(text, str) and text.strip(".-") else text

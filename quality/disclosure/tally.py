"""What the texts of a column hold together, counted; what chance alone would give is set apart.

Of ordinary numbers of ten digits, seven in a hundred begin with a date and a tenth of those have
the check digit of a personnummer: a long series always holds some. A column of persons has the
check digit right throughout. In between, as many as are far more than chance gives are told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from math import exp, lgamma, log
from typing import Final

from quality.disclosure.kinds import KINDS, Hit, Kind
from quality.disclosure.names import is_a_meter, is_a_version
from quality.disclosure.texts import Find, Way, finds

_FEW: Final = 20
"""Of fewer numbers one cannot say what chance gives; then one is enough."""
_UNLIKELY: Final = 1e-3
_BY_CHANCE: Final = {"phone": 0.005, "imei": 0.013}
"""Share of ordinary numbers that pass: five beginnings of a thousand; thirteen of a hundred, and
a tenth of those."""
_SERIES: Final = {"personnummer": "person", "samordningsnummer": "person"}


class Tally:
    """Counts over the different values of one column; no value is kept.

    Args:
        column: The column.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._values: Counter[tuple[Kind, Way]] = Counter()
        self._rows: Counter[tuple[Kind, Way]] = Counter()
        self._tried: Counter[tuple[str, Way]] = Counter()
        self._checked: Counter[tuple[str, Way]] = Counter()
        self._dated: Counter[tuple[str, Way]] = Counter()
        self._right: Counter[tuple[str, Way]] = Counter()
        self._marks: defaultdict[Way, set[str]] = defaultdict(set)

    def add(self, text: str, rows: int) -> None:
        """Count one value that stands in so many rows."""
        self.count(finds(text), rows)

    def count(self, found: Iterable[Find], rows: int) -> None:
        """Count what one value holds; of each kind and way once."""
        right = set()
        for find in found:
            series = (_SERIES.get(find.kind, find.kind), find.way)
            self._tried[series] += 1
            self._checked[series] += find.is_checked
            self._dated[series] += find.is_dated
            self._right[series] += find.is_right
            if find.is_right:
                right.add((find.kind, find.way))
                if find.mark:
                    self._marks[find.way].add(find.mark)
        kinds = {kind for kind, way in right}
        for kind in kinds:
            ways = {way for one, way in right if one == kind}
            way = next(way for way in _SUREST if way in ways)
            self._values[kind, way] += 1
            self._rows[kind, way] += rows

    def hits(self, distinct: int, rows: int, has_meter: bool) -> tuple[list[Hit], list[Hit]]:
        """What the column holds, and what only looks like it.

        Args:
            distinct: Different values of the column, about.
            rows: Rows in which the column is not empty.
            has_meter: Whether another column tells meters or dwellings apart.
        """
        told: list[Hit] = []
        doubtful: list[Hit] = []
        for kind in KINDS:
            if self._is_beside_the_point(kind, has_meter):
                continue
            ways = {way for one, way in self._values if one == kind}
            certain = {way for way in ways if self._is_told(kind, way, distinct, rows)}
            if certain:
                told.append(self._hit(kind, certain))
            if ways - certain and kind != "free_text":  # some long texts are no doubt
                doubtful.append(self._hit(kind, ways - certain))
        return told, doubtful

    def _hit(self, kind: Kind, ways: set[Way]) -> Hit:
        count = sum(self._values[kind, way] for way in ways)
        return Hit(self.column, kind, count, sum(self._rows[kind, way] for way in ways))

    def _is_beside_the_point(self, kind: Kind, has_meter: bool) -> bool:
        """An address says where a station is; beside a meter's id it says whose it is."""
        if kind == "dwelling_meter":
            return not has_meter or is_a_meter(self.column)
        return kind == "ip_address" and is_a_version(self.column)

    def _is_told(self, kind: Kind, way: Way, distinct: int, rows: int) -> bool:
        values = self._values[kind, way]
        if kind == "free_text":
            lines = self._rows[kind, way]
            return values >= 5 and values >= lines / 2 and lines >= rows / 10
        if kind == "dwelling_meter":
            return values >= distinct / 2
        if way == "sure":
            return True
        if way in ("spaced", "code"):
            # A register of vehicles has nearly as many letters as vehicles, a series of codes few.
            is_varied = len(self._marks[way]) > min(values / 2, 30)
            return is_varied and (way == "spaced" or (values >= 5 and values >= distinct / 2))
        series = (_SERIES.get(kind, kind), way)
        tried, right = self._tried[series], self._right[series]
        if tried < _FEW or self._checked[series] >= tried / 2:
            return True
        share = _BY_CHANCE.get(kind, 0.1)
        return at_least(right, self._dated[series], share) < _UNLIKELY


_SUREST: Final[tuple[Way, ...]] = ("sure", "written", "spaced", "bare", "code")


def at_least(right: int, tried: int, share: float) -> float:
    """How likely it is that so many of those tried are right, if each is with this chance."""
    if right <= tried * share:
        return 1.0
    return min(1.0, sum(_binomial(right, tried, share)))


def _binomial(right: int, tried: int, share: float) -> Iterator[float]:
    for number in range(right, tried + 1):
        chances = lgamma(tried + 1) - lgamma(number + 1) - lgamma(tried - number + 1)
        term = exp(chances + number * log(share) + (tried - number) * log(1 - share))
        yield term
        if term < 1e-12:  # beyond the mean terms only fall
            return

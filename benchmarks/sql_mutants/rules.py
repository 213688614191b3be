"""Small mistakes that somebody could make in the SQL of a model, one at a time.

Each rule makes a mutant at each place that it applies to. What part of a table is built
(`in_partitions` and its like) is left alone: it says nothing about rows, is everything in a unit
test, and is held by builds in `tests/integration/test_incremental.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmarks.sql_mutants.fragments import Fragment, Token, closing, fragments_of, jinja_of, until
from benchmarks.sql_mutants.fragments import split as split_at

Change = tuple[int, int, str, str]
"""From where to where in the file, what stands there then, and the rule."""

_COMPARED = {">=": ">", ">": ">=", "<=": "<", "<": "<=", "=": "<>", "<>": "="}
_CALCULATED = {"+": "-", "-": "+", "*": "/", "/": "*"}
_AGGREGATES = {
    "sum": "max", "avg": "sum", "min": "max", "max": "min", "median": "avg", "min_by": "max_by",
    "max_by": "min_by", "bool_and": "bool_or", "bool_or": "bool_and", "greatest": "least",
    "least": "greatest", "lag": "lead", "lead": "lag", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
_CLAUSES = frozenset({"where", "on", "having", "when"})
_AFTER_CONDITION = frozenset({
    "where", "having", "group by", "order by", "window", "union", "then", "join", "left", "full",
    "cross", "inner", ",",
})  # fmt: skip
_PLAN = re.compile(r"in_partitions|in_window|is_news|is_reset_source|\{\{ news \}\}|plan\b")
_NUMBER = re.compile(r"(?<![\w.'])(\d+(?:\.\d+)?)(?![\w.'])")
_ON_CLOCKS = re.compile(r"\b(stockholm_date|stockholm_label|utc_date|utc_hour|utc_quarter)"
                        r"\((['\"])([^'\"~]+)\2\)")  # fmt: skip
_TURNED = re.compile(r"\bseconds_between\((('[^']+'), ('[^']+'))\)")
_ZONES = {"stockholm_date": "utc_date", "utc_date": "stockholm_date"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed place.

    Attributes:
        file: The model, or `macros/` and the name of a file of macros.
        line: Where the change begins, from 1.
        rule: What kind of mistake it is.
        start: Offset in the file of the first character that is changed.
        end: Offset after the last one.
        before: What stands there.
        after: What the mutant has instead.
        code: The line as it stands.
        nth: Which one it is of those that do the same in one line.
    """

    file: str
    line: int
    rule: str
    start: int
    end: int
    before: str
    after: str
    code: str
    nth: int = 1

    @property
    def change(self) -> str:
        """What was done, in words."""
        return f"{self.rule}: {_short(self.before)} → {_short(self.after)}"

    @property
    def name(self) -> str:
        """Where it is and what was done."""
        which = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.file}:{self.line} {self.change}{which}"

    def applied(self, text: str) -> str:
        """The file with the mistake in it."""
        return text[: self.start] + self.after + text[self.end :]


def mutants_of(file: str, text: str, types: Mapping[str, str]) -> list[Mutant]:
    """All mutants of a file, in the order of their places.

    Args:
        file: What to call the file.
        text: Its content, with Jinja.
        types: The type of each column that models promise, by name.
    """
    changes = {
        change for fragment in fragments_of(text) for change in _of_fragment(fragment, text, types)
    } | set(_of_jinja(text))
    made: list[Mutant] = []
    alike: Counter[tuple[int, str]] = Counter()
    for start, end, after, rule in sorted(changes):
        line = text.count("\n", 0, start) + 1
        code = text.splitlines()[line - 1].strip()
        one = Mutant(file, line, rule, start, end, text[start:end], after, code)
        alike[line, one.change] += 1
        made.append(replace(one, nth=alike[line, one.change]))
    return made


def _short(text: str) -> str:
    words = " ".join(text.split())
    return (words if len(words) <= 44 else f"{words[:20]} … {words[-20:]}") or "nothing"


def _of_fragment(fragment: Fragment, text: str, types: Mapping[str, str]) -> Iterator[Change]:
    tokens = fragment.tokens
    for number, token in enumerate(tokens):
        before = tokens[number - 1] if number else None
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        yield from _of_signs(token, before, after, is_whole=fragment.is_whole)
        yield from _of_numbers(tokens, number)
        yield from _of_nulls(tokens, number)
        if after and after.text == "(":
            yield from _of_calls(tokens, number, text)
    yield from _of_logic(tokens)
    yield from _of_joins(tokens)
    yield from _of_conditions(tokens, text)
    yield from _of_windows(tokens)
    if fragment.is_whole:
        yield from _of_columns(tokens, text, types)


def _of_signs(
    token: Token, before: Token | None, after: Token | None, *, is_whole: bool
) -> Iterator[Change]:
    if token.text in _COMPARED:
        yield token.start, token.end, _COMPARED[token.text], "comparison"
    if token.text in _CALCULATED and after is not None:
        is_binary = re.fullmatch(r"[\w.)'\]]+", before.text) if before else not is_whole
        is_star = before and before.word in ("select", "distinct", ",", "(", ".")
        if is_binary and not is_star and re.match(r"[\w('\"]", after.text):
            yield token.start, token.end, _CALCULATED[token.text], "calculation"


def bumped(number: str) -> list[str]:
    """A number one more and one less: in its last figure, or in its second of three and more."""
    digits = re.sub(r"e.*", "", number)
    whole, _, decimals = digits.partition(".")
    figures = (whole + decimals).lstrip("0")
    unit = 1 if len(figures) <= 2 else 10 ** (len(figures) - 2)
    value, tail = int(whole + decimals), number[len(digits) :]
    made = []
    for other in (value + unit, value - unit):
        if other >= 0:
            padded = str(other).rjust(len(decimals) + 1, "0")
            cut = len(padded) - len(decimals)
            made.append(padded[:cut] + ("." + padded[cut:] if decimals else "") + tail)
    return made


def _of_numbers(tokens: tuple[Token, ...], number: int) -> Iterator[Change]:
    token = tokens[number]
    before = tokens[number - 1].word if number else ""
    if re.fullmatch(r"\d+(\.\d+)?(e0)?", token.text) and before not in ("[", "date"):
        if before == "," and int(float(token.text)) >= 6 and _closes_round(tokens, number):
            return  # it is there to make floats equal
        for other in bumped(token.text):
            yield token.start, token.end, other, "constant"
    if before == "interval" and re.fullmatch(r"'\d+'", token.text):
        for other in bumped(token.text[1:-1]):
            yield token.start, token.end, f"'{other}'", "constant"


def _closes_round(tokens: tuple[Token, ...], number: int) -> bool:
    depth = 0
    for back in range(number - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(tokens[back].text, 0)
        if depth < 0:
            return tokens[back - 1].word == "round"
    return False


def _of_nulls(tokens: tuple[Token, ...], number: int) -> Iterator[Change]:
    words = [token.word for token in tokens[number : number + 3]]
    if words == ["is", "not", "null"]:
        yield tokens[number].start, tokens[number + 2].end, "is null", "null"
    elif words[:2] == ["is", "null"]:
        yield tokens[number].start, tokens[number + 1].end, "is not null", "null"
    elif words[:1] == ["not"] and tokens[number - 1].word != "is":
        yield tokens[number].start, tokens[number + 1].start, "", "not dropped"


def _of_calls(tokens: tuple[Token, ...], number: int, text: str) -> Iterator[Change]:
    token = tokens[number]
    if token.word in _AGGREGATES:
        yield token.start, token.end, _AGGREGATES[token.word], "aggregate"
    if token.word == "count" and number + 2 < len(tokens) and tokens[number + 2].word == "distinct":
        yield tokens[number + 2].start, tokens[number + 3].start, "", "distinct dropped"
    end = closing(tokens, number + 1)
    if token.word in ("coalesce", "nullif") and end < len(tokens):
        first = split_at(tokens, number + 2, end, ",")[0]
        kept = text[tokens[first[0]].start : tokens[first[1] - 1].end]
        yield token.start, tokens[end].end, kept, f"{token.word} dropped"


def _of_logic(tokens: tuple[Token, ...]) -> Iterator[Change]:
    between = 0
    for token in tokens:
        if token.word == "between":
            between += 1
        elif token.word == "and" and between:
            between -= 1
        elif token.word in ("and", "or"):
            yield token.start, token.end, {"and": "or", "or": "and"}[token.word], "logic"
        elif token.word == "union all":
            yield token.start, token.end, "union", "union"
    for first, second in pairwise(tokens):
        if (first.word, second.word) == ("union", "all"):
            yield first.start, second.end, "union", "union"


def _of_joins(tokens: tuple[Token, ...]) -> Iterator[Change]:
    for number, token in enumerate(tokens):
        before = tokens[number - 1].word if number else ""
        if token.word != "join":
            continue
        if before == "left":
            yield tokens[number - 1].start, token.end, "join", "join"
        elif before == "outer":
            yield tokens[number - 2].start, token.end, "left join", "join"
        elif before not in ("cross", "inner"):
            yield token.start, token.end, "left join", "join"


def _of_conditions(tokens: tuple[Token, ...], text: str) -> Iterator[Change]:
    """Each of the things that a row must be, forgotten."""
    for number, token in enumerate(tokens):
        if token.word not in _CLAUSES:
            continue
        end = until(tokens, number + 1, _AFTER_CONDITION)
        if len(split_at(tokens, number + 1, end, "or")) > 1:
            continue
        parts = split_at(tokens, number + 1, end, "and")
        if token.word == "when" and len(parts) == 1:
            continue
        for first, last in parts:
            if first >= last:
                continue
            start, stop = tokens[first].start, tokens[last - 1].end
            if not _PLAN.search(text[start:stop]):
                yield start, stop, "true", "condition dropped"


def _of_windows(tokens: tuple[Token, ...]) -> Iterator[Change]:
    ends = frozenset({",", "rows", "range", "nulls", "order by"})
    for number, token in enumerate(tokens):
        opens = tokens[number - 1].word if number else ""
        is_window = opens == "(" or (number and _is_partitioned(tokens, number))
        if token.word == "partition by":
            stop = until(tokens, number + 1, ends - {","})
            for first, last in split_at(tokens, number + 1, stop, ","):
                yield tokens[first].start, tokens[last - 1].end, "1", "partition column dropped"
        elif token.word == "order by" and is_window:
            last = until(tokens, number + 1, ends) - 1
            if tokens[last].word == "desc":
                yield tokens[last - 1].end, tokens[last].end, "", "order reversed"
            else:
                yield tokens[last].end, tokens[last].end, " desc", "order reversed"


def _is_partitioned(tokens: tuple[Token, ...], number: int) -> bool:
    for back in range(number - 1, max(number - 40, -1), -1):
        if tokens[back].word in ("select", "from", "where"):
            return False
        if tokens[back].word == "partition by":
            return True
    return False


def _of_columns(tokens: tuple[Token, ...], text: str, types: Mapping[str, str]) -> Iterator[Change]:
    """Two columns beside each other, of one type, taken for one another."""
    for number, token in enumerate(tokens):
        if token.word != "select":
            continue
        end = until(tokens, number + 1, frozenset({"from"}))
        items = [
            _item(tokens, first, last, text)
            for first, last in split_at(tokens, number + 1, end, ",")
            if first < last
        ]
        for one, other in pairwise(items):
            (name, said, start, _), (other_name, other_said, _, stop) = one, other
            kind = types.get(name)
            is_plain = "{%" not in text[start:stop] and "--" not in text[start:stop]
            if kind and kind == types.get(other_name) and said != other_said and is_plain:
                swapped = f"{other_said} as {name}, {said} as {other_name}"
                yield start, stop, swapped, "columns swapped"


def _item(tokens: tuple[Token, ...], first: int, last: int, text: str) -> tuple[str, str, int, int]:
    start, stop = tokens[first].start, tokens[last - 1].end
    is_named = last - first > 2 and tokens[last - 2].word == "as"
    said = text[start : tokens[last - 3].end if is_named else stop]
    is_name = is_named or last - first in (1, 3)
    return (tokens[last - 1].text if is_name else "", said, start, stop)


def _of_jinja(text: str) -> Iterator[Change]:
    for begins, said in jinja_of(text):
        if re.match(r"\{%-? *(set|macro) ", said):
            for found in _NUMBER.finditer(said):
                for other in bumped(found[1]):
                    yield begins + found.start(1), begins + found.end(1), other, "constant"
        if "'union all'" in said:
            start = begins + said.index("'union all'")
            yield start, start + len("'union all'"), "'union'", "union"
        for found in _TURNED.finditer(said):
            start, stop = begins + found.start(1), begins + found.end(1)
            yield start, stop, f"{found[3]}, {found[2]}", "arguments swapped"
        yield from _of_clocks(begins, said)
    for found in re.finditer(r"'Europe/Stockholm'", text):
        for zone in ("UTC", "Europe/Helsinki"):
            yield found.start(), found.end(), f"'{zone}'", "time zone"


def _of_clocks(begins: int, said: str) -> Iterator[Change]:
    for found in _ON_CLOCKS.finditer(said):
        start = begins + found.start()
        if found[1] in _ZONES:
            yield start, begins + found.end(1), _ZONES[found[1]], "time zone"
        shifted = f"{found[1]}(\"({found[3]} + interval '1' hour)\")"
        yield start, begins + found.end(), shifted, "hour shifted"

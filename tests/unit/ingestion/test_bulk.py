"""Plain tables that DuckDB takes whole: the very rows that the readers by line find.

The contract alone says which way is taken, with the same meaning. A table in `utf-8-sig` is split
line by line, as one in `utf-8` is when anything in it is odd; lines of JSON with their records at
`$`, which is where they are anyway, are taken apart one by one.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.formats import json_paths
from ingestion.reading import census, lines
from lakehouse.contracts import SourceContract
from lakehouse.errors import DeliveryRefused
from tests.unit.ingestion.lake import CSV, RECEIVED, Lake, column

AT = "2026-10-19T10:00:00Z"
ZONES = st.sampled_from(["UTC", "Europe/Stockholm"])
"""Rows in UTC are judged as they come, in their order; a local time needs the line's number."""
QUIETLY = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


CONTRACTS: dict[str, SourceContract] = {}


def contract_of(lake: Lake, **changes: Any) -> SourceContract:
    """A contract, loaded once: that takes longer than reading a few rows under it."""
    key = json.dumps(changes)
    if key not in CONTRACTS:
        CONTRACTS[key] = lake.source(**changes)
    return CONTRACTS[key]


def rows_of(lake: Lake, contract: Any, texts: list[str]) -> list[dict[str, str]]:
    """The judged rows of files, or why they are refused; every value written out."""
    paths = [
        lake.deliver(f"{number}.txt", text.encode("utf-8", "surrogatepass"), RECEIVED)
        for number, text in enumerate(texts)
    ]
    try:
        rows = lake.judged(contract, *paths)
    except DeliveryRefused as refusal:
        return [{"refused": str(refusal)}]
    # What a sound row's value was written like is told by some readers only.
    told = [row | {"cell": None} if row["verdict"] == "sound" else row for row in rows]
    return [{name: repr(value) for name, value in row.items()} for row in told]


def but_for_digits(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows without the digits of their numbers: DuckDB writes 1.50 and 1E3 as 1.5 and 1000.0."""
    return [
        row | {"cell": "", "reason": row["reason"].replace(row["cell"].strip("'"), "")}
        if "cell" in row else row
        for row in rows
    ]  # fmt: skip


# --- tables --------------------------------------------------------------------------------

ODD_CELLS = (
    "", " ", "\t", "\u00a0", "\u2028", "\u0085", "\x0b", "\x1c", "\x1d", "\x1f", "\x00", "\r",
    "\ufeff", "\ufffd", "å", "𝒙", '"', '""', '"""', '"a"', '"a;b"', '"a""b"', 'a"b', '"a"b', 'a"',
    "'", "\\", '\\"', "\\N", ";", ";;", "#", "null", "nan", "NaN", "inf", "-Infinity", "true",
    "1_000", "1e400", "0x1F", "1,5", "1.000,5", "+7", " 8", "9 ", "-0.0", "007", "१२", "epoch",
    "9223372036854775808", "0.30000000000000004", AT[:-1],
)  # fmt: skip
"""Texts on which readers of tables differ."""

DIALECTS: tuple[dict[str, Any], ...] = (
    {"delimiter": ";"},
    {"delimiter": ";", "quote": None, "decimal": ","},
    {"delimiter": ",", "nullMarkers": ["", "NaN", "-"]},
    {"delimiter": "\t", "quote": "'"},
    {"delimiter": " "},
    {"delimiter": ";", "extraColumns": "ignore", "headerRow": 3},
)
cells = st.one_of(st.sampled_from(ODD_CELLS), st.text(max_size=4), st.integers(0, 2000).map(str))
plain = st.tuples(st.sampled_from(["m1", "å"]), st.just(AT), st.integers(0, 2000).map(str))
records = st.one_of(
    plain,
    plain,
    st.tuples(st.just("m1"), st.just(AT), cells),
    st.tuples(cells, cells, cells),
    st.tuples(st.just("m1"), st.just(AT), st.just("1"), cells),
    st.lists(cells, max_size=5),
)
ENDS = st.sampled_from(["", *["\n"] * 6, "\n\n", "\r\n"])
tables = st.lists(
    st.tuples(st.one_of(st.lists(plain, max_size=5), st.lists(records, max_size=5)), ENDS),
    min_size=1,
    max_size=3,
)


def table(dialect: dict[str, Any], records: Any, end: str = "\n") -> str:
    header = ["meter", "time", "kwh", *(["note"] if "extraColumns" in dialect else [])]
    above = '"above;\n' * (dialect.get("headerRow", 1) - 1)
    return above + "\n".join(dialect["delimiter"].join(row) for row in [header, *records]) + end


def require_same_rows(
    lake: Lake, dialect: dict[str, Any], texts: list[str], zone: str = "UTC"
) -> None:
    delivery = CSV | {"time": {"columns": ["time"], "zone": zone}}
    quick, careful = (
        rows_of(
            lake,
            contract_of(lake, delivery=delivery | {"csv": dialect | {"encoding": name}}),
            texts,
        )
        for name in ("utf-8", "utf-8-sig")
    )
    assert quick == [
        {name: text.replace("utf-8-sig", "utf-8") for name, text in row.items()} for row in careful
    ]


@QUIETLY
@given(dialect=st.sampled_from(DIALECTS), files=tables, zone=ZONES)
def test_tables_read_whole_and_by_line_are_judged_alike(lake, dialect, files, zone):
    require_same_rows(lake, dialect, [table(dialect, *file) for file in files], zone)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: "".join(map(str, dialect)))
@pytest.mark.parametrize(
    "records",
    [
        [["m1", AT, "1", ""], ["m1", AT, "2"]],
        [["m1", AT, "1"], ["m1", AT, "2", "", ""]],
        [['m"1', AT, "1"], ['m1"', AT, "2"]],
        [["m1", AT, "1"], ["\ufffd", AT, "2"]],
        [["m1", AT, "1"], ["", "", ""]],
        [['"m;1"', AT, "1"], ['"m1"', AT, "2;"]],
        [["'m1'", AT, "'1'"], ["'m\t1'", AT, "2\t"]],
        [["m1", AT, "1"], [], ["m2", AT, "2"]],
    ],
    ids=["empty", "two_empty", "quote", "no_text", "nothing", "quoted", "single", "blank"],
)
def test_a_line_is_judged_alike_whatever_stands_beside_it(lake, dialect, records):
    """Each of these was once read in another way by DuckDB than by line."""
    require_same_rows(lake, dialect, [table(dialect, records)])


# --- lines of JSON -------------------------------------------------------------------------

JSON = {
    "protocol": "folder",
    "format": "json",
    "framing": "lines",
    "time": {"columns": ["at"], "zone": "UTC"},
    "device": {"column": "id"},
}
COLUMNS = [column("v", "active_power", "kW", limits=(0, 1000)), column("w", "active_power", "kW")]
SHAPES: tuple[dict[str, Any], ...] = (
    {},
    {"csv": {"decimal": ",", "nullMarkers": ["-9999"]}},
    {"narrow": {"channel": "w", "value": "v"}},
)
NODES = (
    "1", "1.50", "-0.0", "1E3", "1e400", "9223372036854775808", "0.12345678901234567890123", "007",
    "+1", "1.", ".5", "1_000", "NaN", "-Infinity", "Infinity", "null", "true", "false", "nul", '""',
    '"12"', '"1_000"', '"1,5"', '"NaN"', '"null"', '"-9999"', "-9999", '"v"', '" 8"', '"å"', "'a'",
    '"\\u00e5"', '"\\ud800"', '"a\\nb"', '"\ufffd"', '"\x00"', '"\x1f"', "[]", "[1]", "[null]",
    "{}", '{"v": 1}', '{"v": null}', '[{"v": 2}]', '"{\\"v\\": 1}"', '"\u2028"', f'"{AT}"',
    f'"{AT[:-1]}"', "1 2", "", "1}", "/* 1 */ 1",
)  # fmt: skip
NAMES = ('"id"', '"at"', '"v"', '"v"', '"w"', '"x"', '"V"', '"\\u0076"', '"v "', "v", '""')
nodes = st.one_of(
    st.sampled_from(NODES), st.floats().map(json.dumps), st.text(max_size=3).map(json.dumps)
)
sound = st.tuples(st.sampled_from(['"a"', '"å"', "7"]), st.integers(0, 2000).map(str)).map(
    lambda told: [('"id"', told[0]), ('"at"', f'"{AT}"'), ('"v"', told[1]), ('"w"', "2")]
)
spoiled = st.tuples(
    sound, st.lists(st.tuples(st.sampled_from(NAMES), nodes), max_size=3), st.booleans()
).map(lambda told: [*told[1], *told[0]] if told[2] else [*told[0][:2], *told[1]])
objects = st.tuples(
    st.one_of(sound, spoiled), st.sampled_from([", ", ","]), st.sampled_from([": ", ":", " : "])
).map(lambda told: "{" + told[1].join(told[2].join(pair) for pair in told[0]) + "}")
json_lines = st.one_of(
    objects,
    objects,
    objects,
    objects.map(lambda text: text[:-3]),
    objects.map(lambda text: f" {text}\t"),
    objects.map(lambda text: text * 2),
    objects.map(lambda text: f"[{text}]"),
    st.sampled_from(
        ["", " ", "\u00a0", "null", "7", "[]", "{}", "[1, 2]", "//", "\ufeff{}", '"a"']
    ),
)
json_files = st.lists(
    st.tuples(st.one_of(st.lists(objects, max_size=5), st.lists(json_lines, max_size=5)), ENDS),
    min_size=1,
    max_size=3,
)


def require_same_records(
    lake: Lake, shape: dict[str, Any], texts: list[str], zone: str = "UTC"
) -> None:
    shape = {"time": {"columns": ["at"], "zone": zone}} | shape
    quick, careful = (
        rows_of(lake, contract_of(lake, columns=COLUMNS, delivery=JSON | shape | more), texts)
        for more in ({}, {"records": "$"})
    )
    assert but_for_digits(quick) == but_for_digits(careful)


@QUIETLY
@given(shape=st.sampled_from(SHAPES), files=json_files, zone=ZONES)
def test_lines_read_whole_and_one_by_one_are_judged_alike(lake, shape, files, zone):
    require_same_records(lake, shape, ["\n".join(found) + end for found, end in files], zone)


@pytest.mark.parametrize("beside", ["", "7\n"], ids=["sound", "odd"])
@pytest.mark.parametrize(
    "line",
    [
        '{"id": "a", "at": "AT", "v": 1, "v": 2}',
        '{"id": "a", "at": "AT", "v": 1, "\\u0076": 2}',
        '{"id": "a", "at": "AT", "\\u0076": 2}',
        '{"id": "a", "at": "AT", "v": 1, "v": null}',
        '{"id": "a", "at": "AT", "v" :  null, "x": 2, "v": 1}',
        '{"id": "a", "at": "AT", "v": 1, "w": null, "x": null}',
        '{"id": "a", "at": "AT", "v": null, "v": 1}',
        '{"id": "a", "at": "AT", "v" :null}',
        '{"id": "a", "at": "AT", "V": 1}',
        '{"id": "a", "at": "AT", "v": 1, "x": 1, "x": 2}',
        '{"id": "a", "at": "AT", "v": "1_000"}',
        '{"id": "a", "at": "AT", "v": NaN}',
        '{"id": "a", "at": "AT", "v": [1], "w": {"v": 2}}',
        '{"id": "\\"v\\": 1", "at": "AT", "v": 1}',
        '{"id": "a", "at": "AT", "v": 1} {"v": 2}',
        '{"id": "a", "at": "AT", "v": 1',
        '[{"id": "a", "at": "AT", "v": 1}]',
        "{}",
        '{"id": "a", "at": null, "v": 1}',
        '{"id": ["a"], "at": "AT", "v": 1}',
        '{"id": true, "at": "AT", "v": true}',
        '{"id": 1.50, "at": 1, "v": "1.50"}',
        '{"id": "\ufffd", "at": "AT", "v": 1}',
    ],
)
def test_an_odd_line_is_judged_alike_whatever_stands_beside_it(lake, line, beside):
    sound = f'{{"id": "a", "at": "{AT}", "v": 3, "w": 4}}\n'
    require_same_records(lake, {}, [sound + line.replace("AT", AT) + "\n" + beside, sound])


# --- where rows stand ----------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [(3, 0, 1, 7), (0, 0, 2), (1, 1), (2, 0)])
def test_rows_of_several_tables_keep_their_files_and_lines(lake, lengths):
    """Of different lengths, some with no record, and the last line of the last without end."""
    texts = [
        table(DIALECTS[0], [[f"m{file}", AT, str(number)] for number in range(length)])
        for file, length in enumerate(lengths)
    ]
    rows = rows_of(lake, lake.source(delivery=CSV), [*texts[:-1], texts[-1].rstrip("\n")])
    assert [(row["_file"], row["_row"], row["device"], row["value"]) for row in rows] == [
        (f"{file}", f"{number + 2}", f"'m{file}'", f"{number}.0")
        for file, length in enumerate(lengths)
        for number in range(length)
    ]


@pytest.mark.parametrize("name", ["id", "rowid", "_file", "_row", "t", "device", "c1", "ID", "c"])
def test_rows_of_several_files_of_lines_keep_them_whatever_a_column_is_called(lake, name):
    lengths = (3, 1, 7)
    texts = [
        "\n".join(json.dumps({name: f"m{file}", "at": AT, "v": row}) for row in range(length))
        for file, length in enumerate(lengths)
    ]
    contract = lake.source(columns=COLUMNS[:1], delivery=JSON | {"device": {"column": name}})
    rows = rows_of(lake, contract, [*(text + "\n" for text in texts[:-1]), texts[-1]])
    assert [(row["_file"], row["_row"], row["device"], row["value"]) for row in rows] == [
        (f"{file}", f"{row + 1}", f"'m{file}'", f"{row}.0")
        for file, length in enumerate(lengths)
        for row in range(length)
    ]


@pytest.mark.parametrize(
    ("spoil", "is_by_line"),
    [
        ("", False),
        ("m1;x", True),
        ("\n", True),
        ("m1;x;1;", True),
        ('m"1;x;1', True),
        ('"m1;x;1', True),
        ("\ufeffm1;x;1", True),
        ("m1;x;1\r", True),
        ("m1;x;\x00", True),
        ("m1;x;\udcff", True),
        ('"m;1";å;x', False),
    ],
)
def test_only_clean_tables_are_read_whole(lake, monkeypatch, spoil, is_by_line):
    """The control of all the above: the two ways are two, and the odd line decides which."""
    asked = []
    real = lines.load
    monkeypatch.setattr(lines, "load", lambda *a, **more: (asked.append(a), real(*a, **more)))
    text = table(DIALECTS[0], [["m1", AT, "1"]] * 3) + spoil
    path = lake.deliver("a.csv", text.encode(errors="surrogateescape"))
    rows = lake.judged(lake.source(delivery=CSV), path)
    assert bool(asked) is is_by_line
    assert [row["value"] for row in rows][:3] == [1, 1, 1]


SOUND = json.dumps({"id": "a", "at": AT, "v": 1})


@pytest.mark.parametrize(
    ("line", "taken_apart"),
    [("", 0), ('{"v": "x"}', 1), ("7", 1), ("{", 1), ('{"v": 1, "v": 2}', 4), ("\ufeff{}", 4),
     ('{"v": 1, "v": null}', 4), (SOUND.replace(": 1}", ": null}"), 0),
     (SOUND[:-1] + ', "x": null}', 0),
     (SOUND[:-1] + ', "x": 0.12345678901234567890}', 4)],
)  # fmt: skip
def test_only_odd_lines_are_taken_apart_one_by_one(lake, monkeypatch, line, taken_apart):
    """The control for lines of JSON; a doubled key may stand anywhere, so all are looked at."""
    asked = []
    real = json_paths.decoded
    monkeypatch.setattr(json_paths, "decoded", lambda text: (asked.append(text), real(text))[1])
    path = lake.deliver("a.json", f"{SOUND}\n" * 3 + line)
    rows = lake.judged(lake.source(columns=COLUMNS[:1], delivery=JSON), path)
    assert [row["value"] for row in rows][:3] == [1, 1, 1]
    assert len(asked) == taken_apart


# --- the census ----------------------------------------------------------------------------

WORDS = (b'"v"', b'"v": null', b";", "å".encode())


@settings(QUIETLY, max_examples=300)
@given(
    pieces=st.lists(
        st.sampled_from([b"\n", b"a", b";", "å".encode(), "𝒙".encode(), b'"v"', b'"v": null']),
        max_size=30,
    ),
    chunk=st.integers(1, 9),
)
@example(pieces=["å".encode(), b"\n"], chunk=1)
@example(pieces=[b'"v": null'], chunk=2)
def test_lines_and_words_are_counted_across_the_borders_of_chunks(
    tmp_path, monkeypatch, pieces, chunk
):
    path, content = tmp_path / "a", b"".join(pieces)
    path.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr(census, "_CHUNK", chunk)
        found = census.census(path, WORDS)
    assert found.is_clean
    assert found.lines == len(content.splitlines())
    assert found.words == tuple(content.count(word) for word in WORDS)


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize(
    "strange",
    [
        b"\r",
        b"\0",
        b"\x1d",
        b"\x1f",
        b"\xff",
        b"\xc3",
        b"\xc3\n",
        "\ufeff".encode(),
        b"\xef\xbf\xbd",
    ],
)
def test_what_readers_differ_on_is_not_clean(tmp_path, monkeypatch, strange, chunk):
    monkeypatch.setattr(census, "_CHUNK", chunk)
    for before in (b"", b"a\n", "å".encode()):
        for after in (b"", b"\n", b"b\n"):
            (tmp_path / "a").write_bytes(before + strange + after)
            assert not census.census(tmp_path / "a").is_clean

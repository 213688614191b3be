"""Rows that have no line number: their place among the others must tell it."""

from __future__ import annotations

import pytest

from tests.unit.ingestion.lake import column

AT = "2026-10-19T10:00:00Z"
NARROW = {"device": {"column": "who"}, "narrow": {"channel": "what", "value": "kwh"}}
WIDE = {"device": {"column": "who"}}
# More than one of DuckDB's row groups each, so that two threads have their share.
SIZES = (180_000, 1, 250_000)


@pytest.fixture
def contract_of(lake):
    def contract(form: str, shape: dict, *names: str, most: float = 2e5):
        columns = [column(name, "active_energy", "kW.h", limits=(0, most)) for name in names]
        delivery = {"protocol": "folder", "format": form} | shape
        time = {"columns": ["at"], "zone": "UTC"}
        return lake.source(columns=columns, delivery=delivery | {"time": time})

    return contract


def file_of(form: str, size: int, broken: str = "") -> str:
    """A file in which `kwh` of a record is its number, and `mwh` a thousand times that."""
    if form == "csv":
        lines = "".join(f"m{n % 7},kwh,{AT},{n},{n}000\n" for n in range(1, size + 1))
        return f"who,what,at,kwh,mwh\n{lines}{broken}"
    record = f'{{"who":"m%d","what":"kwh","at":"{AT}","kwh":%d,"mwh":%d000}}\n'
    return "".join(record % (n % 7, n, n) for n in range(1, size + 1)) + broken


ASKED = """select _file, count(*), min(_row), max(_row), count(*) filter (
        (_row - {skip}) * (case channel when 'mwh' then 1000 else 1 end) = value),
    count(*) filter (verdict = 'broken' and _row - {skip} > 200000)
    from judged group by _file order by _file"""


@pytest.mark.parametrize(("form", "skip"), [("json", 0), ("csv", 1)])
@pytest.mark.parametrize("sizes", [SIZES[2:], SIZES], ids=["one file", "three files"])
def test_every_row_knows_its_line(lake, contract_of, form, skip, sizes):
    contract = contract_of(form, NARROW, "kwh")
    paths = [lake.deliver(f"{n}.{form}", file_of(form, size)) for n, size in enumerate(sizes)]
    with lake.judging(contract, *paths) as connection:
        assert connection.execute("select count(*) from plain").fetchall()[0][0] > 0
        found = connection.execute(ASKED.format(skip=skip)).fetchall()
        counted = connection.execute(
            "select _file, count(*), min(_row), max(_row) from records group by _file order by all"
        ).fetchall()
    assert found == [
        (number, size, 1 + skip, size + skip, size, max(0, size - 200_000))
        for number, size in enumerate(sizes)
    ]
    assert counted == [row[:4] for row in found]


def test_a_wide_line_gives_its_channels_one_after_the_other(lake, contract_of):
    """Also the column `what`, which the contract does not name."""
    contract = contract_of("csv", WIDE, "kwh", "mwh")
    paths = [lake.deliver(f"{size}.csv", file_of("csv", size)) for size in SIZES]
    with lake.judging(contract, *paths) as connection:
        assert connection.execute("select count(*) from plain").fetchall()[0][0] > 0
        found = connection.execute(
            """select _file, count(*), max(_row), count(*) filter (value is not null and
                    (_row - 1) * (case channel when 'mwh' then 1000 else 1 end) <> value),
                count(*) filter (channel = 'what' and text = 'kwh')
            from judged group by _file order by _file"""
        ).fetchall()
    assert found == [(n, 3 * size, size + 1, 0, size) for n, size in enumerate(SIZES)]


@pytest.mark.parametrize(("form", "skip"), [("json", 0), ("csv", 1)])
def test_a_few_odd_lines_are_read_again_by_their_numbers(lake, contract_of, form, skip):
    contract = contract_of(form, NARROW, "kwh", most=SIZES[2] - 100)
    paths = [lake.deliver(f"{n}.{form}", file_of(form, size)) for n, size in enumerate(SIZES)]
    with lake.judging(contract, *paths) as connection:
        assert connection.execute("select count(*) from judgements").fetchall() == [(100,)]
        found = connection.execute(
            f"""select _file, count(*), count(distinct _row),
                count(*) filter (_row - {skip} = value),
                count(*) filter (verdict = 'broken' and _row - {skip} > {SIZES[2] - 100}),
                count(distinct _id)
            from judged group by _file order by _file"""
        ).fetchall()
    assert found == [(n, size, size, size, 100 * (n == 2), size) for n, size in enumerate(SIZES)]


def test_all_channels_of_an_odd_line_are_read_again(lake, contract_of):
    contract = contract_of("csv", WIDE, "kwh", "mwh", most=1e9)
    broken = f"m1,kwh,{AT},x,7\n"
    path = lake.deliver("a.csv", file_of("csv", 50_000, broken) + f"m1,kwh,{AT},8,9\n")
    with lake.judging(contract, path) as connection:
        found = connection.execute(
            "select _row, channel, value, rule from judged where _row > 50001 order by all"
        ).fetchall()
        rows, places = connection.execute(
            "select count(*), count(distinct (_row, channel)) from judged"
        ).fetchall()[0]
    assert found == [
        (50_002, "kwh", None, "value_unreadable"),
        (50_002, "mwh", 7.0, None),
        (50_002, "what", None, None),
        (50_003, "kwh", 8.0, None),
        (50_003, "mwh", 9.0, None),
        (50_003, "what", None, None),
    ]
    assert rows == places == 3 * 50_002


def test_many_channels_find_their_own_limits(lake, contract_of):
    """More than a list is looked through for: they are found by an ENUM."""
    names = [f"c{n}" for n in range(40)]
    contract = contract_of("csv", WIDE, *names)
    cells = ",".join(str(100_000 + n) for n in range(40))
    path = lake.deliver("a.csv", f"who,at,{','.join(names)}\nm,{AT},{cells}\n")
    found = {row["channel"]: row["value"] for row in lake.judged(contract, path)}
    assert found == {name: 100_000.0 + n for n, name in enumerate(names)}


@pytest.mark.parametrize(
    ("form", "broken", "rule"),
    [
        ("json", '{"who":"m1","what":"kwh"', "layout"),
        ("json", '{"who":"m1","what":"kwh","at":"2026-10-19T10:00:00Z","kwh":[1]}', "layout"),
        ("csv", "m1,kwh,2026", "layout"),
        ("csv", "m1,kwh,då,1,1000", "time_unreadable"),
    ],
)
def test_a_broken_line_is_told_by_its_number(lake, contract_of, form, broken, rule):
    contract = contract_of(form, NARROW, "kwh")
    rows = lake.judged(contract, lake.deliver(f"a.{form}", file_of(form, 50, broken)))
    (last,) = [row for row in rows if row["verdict"] == "broken"]
    assert last["rule"] == rule
    assert last["_row"] == 51 + (form == "csv")
    assert len(rows) == 51

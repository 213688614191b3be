"""A plain file that was cut at a line end is caught by a number, or by the source's history."""

from __future__ import annotations

import pytest

from tests.unit.ingestion.lake import CSV


def table(rows: int, hour: int = 0) -> str:
    lines = [f"m{row};2026-10-19T{hour:02}:00:00;{row}" for row in range(rows)]
    return "\n".join(["meter;time;kwh", *lines]) + "\n"


def contract(lake, **rule):
    return lake.source(delivery=CSV | {"complete": rule})


def test_without_a_rule_a_cut_file_looks_whole(lake):
    """The control: nothing but a number or history can tell."""
    lake.deliver("a.csv", table(100)[: len(table(40))])
    assert lake.ingest(lake.source()).ledger.landed == 40


def test_trailer_tells_the_number(lake):
    source = contract(lake, trailer="rows=([0-9]+)")
    lake.deliver("whole.csv", table(10) + "rows=10\n")
    lake.deliver("cut.csv", table(7, hour=1))
    lake.deliver("lost.csv", table(7, hour=2) + "rows=10\n")
    outcome = lake.ingest(source)
    assert (outcome.ledger.records, outcome.ledger.landed) == (10, 10)
    assert {one.name: one.reason.split(": ", 1)[1] for one in outcome.refused} == {
        "meters/cut.csv": "the last line, which tells the number of records, is missing. "
        "Ask the supplier to deliver it again.",
        "meters/lost.csv": "it has 7 records, and says that there are 10. "
        "Ask the supplier to deliver it again.",
    }


def test_name_tells_the_number(lake):
    source = contract(lake, name=r"_n([0-9]+)\.")
    lake.deliver("a_n5.csv", table(5))
    lake.deliver("b_n5.csv", table(4, hour=1))
    outcome = lake.ingest(source)
    assert outcome.ledger.landed == 5
    assert [one.name for one in outcome.refused] == ["meters/b_n5.csv"]


@pytest.mark.parametrize("short", ["report", "refuse"])
def test_history_tells_what_is_usual(lake, short):
    source = contract(lake, short=short)
    for day in range(5):
        lake.deliver(f"day{day}.csv", table(20 + day, hour=day))
    assert not any(one.findings for one in lake.ingest(source).receipts)
    lake.deliver("day9.csv", table(8, hour=9))
    lake.deliver("summary.csv", table(2, hour=10))
    outcome = lake.ingest(source)
    told = "8 records, where 22 are usual: it may have been cut"
    if short == "refuse":
        assert [(one.name, told in one.reason) for one in outcome.refused] == [
            ("meters/day9.csv", True)
        ]
    else:
        found = {one.name: one.findings for one in outcome.receipts}
        assert found == {"meters/day9.csv": (told,), "meters/summary.csv": ()}


def test_too_little_history_says_nothing(lake):
    source = contract(lake)
    for day in range(4):
        lake.deliver(f"day{day}.csv", table(20, hour=day))
    lake.ingest(source)
    lake.deliver("day9.csv", table(1, hour=9))
    assert [one.findings for one in lake.ingest(source).receipts] == [()]

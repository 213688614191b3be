"""D2: a few broken rows are held back; what is broken for the most part is held whole."""

from __future__ import annotations

import random

import pytest

from ingestion import balance, replay
from lakehouse.errors import ContractError
from tests.unit.ingestion.lake import CSV, METER, column

HEAD = "meter;time;kwh\n"


def table(sound: int, broken: int, meter: str = "m1", cell: str = "x") -> str:
    lines = [f"{meter};2026-10-19T00:00:{n:02};{n}\n" for n in range(sound)]
    lines += [f"{meter};2026-10-19T01:00:{n:02};{cell}\n" for n in range(broken)]
    return HEAD + "".join(lines)


def contract(lake, share=None, **changes):
    return lake.source(delivery=CSV | ({} if share is None else {"maxBroken": share}), **changes)


@pytest.mark.slow
def test_one_poison_row_in_a_million(lake):
    """It alone is held back, with reason, line and text, under the least share that allows it."""
    count = 1_000_000
    position = random.Random(1).randrange(count)  # noqa: S311
    lines = [f"m{n % 97};2026-01-{1 + n // 50_000:02}T00:00:00;{n / 1000}\n" for n in range(count)]
    lines[position] = "m1;2026-01-01T00:00:00;1\x00e9\n"
    lake.deliver("a.csv", HEAD + "".join(lines))
    ledger = lake.ingest(contract(lake, "0.0001%")).ledger
    assert (ledger.rows_in, ledger.landed, ledger.quarantined) == (count, count - 1, 1)
    (row,) = lake.quarantine()
    assert (row["rule"], row["_row"]) == ("encoding", position + 2)
    assert row["raw"] == lines[position].rstrip("\n")
    assert row["reason"]


def test_without_a_share_the_sound_rows_of_a_spoilt_delivery_land(lake):
    """The control: nothing but the contract's word holds it back."""
    lake.deliver("a.csv", table(sound=2, broken=48))
    ledger = lake.ingest(contract(lake)).ledger
    assert (ledger.landed, ledger.quarantined) == (2, 48)


def test_above_the_share_nothing_of_it_lands_and_the_others_do(lake):
    lake.deliver("good.csv", table(sound=40, broken=2, meter="m2"))
    lake.deliver("spoilt.csv", table(sound=40, broken=3))
    outcome = lake.ingest(contract(lake, "5%"))
    assert [(one.name, one.outcome) for one in outcome.receipts] == [
        ("meters/good.csv", "landed"), ("meters/spoilt.csv", "refused"),
    ]  # fmt: skip
    assert {row["device"] for row in lake.bronze()} == {"m2"}
    held = {row["name"]: row for row in lake.quarantine() if row["rule"] == "delivery_refused"}
    assert held.keys() == {"meters/spoilt.csv"}
    reason = held["meters/spoilt.csv"]["reason"]
    assert "3 of 43 rows are broken (7.0%), more than the 0.05" in reason
    assert "value_unreadable 3 (line 42: kwh is 'x', which is no number)" in reason
    assert balance(lake.settings, "meters").is_kept
    versions = lake.versions()
    assert lake.ingest(contract(lake, "5%")).receipts == ()  # it is remembered
    assert lake.versions() == versions


@pytest.mark.parametrize(("sound", "broken", "lands"), [(19, 1, 19), (18, 1, 0), (0, 1, 0)])
def test_the_share_itself_is_allowed(lake, sound, broken, lands):
    lake.deliver("a.csv", table(sound, broken))
    assert lake.ingest(contract(lake, 0.05)).ledger.landed == lands


def test_rows_that_are_left_out_count_neither_way(lake):
    """A hundred empty cells are no reason to believe the one that is a number."""
    empty = "".join(f"m1;2026-10-19T02:{n // 60:02}:{n % 60:02};\n" for n in range(100))
    lake.deliver("a.csv", table(sound=1, broken=2) + empty)
    assert len(lake.ingest(contract(lake, "5%")).refused) == 1


def test_broken_rows_that_quarantine_has_already_count(lake):
    """Delivered again under another name they are duplicates, and no sounder for it."""
    lake.deliver("a.csv", table(sound=2, broken=8))
    lake.ingest(contract(lake))
    lake.deliver("b.csv", table(sound=3, broken=8))
    assert [one.name for one in lake.ingest(contract(lake, "50%")).refused] == ["meters/b.csv"]


@pytest.mark.parametrize("way", ["ingest", "replay"])
def test_a_mended_contract_gives_another_chance(lake, way):
    lake.deliver("a.csv", table(sound=1, broken=9, cell="-4"))
    assert lake.ingest(contract(lake, "5%")).refused
    wider = (*METER[:2], column("kwh", "active_energy", "kW.h", limits=(-9, 1000)))
    mended = contract(lake, "5%", columns=wider)
    if way == "ingest":
        assert lake.ingest(mended).ledger.landed == 10
    else:
        assert replay(lake.settings, mended).landed == 10
    assert balance(lake.settings, "meters").is_kept


def test_released_rows_are_broken_no_more(lake):
    """A person's word counts for the share, too; only what was taken before can be released."""
    lake.deliver("a.csv", table(sound=1, broken=9, cell="-4"))
    lake.ingest(contract(lake))
    waived = frozenset({"value_below_minimum"})
    assert replay(lake.settings, contract(lake, "5%"), waived=waived).landed == 9


def test_a_replay_that_refuses_one_delivery_reads_the_others(lake):
    lake.deliver("a.csv", table(sound=1, broken=9))
    lake.deliver("b.csv", table(sound=30, broken=1, meter="m2", cell="-4"))
    lake.ingest(contract(lake))
    wider = (*METER[:2], column("kwh", "active_energy", "kW.h", limits=(-9, 1000)))
    outcome = replay(lake.settings, contract(lake, "50%", columns=wider))
    assert outcome.landed == 1
    assert [problem.split(":")[0] for problem in outcome.refused] == ["meters/a.csv"]
    assert balance(lake.settings, "meters").is_kept


@pytest.mark.parametrize("share", [5, -0.1, "5", "five %", "101%", True, None])
def test_a_share_that_is_none(lake, share):
    with pytest.raises(ContractError, match=r"delivery\.maxBroken"):
        lake.source(delivery=CSV | {"maxBroken": share})

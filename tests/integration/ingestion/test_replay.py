"""What was held back is read again: it lands once, and the account still adds up."""

from __future__ import annotations

import pytest

from ingestion import balance, quarantine, replay
from lakehouse import delta, tables
from lakehouse.errors import LakeError
from tests.unit.ingestion.lake import CSV, METER, column

ROWS = (
    "meter;time;kwh\nm1;2026-10-19T10:00:00;5\nm1;2026-10-19T11:00:00;-3\n"
    "m1;2026-10-19T12:00:00;x\n"
)
MORE = "meter;time;kwh\nm2;2026-10-19T10:00:00;-7\nm2;2026-10-19T11:00:00;8\n"
WIDER = (*METER[:2], column("kwh", "active_energy", "kW.h", limits=(-100, 1000)))


def account(lake) -> tuple[int, int, int, int]:
    """Rows in, landed, quarantined, duplicates of all deliveries as they stand."""
    newest = {row["delivery"]: row for row in lake.ledger()}.values()
    return tuple(
        sum(row[name] for row in newest)
        for name in ("rows_in", "landed", "quarantined", "duplicates")
    )


@pytest.fixture
def taken(lake):
    contract = lake.source()
    lake.deliver("a.csv", ROWS)
    lake.deliver("b.csv", MORE)
    lake.ingest(contract)
    assert account(lake) == (5, 2, 3, 0)
    return lake


def test_a_mended_contract_turns_quarantined_rows_into_landed_ones(taken):
    outcome = replay(taken.settings, taken.source(columns=WIDER))
    assert (outcome.landed, outcome.released, outcome.refused) == (2, 2, ())
    assert account(taken) == (5, 4, 1, 0)
    assert sorted(row["value"] for row in taken.bronze()) == [-7, -3, 5, 8]
    assert [row["raw"] for row in taken.quarantine()] == ["m1;2026-10-19T12:00:00;x"]
    assert balance(taken.settings, "meters").is_kept


def test_the_same_replay_again_changes_no_row(taken):
    contract = taken.source(columns=WIDER)
    replay(taken.settings, contract)
    before = taken.hash(), taken.quarantine(), account(taken)
    outcome = replay(taken.settings, contract, everything=True)
    assert (outcome.landed, outcome.released) == (0, 0)
    assert (taken.hash(), taken.quarantine(), account(taken)) == before
    assert taken.ingest(contract).receipts == ()


def test_a_tightened_contract_takes_no_landed_row_back(taken):
    limits = column("kwh", "active_energy", "kW.h", limits=(0, 6))
    outcome = replay(taken.settings, taken.source(columns=(*METER[:2], limits)), everything=True)
    assert outcome.landed == 0
    assert sorted(row["value"] for row in taken.bronze()) == [5, 8]
    assert account(taken) == (5, 2, 3, 0)
    assert balance(taken.settings, "meters").is_kept


def test_rows_that_would_be_read_differently_stop_it(taken):
    moved = CSV | {"time": {"columns": ["time"], "zone": "Europe/Stockholm"}}
    versions = taken.versions()
    with pytest.raises(LakeError, match="2 rows that have landed are read differently"):
        replay(taken.settings, taken.source(delivery=moved))
    assert taken.versions() == versions


def test_a_refused_delivery_is_read_again(lake):
    lake.deliver("a.csv", ROWS.replace("kwh", "KWH"))
    assert lake.ingest(lake.source()).refused
    mended = (
        *METER[:2],
        column("kwh", "active_energy", "kW.h", limits=(0, 1000), delivered_as="KWH"),
    )
    outcome = replay(lake.settings, lake.source(columns=mended))
    assert (outcome.landed, outcome.refused) == (1, ())
    assert [row["rule"] for row in lake.quarantine()] == ["value_below_minimum", "value_unreadable"]
    assert balance(lake.settings, "meters").is_kept


def test_what_is_still_refused_is_said(lake):
    lake.deliver("a.csv", ROWS.replace("kwh", "KWH"))
    contract = lake.source()
    lake.ingest(contract)
    outcome = replay(lake.settings, contract)
    assert outcome.receipts == ()
    assert "columns of the contract are missing: kwh" in outcome.refused[0]


def test_a_person_releases_rows_that_break_a_rule(taken):
    decision = {"released_by": "Drift", "released_because": "the meter runs backwards"}
    outcome = replay(
        taken.settings,
        taken.source(),
        waived=frozenset({"value_below_minimum"}),
        decision=decision,
    )
    assert (outcome.landed, outcome.released) == (2, 2)
    told = {(row["value"], row["quality"], row["quality_code"]) for row in taken.bronze()}
    assert told == {
        (5, "good", None),
        (8, "good", None),
        (-3, "uncertain", "released:value_below_minimum"),
        (-7, "uncertain", "released:value_below_minimum"),
    }
    bronze = tables.bronze(taken.settings, "meters")
    assert decision.items() <= delta.note_of(bronze, delta.version_of(bronze)).items()
    assert balance(taken.settings, "meters").is_kept


def test_released_rows_stay_released(taken):
    contract = taken.source()
    replay(taken.settings, contract, waived=frozenset({"value_below_minimum"}))
    before = taken.hash(), taken.quarantine(), account(taken)
    outcome = replay(taken.settings, contract, everything=True)
    assert (outcome.landed, outcome.released) == (0, 0)
    assert (taken.hash(), taken.quarantine()) == before[:2]
    assert balance(taken.settings, "meters").is_kept


def test_rows_that_cannot_be_read_cannot_be_released(taken):
    with pytest.raises(LakeError, match=r"value_unreadable: .*nothing to release"):
        replay(taken.settings, taken.source(), waived=frozenset({"value_unreadable"}))


def test_lost_bytes_are_named(taken):
    for path in taken.settings.landing.rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(LakeError, match=r"the bytes of meters/a\.csv are gone"):
        replay(taken.settings, taken.source(columns=WIDER))


def test_what_is_held_is_told_by_rule(taken):
    held = quarantine.summary(taken.settings, "meters")
    assert [(one.rule, one.channel, one.rows, one.deliveries) for one in held] == [
        ("value_below_minimum", "kwh", 2, 2),
        ("value_unreadable", "kwh", 1, 1),
    ]
    (row,) = quarantine.rows(taken.settings, "meters", rule="value_unreadable")
    assert (row["name"], row["_row"], row["raw"]) == (
        "meters/a.csv",
        4,
        "m1;2026-10-19T12:00:00;x",
    )

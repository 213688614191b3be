"""Lost uplinks by frame counter: every planted loss is found, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.batches import frame_counters
from lakehouse.duck import connect

START = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def figures():
    """(device, day, received, lost, resets) of uplinks (device, minute, f_cnt, session)."""
    with connect() as connection:

        def ask(uplinks):
            rows = [
                {
                    "device": device,
                    "phenomenon_time": START + timedelta(minutes=minute),
                    "attributes": json.dumps(
                        {"uplink": "u", "session": session, "f_cnt": f_cnt}, separators=(",", ":")
                    ),
                }
                for device, minute, f_cnt, session in uplinks
            ]
            schema = pa.schema(
                [
                    ("device", pa.string()),
                    ("phenomenon_time", pa.timestamp("us", "UTC")),
                    ("attributes", pa.string()),
                ]
            )
            connection.register("bronze", pa.Table.from_pylist(rows, schema))
            found = connection.execute(frame_counters.losses("bronze")).fetchall()
            assert all(row[3] + row[4] == row[5] for row in found)
            return [
                (device, day, got, lost, again) for _, device, day, got, lost, _, again in found
            ]

        yield ask


def totals(rows) -> tuple[int, int, int]:
    """Received, lost, resets of all."""
    return sum(r[2] for r in rows), sum(r[3] for r in rows), sum(r[4] for r in rows)


def counting(numbers, session="s", device="a", start=0):
    return [(device, start + at, number, session) for at, number in enumerate(numbers)]


def test_nothing_is_lost(figures):
    assert totals(figures(counting(range(5, 50)))) == (45, 0, 0)
    assert figures([]) == []


def test_lost_ones_count_for_the_day_of_the_next_that_came(figures):
    day = 24 * 60
    uplinks = [("a", 0, 10, "s"), ("a", 5, 12, "s"), ("a", day, 20, "s"), ("b", day, 3, "s")]
    assert figures(uplinks) == [
        ("a", date(2026, 10, 1), 2, 1, 0),
        ("a", date(2026, 10, 2), 1, 7, 0),
        ("b", date(2026, 10, 2), 1, 0, 0),
    ]


def test_order_of_delivery_and_repeats_do_not_matter(figures):
    uplinks = counting([1, 2, 4, 5, 9, 10])
    shuffled = [*uplinks[3:], *uplinks[2:4], *reversed(uplinks[:3])]
    assert totals(figures(shuffled)) == totals(figures(uplinks)) == (6, 4, 0)


def test_repeat_with_a_later_time(figures):
    uplinks = [*counting([1, 2, 3, 4]), ("a", 2.5, 2, "s"), ("a", 0.2, 1, "s")]
    assert totals(figures(uplinks)) == (4, 0, 0)


def test_neighbours_that_two_clocks_swapped(figures):
    assert totals(figures(counting([100, 101, 103, 102, 104]))) == (5, 0, 0)


@pytest.mark.parametrize("bits", [16, 32])
def test_rollover(figures, bits):
    top = 2**bits
    assert totals(figures(counting([top - 3, top - 1, 0, 2, 3]))) == (5, 2, 0)
    assert totals(figures(counting([top - 2, 1]))) == (2, 2, 0)


def test_counter_of_32_bits_passes_16_bits(figures):
    assert totals(figures(counting([65534, 65535, 65536, 65538]))) == (4, 1, 0)


def test_rejoin_with_another_session(figures):
    uplinks = counting([3, 4, 7], "s1") + counting([2, 3, 5], "s2", start=10)
    assert totals(figures(uplinks)) == (6, 2 + 2 + 1, 1)


def test_rejoin_without_a_known_session(figures):
    assert totals(figures(counting([500, 501, 0, 1, 3], None))) == (5, 1, 1)
    assert totals(figures(counting([500, 501, 2, 3], None))) == (4, 2, 1)


def test_step_that_no_network_server_accepts_is_a_new_beginning(figures):
    assert totals(figures(counting([1, 2, 40_000, 40_001]))) == (4, 0, 1)


def test_rows_of_other_kinds_are_left_out(figures):
    with connect() as connection:
        query = frame_counters.losses(
            """(select 'a' as device, timestamptz '2026-10-01 00:00:00Z' as phenomenon_time,
                unnest([null, '{}', '{"f_cnt":null}', '{"f_cnt":"x"}', '{"f_cnt":-1}'])
                    as attributes)"""
        )
        assert connection.execute(query).fetchall() == []


sessions = st.lists(
    st.tuples(st.integers(2, 40), st.sets(st.integers(0, 39))), min_size=1, max_size=4
)


@settings(max_examples=60)
@given(sessions, st.integers(0, 100_000), st.randoms(use_true_random=False))
def test_every_planted_loss_is_found(figures, sessions, first, shuffle):
    """The first and the last uplink of a device come, and the last of each session."""
    uplinks, lost, minute = [], 0, 0
    for number, (length, missing) in enumerate(sessions):
        start = first if number == 0 else 0
        for at in range(length):
            minute += 1
            is_kept = at == length - 1 or (number == 0 and at == 0)
            if at in missing and not is_kept:
                lost += 1
            else:
                uplinks.append(("a", minute, start + at, f"s{number}"))
    received = len(uplinks)
    uplinks += uplinks[::3]
    shuffle.shuffle(uplinks)
    assert totals(figures(uplinks)) == (received, lost, len(sessions) - 1)

"""The city as a whole: the same every time, and accounted for."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT
from sample_city import generate


def digests(inbox: Path) -> dict[str, str]:
    return {
        str(path.relative_to(inbox)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(inbox.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_same_bytes(tmp_path, city):
    again = generate(tmp_path)
    assert digests(tmp_path) == digests(city.inbox)
    assert again == city.summary


def test_another_seed_is_another_city(tmp_path):
    generate(tmp_path / "a", scale=0.1, days=8)
    generate(tmp_path / "b", scale=0.1, days=8, seed=7)
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert a.keys() == b.keys()
    assert not set(a.values()) & set(b.values())


def test_same_bytes_in_another_process(tmp_path):
    """Nothing may hang on the hash seed of a process."""
    generate(tmp_path / "here", scale=0.1, days=2)
    command = [sys.executable, "-m", "sample_city", "--into", str(tmp_path / "there")]
    done = subprocess.run(
        [*command, "--scale", "0.1", "--days", "2"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert digests(tmp_path / "here") == digests(tmp_path / "there")
    assert "hamnar_elmatare" in done.stdout


def test_existing_files_are_not_touched(tmp_path):
    generate(tmp_path, scale=0.1, days=2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    generate(tmp_path, scale=0.1, days=2)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_damaged_file_is_made_whole(tmp_path):
    generate(tmp_path, scale=0.1, days=2)
    whole = digests(tmp_path)
    (tmp_path / "miljo_luft" / "luft_2026-10-19.csv").write_bytes(b"half a fi")
    generate(tmp_path, scale=0.1, days=2)
    assert digests(tmp_path) == whole


def test_inbox_holds_what_the_summary_lists(city):
    listed = {
        f"{source.source_id}/{delivery.name}"
        for source in city.summary.sources
        for delivery in source.deliveries
    }
    assert set(digests(city.inbox)) == listed


def test_names_sort_in_the_order_of_delivery(city):
    for source in city.summary.sources:
        names = [delivery.name for delivery in source.deliveries]
        assert names == sorted(names)


def test_every_ledger_adds_up(city):
    for source in city.summary.sources:
        assert all(delivery.ledger.adds_up for delivery in source.deliveries)
        assert source.ledger.adds_up
    assert 200_000 <= city.summary.ledger.rows_in <= 260_000


def test_scale_multiplies_the_rows(tmp_path):
    one = generate(tmp_path / "one", days=1)
    three = generate(tmp_path / "three", days=1, scale=3)
    assert three.ledger.rows_in == pytest.approx(3 * one.ledger.rows_in, rel=0.01)


def test_readings_do_not_depend_on_the_other_devices(tmp_path):
    generate(tmp_path / "few", days=1, scale=0.5)
    generate(tmp_path / "many", days=1, scale=2)
    few, many = (
        (tmp_path / name / "miljo_luft" / "luft_2026-10-19.csv").read_bytes().split(b"\r\n")
        for name in ("few", "many")
    )
    assert set(few) < set(many)


def test_few_days_have_fewer_faults(tmp_path):
    summary = generate(tmp_path, scale=0.1, days=1)
    assert summary["miljo_luft"].faults == {}
    assert summary["miljo_luft"].files == 1


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_impossible_scale_is_refused(tmp_path, scale):
    with pytest.raises(ValueError, match="scale above 0"):
        generate(tmp_path, scale=scale)


def test_no_days_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one day"):
        generate(tmp_path, days=0)


def test_unknown_source(city):
    with pytest.raises(KeyError):
        city.summary["nowhere"]

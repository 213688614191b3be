"""What is left after an erasure is told by place, each with what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakehouse.settings import Settings
from lakehouse.traces import Trace
from orchestration.commands.erasing import _problems


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environment({}, contracts=tmp_path / "contracts", home=tmp_path / "home")


def test_each_place_has_a_remedy_and_files_are_counted(settings):
    home = settings.home
    left = [
        Trace(home / "inbox/a.csv", "bytes", 2),
        *(Trace(home / f"releases/luft/0001/{n}.csv", "bytes", 1) for n in range(7)),
        Trace(home / "lake/gold/luft/a.parquet", "column device", 3),
        Trace(home / "lake/gold/luft/a.parquet", "bytes", 1),
        Trace(home / "landing/other/aa/b", "bytes", 1),
        Trace(home / "dagster/history/runs.db", "table event_logs", 1),
        Trace(home / "curious", "bytes", 1),
        Trace(home / "landing/other/aa/c", "unreadable", 1),
    ]
    told = {one.place: one for one in _problems(settings, left)}
    assert list(told) == [
        "inbox", "releases", "gold", "landing", "dagster", "curious", "unreadable",
    ]  # fmt: skip
    assert "inbox/a.csv (2)" in told["inbox"].what
    assert told["releases"].what.endswith("and 2 more files")
    assert "withdraw PRODUCT --erase" in told["releases"].remedy
    assert "lake/gold/luft/a.parquet (4)" in told["gold"].what
    assert "sjostad build" in told["gold"].remedy
    assert "Another source" in told["landing"].remedy
    assert told["curious"].remedy == "Look at it, and remove it by hand."
    assert "nobody can say" in told["unreadable"].remedy


def test_an_inbox_elsewhere_is_named_whole(settings, tmp_path):
    elsewhere = replace(settings, inbox=tmp_path / "suppliers")
    (one,) = _problems(elsewhere, [Trace(elsewhere.inbox / "a.csv", "bytes", 1)])
    assert (one.place, str(elsewhere.inbox) in one.what) == ("inbox", True)

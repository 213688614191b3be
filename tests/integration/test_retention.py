"""Retention removes exactly what is older than promised, and nothing brings it back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import balance, build_anew, enforce, replay, retention
from lakehouse import audit_log, delta, tables
from lakehouse.contracts import load_source
from tests.flow import AIR, METERS, Lake, reading
from tests.integration.test_built_anew import take
from tests.integration.test_incremental import require_same_as_full_refresh
from tests.integration.test_reconcile import sjostad
from tests.unit.ingestion.lake import new_lake

NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
KEPT = {"property": "retention", "value": 3, "unit": "d"}
FIRST = date(2026, 10, 17)


def promised(lake, promise=KEPT):
    """The source's contract, with a retention."""
    path = lake.write()
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("slaProperties:\n", f"slaProperties:\n- {json.dumps(promise)}\n"),
        encoding="utf-8",
    )
    return load_source(path)


def day_of(number: int, *more: str) -> str:
    rows = [f"m1;2026-10-{number:02}T10:00:00;{number}", f"m2;2026-10-{number:02}T23:59:59;1"]
    return "\n".join(["meter;time;kwh", *rows, *more]) + "\n"


@pytest.fixture
def taken(tmp_path):
    """A delivery for each of seven days, the first again in another, and one across the limit."""
    lake = new_lake(tmp_path)
    contract = promised(lake)
    for number in range(13, 20):
        broken = [f"m1;2026-10-{number}T11:00:00;x"] if number in (14, 18) else []
        received = datetime(2026, 10, number + 1, tzinfo=UTC)
        lake.deliver(f"{number}.csv", day_of(number, *broken), received)
        lake.ingest(contract)
    lake.deliver("again.csv", day_of(13, "m2;2026-10-16T08:00:00;5"), NOW)
    lake.deliver("across.csv", "meter;time;kwh\nm3;2026-10-16T23:59:59;1\nm3;2026-10-17T00:00:00;2",
                 NOW)  # fmt: skip
    lake.ingest(contract)
    return lake


def rows(lake):
    return [(row["device"], row["phenomenon_time"], row["value"]) for row in lake.bronze()]


def is_new(row) -> bool:
    return row[1].date() >= FIRST


def landed(lake) -> set[str]:
    found = (lake.settings.landing / "meters").rglob("*")
    return {path.name for path in found if path.is_file() and path.suffix != ".erased"}


def test_exactly_what_is_older_goes_and_the_account_adds_up(taken):
    contract = promised(taken)
    before = rows(taken)
    looked = enforce(taken.settings, contract, now=NOW, dry_run=True)
    assert rows(taken) == before
    done = enforce(taken.settings, contract, now=NOW)
    assert rows(taken) == [row for row in before if is_new(row)]
    assert (done.kept_from, done.rows, done.partitions) == (FIRST, 10, 4)
    assert (looked.rows, looked.held_rows, looked.deliveries) == (10, 1, None)
    assert done.held_rows == 1
    assert done.deliveries == 5  # of the 13th to the 16th, and the one that came again
    names = {line["delivery"]: line["name"] for line in taken.ledger()}
    assert {names[sha256] for sha256 in landed(taken)} == {
        "meters/17.csv", "meters/18.csv", "meters/19.csv", "meters/across.csv",
    }  # fmt: skip
    assert balance(taken.settings, "meters").is_kept
    for line in taken.ledger():
        out = line["landed"] + line["quarantined"] + line["duplicates"] + line["filtered"]
        assert line["rows_in"] == out
    assert enforce(taken.settings, contract, now=NOW) is None


def test_nothing_brings_it_back(taken):
    contract = promised(taken)
    enforce(taken.settings, contract, now=NOW)
    kept = rows(taken)
    again = replay(taken.settings, contract, everything=True)
    assert (again.landed, again.refused, rows(taken)) == (0, (), kept)
    assert balance(taken.settings, "meters").is_kept
    outcome = build_anew(taken.settings, contract)
    assert (outcome.gone, outcome.new, rows(taken)) == (0, 0, kept)
    taken.deliver("late.csv", "meter;time;kwh\nm4;2026-10-15T10:00:00;1\nm4;2026-10-18T10:00:00;2")
    ledger = taken.ingest(contract).ledger
    assert (ledger.landed, dict(ledger.filtered)) == (1, {"past_retention": 1})
    taken.deliver("13 under another name.csv", day_of(13))
    taken.ingest(contract)
    assert [row for row in rows(taken) if not is_new(row)] == []
    assert balance(taken.settings, "meters").is_kept


def test_models_read_the_source_anew(taken):
    bronze = tables.bronze(taken.settings, "meters")
    enforce(taken.settings, promised(taken), now=NOW)
    assert delta.mark_of(bronze, "anew") == 1
    version = delta.version_of(bronze)
    assert enforce(taken.settings, promised(taken), now=NOW + timedelta(hours=11)) is None
    assert delta.version_of(bronze) == version


def test_a_source_without_a_promise_is_never_touched(taken):
    before, versions = rows(taken), taken.versions()
    assert enforce(taken.settings, taken.source(), now=NOW + timedelta(days=9999)) is None
    assert (rows(taken), taken.versions()) == (before, versions)


@pytest.mark.parametrize("step", ["_of_quarantine", "_landed", "_restate"])
def test_stopped_between_steps_it_is_ended_the_next_time(taken, step, monkeypatch):
    contract = promised(taken)
    before = rows(taken)

    def stopping(*given, dry_run=False, **more):
        if dry_run:
            return real(*given, dry_run=dry_run, **more)
        raise KeyboardInterrupt

    real = getattr(retention, step)
    monkeypatch.setattr(retention, step, stopping)
    with pytest.raises(KeyboardInterrupt):
        enforce(taken.settings, contract, now=NOW)
    monkeypatch.undo()
    enforce(taken.settings, contract, now=NOW)
    assert rows(taken) == [row for row in before if is_new(row)]
    assert balance(taken.settings, "meters").is_kept
    assert len(landed(taken)) == 4
    assert enforce(taken.settings, contract, now=NOW) is None


@given(st.datetimes(datetime(1900, 1, 2), datetime(2030, 1, 1)), st.integers(1, 9 * 10**8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_partition_goes_once_all_of_it_is_older(when, seconds):
    now = when.replace(tzinfo=UTC)
    first = retention.kept_from(SimpleNamespace(retention_s=seconds), 2026, now)
    limit = now - timedelta(seconds=seconds)
    assert datetime(first.year, first.month, first.day, tzinfo=UTC) <= limit
    after = first + timedelta(days=1) if first.year >= 2026 else date(first.year + 1, 1, 1)
    assert datetime(after.year, after.month, after.day, tzinfo=UTC) > limit


def test_the_command_does_it_and_the_audit_log_says_so(taken):
    promised(taken)
    planned = sjostad(taken, "maintain", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "would go." in planned.stdout
    done = sjostad(taken, "maintain")
    assert done.returncode == 0, done.stderr
    assert "meters is kept from" in " ".join(done.stdout.split())
    (noted,) = [one for one in audit_log.entries(taken.settings) if one.action == "erased"]
    assert (noted.object, noted.details["rule"]) == ("source/meters", "retention")
    assert noted.details["rows"] == 17 + 2
    assert rows(taken) == []


@pytest.mark.slow
def test_silver_and_gold_follow_with_the_next_build(tmp_path):
    lake = Lake.in_folder(tmp_path)
    for day in range(10, 14):
        lines = ["Mätstation;Tid;PM10;PM2,5;NO2;Status"]
        lines += [f"HORN-01;2026-01-{day} {hour:02}:30;12,0;4,0;20,0;OK" for hour in range(2, 20)]
        take(lake, AIR, f"{day}.csv", "\r\n".join(lines) + "\r\n")
    start = datetime(2026, 1, 10, tzinfo=UTC)
    meter = [reading("vartahamnen/kaj1", "energi_kwh", start + timedelta(hours=6 * n), 100.0 + n)
             for n in range(16)]  # fmt: skip
    lake.land(METERS, meter)
    lake.build()
    lake.edit_contract(AIR, "slaProperties:\n", f"slaProperties:\n  - {json.dumps(KEPT)}\n")
    times = "source_id, phenomenon_time"
    before = lake.rows("silver.observation", times)
    contract = lake.contracts.sources[AIR]
    done = enforce(lake.settings, contract, now=datetime(2026, 1, 15, 1, tzinfo=UTC))
    assert (done.kept_from, done.rows) == (date(2026, 1, 12), 2 * 18 * 3)
    assert done.deliveries == 2
    lake.build()
    assert lake.rows("silver.observation", times) == [
        (source_id, when) for source_id, when in before
        if source_id != AIR or when.date() >= date(2026, 1, 12)
    ]  # fmt: skip
    require_same_as_full_refresh(lake)

"""Only what changed is looked at again, and the verdict still speaks of the whole version."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from deltalake import DeltaTable

from lakehouse import delta, tables
from lakehouse.contracts.product import Quality
from lakehouse.delta import transaction_log
from lakehouse.duck import connect, delta_scan
from lakehouse.verdicts import Check, load_verdict, passed_before, save_verdict
from quality import audit_product
from quality.audit import disclosed, rows
from quality.audit.days import FRESHNESS, ROWS, VALUES
from quality.audit.judging import judge
from quality.audit.scope import since, whole
from quality.audit.suite import suite_of
from tests.unit.publishing.lake import PRODUCT
from tests.unit.quality.dated import air_days, at, days, put

DATES = days(8)


@pytest.fixture
def product(contracts):
    """The product with a rule that is broken now and then, and stops nothing."""
    allowed = Quality(
        "station_name", "library", "invalidValues", {"mustBe": 0},
        {"validValues": ["Hornsgatan 108", "Sveavägen 59", "Lilla Essingen",
                         "Torkel Knutssonsgatan"]}, "warning",
    )  # fmt: skip
    return replace(contracts.product(PRODUCT), quality=(allowed,))


@pytest.fixture
def frames():
    made = air_days(DATES)
    for day, count in ((DATES[1], 2), (DATES[5], 3)):
        made[day].loc[made[day].index[:count], "station_name"] = "Unknown"
    return made


@pytest.fixture
def looked_at(monkeypatch):
    """Values of the partitions whose rows are loaded."""
    seen: list[str] = []
    real = rows._frame

    def spying(connection, scope, chunk, columns):
        seen.extend(part.value for part in chunk.parts)
        return real(connection, scope, chunk, columns)

    monkeypatch.setattr(rows, "_frame", spying)
    return seen


def named(verdict, column="station_name"):
    (check,) = [one for one in verdict.checks
                if one.column == column and one.expectation.endswith("in_set")]  # fmt: skip
    return check


def of_rows(verdict):
    return [(one.expectation, one.column, one.passed, one.unexpected, dict(one.unexpected_in))
            for one in verdict.checks
            if one.expectation not in (ROWS, VALUES, FRESHNESS)]  # fmt: skip


def test_one_changed_day_is_one_day_looked_at(settings, product, frames, looked_at):
    put(settings, frames)
    first = audit_product(settings, product, at(DATES[-1]))
    assert first.passed
    assert named(first).unexpected_in == {DATES[1].isoformat(): 2, DATES[5].isoformat(): 3}
    del looked_at[:]

    mended = frames[DATES[1]].assign(station_name="Sveavägen 59")
    put(settings, {DATES[1]: mended})
    second = audit_product(settings, product, at(DATES[-1], 9))
    assert set(looked_at) == {DATES[1].isoformat()}
    assert second.rows == first.rows
    assert named(second).unexpected_in == {DATES[5].isoformat(): 3}
    assert named(second).observed == f"3 of {first.rows:,} rows break it"
    address = tables.model(settings, "gold", PRODUCT)
    alone = judge(product, address, second.delta_version, suite_of(product), at(DATES[-1], 9))
    assert of_rows(second) == of_rows(alone)


def test_a_new_fault_is_found_and_a_lost_partition_is_no_longer_counted(settings, product, frames):
    address, _ = put(settings, frames)
    audit_product(settings, product, at(DATES[-1]))
    put(settings, {DATES[3]: frames[DATES[3]].assign(pm10_ug_m3=-1.0)})
    DeltaTable(str(address)).delete(f"partition_date = '{DATES[5]}'")
    verdict = audit_product(settings, product, at(DATES[-1], 9))
    assert not verdict.passed
    assert named(verdict).unexpected_in == {DATES[1].isoformat(): 2}
    assert any(reason.startswith("pm10_ug_m3: expected") for reason in verdict.reasons)
    assert any("days lost" in reason and DATES[5].isoformat() in reason
               for reason in verdict.reasons)  # fmt: skip


def test_what_failed_is_looked_at_until_it_passes(settings, product, frames, looked_at):
    put(settings, frames)
    audit_product(settings, product, at(DATES[-1]))
    put(settings, {DATES[3]: frames[DATES[3]].assign(pm10_ug_m3=-1.0)})
    assert not audit_product(settings, product, at(DATES[-1], 7)).passed
    del looked_at[:]
    put(settings, {DATES[6]: frames[DATES[6]].iloc[1:]})
    assert not audit_product(settings, product, at(DATES[-1], 8)).passed
    assert set(looked_at) == {DATES[3].isoformat(), DATES[6].isoformat()}


@pytest.mark.parametrize("why", ["another contract", "no log", "another table", "old verdict"])
def test_everything_is_looked_at_where_nothing_can_be_relied_on(
    settings, product, frames, looked_at, why
):
    address, version = put(settings, frames)
    first = audit_product(settings, product, at(DATES[-1]))
    put(settings, {DATES[2]: frames[DATES[2]].iloc[1:]})
    if why == "another contract":
        product = replace(product, digest="0" * 64)
    elif why == "no log":
        DeltaTable(str(address)).create_checkpoint()
        put(settings, {DATES[2]: frames[DATES[2]]})
        transaction_log.entry(address, version + 1).unlink()
    elif why == "another table":
        save_verdict(settings, replace(first, table_id="of the table before"))
    else:  # it told no rows by partition
        checks = tuple(replace(one, unexpected_in={}) for one in first.checks)
        save_verdict(settings, replace(first, checks=checks))
    del looked_at[:]
    verdict = audit_product(settings, product, at(DATES[-1], 9))
    assert verdict.passed, verdict.reasons
    assert set(looked_at) == {day.isoformat() for day in DATES}


def test_rearranged_files_are_no_change(settings, product, frames):
    address, version = put(settings, frames)
    base = audit_product(settings, product, at(DATES[-1]))
    put(settings, {DATES[2]: frames[DATES[2]]})
    DeltaTable(str(address)).optimize.compact()
    scope = since(whole(address, delta.version_of(address)), base)
    assert scope.changed == {DATES[2].isoformat()}
    assert not since(whole(address, version), base).looked_at


def test_an_audit_again_says_the_same_and_is_kept_once(settings, product, frames):
    put(settings, frames)
    first = audit_product(settings, product, at(DATES[-1]))
    again = audit_product(settings, product, at(DATES[-1], 9))
    assert of_rows(first) == of_rows(again)
    with connect() as connection:
        kept = connection.execute(
            f"""select count(*), count(distinct audited_at), sum(unexpected), min(rows)
            from {delta_scan(tables.quality(settings))}"""
        ).fetchall()
    assert kept == [(len(first.checks), 1, 5, first.rows)]


def test_chunks_find_what_one_frame_finds(settings, product, frames):
    frames[DATES[2]].loc[frames[DATES[2]].index[:4], "pm10_ug_m3"] = -3.0
    repeated = frames[DATES[4]]
    repeated.loc[repeated.index[1], "hour_start"] = repeated["hour_start"].iloc[0]
    address, version = put(settings, frames)
    planned = [one for one in suite_of(product).planned if rows.is_row_check(one)]
    scope = whole(address, version)
    with connect() as connection:
        found = [
            rows.check_rows(connection, scope, planned, 700, chunk_rows)
            for chunk_rows in (20, 100, 200, 10_000)
        ]
    assert found[0] == found[1] == found[2] == found[3]
    broken = {one.column: one.unexpected_in for one in found[0][0] if not one.passed}
    assert broken == {
        "pm10_ug_m3": {DATES[2].isoformat(): 4},
        "station_name": {DATES[1].isoformat(): 2, DATES[5].isoformat(): 3},
        "station_id, hour_start": {DATES[4].isoformat(): 2},
    }


def test_keys_with_one_hash_are_looked_at_again(settings, product, frames, monkeypatch):
    address, version = put(settings, frames)
    real = rows._ask

    def colliding(number, planned):
        asked = real(number, planned)
        return replace(asked, columns=dict.fromkeys(asked.columns, "1::bigint")) \
            if asked.is_key else asked  # fmt: skip

    monkeypatch.setattr(rows, "_ask", colliding)
    verdict = judge(product, address, version, suite_of(product), at(DATES[-1]))
    assert verdict.passed, verdict.reasons


def test_a_key_in_two_partitions_is_found(settings, product, frames):
    strayed = frames[DATES[3]].copy()
    strayed.loc[strayed.index[:2], "hour_start"] = frames[DATES[2]]["hour_start"].iloc[:2].to_list()

    frames[DATES[3]] = strayed
    address, version = put(settings, frames)
    verdict = judge(product, address, version, suite_of(product), at(DATES[-1]))
    (found,) = [one for one in verdict.checks if one.expectation == "no_key_in_two_partitions"]
    assert (found.passed, found.unexpected) == (False, 2)
    assert not verdict.passed


def test_a_table_that_has_lost_all_its_partitions_does_not_pass(settings, product, frames):
    address, _ = put(settings, frames)
    assert audit_product(settings, product, at(DATES[-1])).passed
    DeltaTable(str(address)).delete()
    verdict = audit_product(settings, product, at(DATES[-1], 9))
    assert verdict.rows == 0
    assert "the table is empty" in verdict.reasons
    assert any("8 days lost" in reason for reason in verdict.reasons)
    assert not judge(product, address, verdict.delta_version, suite_of(product)).passed


def test_an_old_verdict_still_loads(settings, product, frames):
    put(settings, frames)
    verdict = audit_product(settings, product, at(DATES[-1]))
    (path,) = settings.audits.rglob("*.json")
    told = json.loads(path.read_text("utf-8"))
    del told["table_id"]
    for check in told["checks"]:
        del check["unexpected_in"]
    path.write_text(json.dumps(told), encoding="utf-8")
    old = load_verdict(settings, product, verdict.delta_version)
    assert old is not None
    assert old.passed
    assert old.checks[0] == replace(verdict.checks[0], unexpected_in={})
    assert isinstance(old.checks[0], Check)
    assert passed_before(settings, product, verdict.delta_version + 1, verdict.table_id) is None


def test_a_day_that_was_cut_short_is_judged_when_another_comes(settings, product, contracts):
    """Nothing more of it came, so its partition does not change."""
    dates = days(42)
    frames = air_days(dates)
    cut = dates[-2]
    begun = frames | {cut: frames[cut][frames[cut]["hour_start"].dt.hour < 10]}
    put(settings, {day: frames[day] for day in dates[:-2]})
    assert audit_product(settings, product, at(dates[-3])).passed
    put(settings, {cut: begun[cut]})
    assert audit_product(settings, product, at(cut) - timedelta(hours=19)).passed
    put(settings, {dates[-1]: frames[dates[-1]]})
    verdict = audit_product(settings, product, at(dates[-1]))
    (found,) = [one for one in verdict.checks if one.expectation == ROWS]
    assert not verdict.passed
    assert cut.isoformat() in found.observed


def test_of_a_large_version_what_changed_is_scanned_and_the_rest_told_again(
    settings, product, frames, monkeypatch
):
    monkeypatch.setattr(disclosed, "SMALL", 0)
    columns = tuple(
        replace(one, may_hold=("email",)) if one.name == "district" else one
        for one in product.columns
    )
    product = replace(product, columns=columns)
    mail = "anna.andersson@example.se"
    frames[DATES[1]] = frames[DATES[1]].assign(district=mail)
    put(settings, frames)
    assert audit_product(settings, product, at(DATES[-1])).passed
    put(settings, {DATES[2]: frames[DATES[2]].assign(station_name=mail)})
    verdict = audit_product(settings, product, at(DATES[-1], 9))
    told = {
        (one.column, one.passed)
        for one in verdict.checks
        if one.expectation == disclosed.EXPECTATION
    }
    assert told == {("station_name", False), ("district", True)}
    assert not verdict.passed

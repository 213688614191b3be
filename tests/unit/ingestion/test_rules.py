"""Row rules by name, with the sentence that goes to quarantine."""

from __future__ import annotations

import pytest

from tests.unit.ingestion.lake import CHIRPSTACK, CSV, METER, column, uplink

HEAD = "meter;time;kwh\n"
QUALITY = {"quality": {"column": "q", "good": ["OK"], "bad": ["FEL"]}}
WITH_QUALITY = [*METER, column("q", kind="string")]


@pytest.fixture
def row(lake):
    def judged(cell, *, meter="m1", time="2026-10-19T10:00:00", columns=METER, more="", **changes):
        contract = lake.source(columns=columns, delivery=CSV | changes)
        head = ";".join(item["name"] for item in columns)
        path = lake.deliver("a.csv", f"{head}\n{meter};{time};{cell}{more}\n")
        (found,) = lake.judged(contract, path)
        return found

    return judged


@pytest.mark.parametrize(
    ("cell", "rule", "reason"),
    [
        ("el", "value_unreadable", "kwh is 'el', which is no number"),
        ("1_000", "value_unreadable", "kwh is '1_000', which is no number"),
        ("NaN", "value_not_finite", "kwh is 'NaN', which is not finite"),
        ("inf", "value_not_finite", "kwh is 'inf', which is not finite"),
        ("-Infinity", "value_not_finite", "kwh is '-Infinity', which is not finite"),
        ("1e400", "value_not_finite", "kwh is '1e400', which is not finite"),
        ("-0.5", "value_below_minimum", "kwh = -0.5 kW.h is below the minimum 0.0"),
        ("1000.5", "value_above_maximum", "kwh = 1000.5 kW.h is above the maximum 1000.0"),
    ],
)
def test_value(row, cell, rule, reason):
    found = row(cell)
    assert (found["verdict"], found["rule"], found["reason"]) == ("broken", rule, reason)


@pytest.mark.parametrize("cell", ["0", "-0.0", "1000", "0.30000000000000004", "5e-324"])
def test_sound_value_is_kept_to_the_last_bit(row, cell):
    found = row(cell)
    assert (found["verdict"], found["rule"], found["reason"]) == ("sound", None, None)
    assert found["value"] == float(cell)


def test_missing_time_and_device(row):
    assert (row("1", time="")["rule"], row("1", time="")["reason"]) == (
        "time_missing",
        "the time is empty",
    )
    found = row("1", meter="")
    assert (found["rule"], found["reason"]) == ("device_missing", "the row names no device")


def test_empty_value_is_left_out_by_name(row):
    found = row("")
    assert (found["verdict"], found["rule"]) == ("filtered", "empty_value")


@pytest.mark.parametrize(
    "must",
    [
        column("kwh", "active_energy", "kW.h", required=True),
        column("kwh", "active_energy", "kW.h", empty="quarantine"),
    ],
)
def test_empty_value_of_a_channel_that_must_have_one(row, must):
    found = row("", columns=[*METER[:2], must])
    assert (found["verdict"], found["rule"]) == ("broken", "value_missing")
    assert found["reason"] == "kwh is empty"


@pytest.mark.parametrize(("cell", "value"), [("", None), ("-5", -5.0), ("5000", 5000.0)])
def test_bad_quality_keeps_its_row(row, cell, value):
    found = row(cell, columns=WITH_QUALITY, more=";FEL", **QUALITY)
    assert (found["verdict"], found["quality"], found["value"]) == ("sound", "bad", value)


def test_bad_quality_is_no_excuse_for_a_text(row):
    assert row("x", columns=WITH_QUALITY, more=";FEL", **QUALITY)["rule"] == "value_unreadable"


def test_first_rule_that_speaks_decides(row):
    assert row("x", time="", meter="")["rule"] == "time_missing"


def test_limits_of_other_devices_do_not_count(row):
    mine = column("kwh", "active_energy", "kW.h", limits=(0, 1), devices="m2.*")
    found = row("5", columns=[*METER[:2], mine])
    assert (found["verdict"], found["is_known"]) == ("sound", False)
    assert row("5", meter="m22", columns=[*METER[:2], mine])["rule"] == "value_above_maximum"


TEMPERATURE = [column("temperature", "air_temperature", "Cel", limits=(-45, 60))]


def judge_uplink(lake, policy, **values):
    contract = lake.source(columns=TEMPERATURE, delivery=CHIRPSTACK | {"drift": policy})
    return lake.judged(contract, lake.deliver("a.ndjson", uplink(object=values)))


def test_unknown_channel_lands_and_is_marked(lake):
    known, unknown = judge_uplink(lake, "evolve", temperature=3, wind=4.5)
    assert (known["channel"], known["is_known"], known["unit"]) == ("temperature", True, "Cel")
    assert (unknown["channel"], unknown["is_known"], unknown["unit"]) == ("wind", False, None)
    assert unknown["verdict"] == "sound"


def test_unknown_channel_is_quarantined_where_the_contract_says_so(lake):
    known, unknown = judge_uplink(lake, "quarantine", temperature=3, wind=4.5)
    assert known["verdict"] == "sound"
    assert (unknown["rule"], unknown["reason"]) == (
        "channel_unknown",
        "the contract has no channel 'wind'",
    )


def test_broken_value_of_an_unknown_channel_has_a_reason_too(lake):
    contract = lake.source(columns=TEMPERATURE, delivery=CHIRPSTACK)
    text = uplink(object={"wind": 1}).replace('"wind": 1', '"wind": 1e400')
    (found,) = lake.judged(contract, lake.deliver("a.ndjson", text))
    assert (found["rule"], found["reason"]) == (
        "value_not_finite",
        "wind is '1e400', which is not finite",
    )
    assert lake.ingest(contract).ledger.quarantined == 1


def test_delivery_with_an_unknown_channel_is_refused_under_freeze(lake):
    contract = lake.source(columns=TEMPERATURE, delivery=CHIRPSTACK | {"drift": "freeze"})
    lake.deliver("a.ndjson", uplink(object={"temperature": 3, "wind": 4}))
    lake.deliver("b.ndjson", uplink(object={"temperature": 3}))
    outcome = lake.ingest(contract)
    (refused,) = outcome.refused
    assert "channels are new: wind" in refused.reason
    assert (refused.name, outcome.ledger.landed) == ("meters/a.ndjson", 1)

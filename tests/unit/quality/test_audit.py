"""The gate: what is not checked does not pass, and what is wrong is found and counted."""

from __future__ import annotations

import shutil
from dataclasses import replace

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pyarrow as pa
import pytest
from great_expectations.core import ExpectationSuite
from great_expectations.datasource.fluent.interfaces import Batch

from lakehouse import delta, tables
from lakehouse.contracts.product import Quality, load_product
from lakehouse.errors import LakeError
from lakehouse.verdicts import Verdict, load_verdict
from quality import audit_product
from quality.audit import disclosed
from quality.audit.days import FRESHNESS, ROWS, VALUES
from quality.audit.expectations import Runner, Uncounted
from quality.audit.judging import judge
from quality.audit.periods import AHEAD, GAP, LOST, TIMED
from quality.audit.suite import Planned, Suite, suite_of
from tests.unit.publishing.lake import METERS, OTHER, PRODUCT, air_rows, meter_rows


@pytest.fixture
def product(contracts):
    return contracts.product(PRODUCT)


def rule(metric, column=None, severity="critical", arguments=None, **limits):
    kind = limits.pop("type", "library")
    return Quality(column, kind, metric, limits, arguments or {}, severity)


def verdict_on(settings, product, write_gold, rows, suite=None) -> Verdict:
    version = write_gold(rows)
    address = tables.model(settings, "gold", product.model)
    return judge(product, address, version, suite_of(product) if suite is None else suite)


def changed(rows, index, **values):
    return [row | values if number == index else row for number, row in enumerate(rows)]


def test_sound_rows_pass(settings, product, write_gold):
    write_gold(air_rows())
    verdict = audit_product(settings, product)
    assert verdict.passed
    assert verdict.reasons == ()
    assert verdict.rows == 48
    planned = {one.expectation.configuration.type for one in suite_of(product).planned}
    assert len([one for one in verdict.checks if one.expectation in planned]) == len(
        suite_of(product).planned
    )
    assert {one.expectation for one in verdict.checks} - planned == {
        *(LOST, GAP, TIMED, AHEAD, ROWS, VALUES, FRESHNESS),
        disclosed.EXPECTATION,
    }
    assert load_verdict(settings, product, verdict.delta_version) == verdict


# --- the ways of not passing ---------------------------------------------------------------


def test_great_expectations_itself_calls_nothing_a_success():
    """Must-fail control: why the gate counts for itself."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    definition = asset.add_batch_definition_whole_dataframe("whole")
    rows = definition.get_batch({"dataframe": pd.DataFrame({"pm10": [-99.0]})})
    assert rows.validate(ExpectationSuite(name="empty", expectations=[])).success
    between = gxe.ExpectColumnValuesToBeBetween(column="pm10", min_value=0)
    assert not rows.validate(between).success
    empty = definition.get_batch({"dataframe": pd.DataFrame({"pm10": pd.Series(dtype="float")})})
    assert empty.validate(between).success


def test_no_verdict_is_not_a_pass(settings, product, write_gold):
    assert load_verdict(settings, product, write_gold(air_rows())) is None
    with pytest.raises(LakeError, match="has not been built"):
        audit_product(settings, replace(product, model="not_built"))


def test_an_empty_suite_does_not_pass(settings, product, write_gold):
    verdict = verdict_on(settings, product, write_gold, air_rows(), Suite((), ()))
    assert not verdict.passed
    assert "nothing that could be checked" in verdict.reasons[0]


def test_an_empty_table_does_not_pass(settings, product, write_gold):
    loose = replace(product, quality=())
    verdict = verdict_on(settings, loose, write_gold, [])
    assert all(check.passed for check in verdict.checks)
    assert not verdict.passed
    assert verdict.reasons == ("the table is empty",)


def test_a_missing_column_does_not_pass(settings, product, write_gold):
    extra = replace(product.columns[0], name="noise_db")
    wider = replace(product, columns=(*product.columns, extra))
    verdict = verdict_on(settings, wider, write_gold, air_rows())
    assert not verdict.passed
    assert verdict.reasons == ("the table lacks the promised column 'noise_db'",)


@pytest.mark.parametrize(
    "unknown",
    [
        rule("", type="sql", mustBe=0),
        rule("freshness", mustBeLessThan=1),
        rule("rowCount", mustNotBe=0),
        rule("rowCount", mustBeGreaterThan=0, mustBeLessThan=10),
        rule("nullValues", "pm10_ug_m3", mustBeLessThan=5),
        rule("invalidValues", "district", mustBe=0),
    ],
)
def test_a_rule_that_nobody_can_run_does_not_pass(settings, product, write_gold, unknown):
    strict = replace(product, quality=(*product.quality, unknown))
    verdict = verdict_on(settings, strict, write_gold, air_rows())
    assert not verdict.passed
    assert "cannot be run" in verdict.reasons[0]
    assert verdict.checks
    assert all(check.passed for check in verdict.checks)


def test_prose_is_no_rule(settings, product, write_gold):
    told = replace(product, quality=(*product.quality, rule("", type="text")))
    assert verdict_on(settings, told, write_gold, air_rows()).passed


def test_an_expectation_that_raises_does_not_pass_even_as_a_warning(settings, product, write_gold):
    broken = Planned(
        gxe.ExpectColumnValuesToBeBetween(column="station_name", min_value=0, severity="warning"),
        "station_name",
        "warning",
        "at least 0",
    )
    suite = Suite((*suite_of(product).planned, broken), ())
    rows = changed(air_rows(), 3, pm10_ug_m3=-1.0)
    verdict = verdict_on(settings, product, write_gold, rows, suite)
    assert not verdict.passed
    assert "station_name could not be made" in verdict.reasons[0]
    assert any(reason.startswith("pm10_ug_m3: expected") for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (lambda results: results[:-1], "2 checks were planned, 1 were made"),
        (lambda results: [results[0]] * 2, "only 1 of 2 planned checks were made"),
    ],
)
def test_fewer_results_than_planned_do_not_pass(monkeypatch, lose, reason):
    """Great Expectations has been known to leave failed ones out of a success (#8548)."""
    real = Batch.validate

    def forgetful(self, *arguments, **more):
        validation = real(self, *arguments, **more)
        validation.results = lose(validation.results)
        return validation

    monkeypatch.setattr(Batch, "validate", forgetful)
    planned = [gxe.ExpectColumnValuesToNotBeNull(column=name) for name in "ab"]
    frame = pd.DataFrame({"a": [1], "b": [2]})
    with pytest.raises(Uncounted, match=reason):
        Runner().results(frame, planned)


def test_a_verdict_is_for_one_version_and_one_contract(settings, contracts, write_gold, tmp_path):
    product = contracts.product(PRODUCT)
    write_gold(air_rows())
    verdict = audit_product(settings, product)
    newer = write_gold(air_rows(60))
    assert load_verdict(settings, product, newer) is None
    assert not verdict.covers(product, newer)

    text = product.path.read_text(encoding="utf-8")
    path = tmp_path / product.path.name
    path.write_text(text.replace("maximum: 1000", "maximum: 10"), encoding="utf-8")
    stricter = load_product(path)
    assert load_verdict(settings, stricter, verdict.delta_version) is None
    assert not verdict.covers(stricter, verdict.delta_version)
    assert verdict.covers(product, verdict.delta_version)
    assert not verdict.covers(contracts.product(OTHER), verdict.delta_version)


def test_the_audited_version_is_read_and_not_the_newest(settings, product, write_gold):
    bad = write_gold(changed(air_rows(), 0, readings=0))
    write_gold(air_rows())
    address = tables.model(settings, "gold", product.model)
    assert not judge(product, address, bad, suite_of(product)).passed
    assert judge(product, address, bad + 1, suite_of(product)).passed


# --- planted faults ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "faults", "count"),
    [
        ("station_name", {1: {"station_name": None}, 5: {"station_name": None}}, 2),
        ("pm10_ug_m3", {1: {"pm10_ug_m3": -0.5}, 2: {"pm10_ug_m3": 1000.1}}, 2),
        ("readings", {7: {"readings": 0}}, 1),
        ("longitude", {7: {"longitude": 181.0}}, 1),
    ],
)
def test_a_planted_fault_is_found_and_counted(settings, product, write_gold, column, faults, count):
    rows = air_rows()
    for index, values in faults.items():
        rows = changed(rows, index, **values)
    verdict = verdict_on(settings, product, write_gold, rows)
    failed = [check for check in verdict.checks if not check.passed]
    assert [(check.column, check.unexpected) for check in failed] == [(column, count)]
    assert not verdict.passed
    assert verdict.reasons[0].startswith(f"{column}: expected {failed[0].expected}")


def test_rows_with_the_same_key_are_found(settings, product, write_gold):
    verdict = verdict_on(settings, product, write_gold, [*air_rows(), air_rows()[0]])
    (failed,) = [check for check in verdict.checks if not check.passed]
    assert failed.column == "station_id, hour_start"
    assert failed.unexpected == 2
    assert "no two rows alike" in verdict.reasons[0]


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_only_a_critical_rule_stops_the_release(settings, product, write_gold, severity):
    allowed = rule(
        "invalidValues", "district", severity, {"validValues": ["Norrmalm", "Södermalm"]}, mustBe=0
    )
    strict = replace(product, quality=(allowed,))
    verdict = verdict_on(settings, strict, write_gold, air_rows())
    (failed,) = [check for check in verdict.checks if not check.passed]
    assert failed.unexpected == sum(row["district"] == "" for row in air_rows())
    assert failed.severity == severity
    assert verdict.passed is (severity == "warning")


@pytest.mark.parametrize(
    ("limits", "passes"),
    [
        ({"mustBe": 48}, True),
        ({"mustBe": 47}, False),
        ({"mustBeGreaterThan": 48}, False),
        ({"mustBeGreaterOrEqualTo": 48}, True),
        ({"mustBeLessThan": 48}, False),
        ({"mustBeLessOrEqualTo": 48}, True),
        ({"mustBeBetween": [48, 50]}, True),
        ({"mustBeBetween": [49, 50]}, False),
    ],
)
def test_row_counts_are_compared_as_the_standard_says(
    settings, product, write_gold, limits, passes
):
    counted = replace(product, quality=(rule("rowCount", **limits),))
    assert verdict_on(settings, counted, write_gold, air_rows()).passed is passes


def test_an_empty_hour_of_energy_passes_and_a_negative_one_does_not(settings, contracts):
    product = contracts.product(OTHER)
    address = tables.model(settings, "gold", product.model)
    for kwh, passes in ((None, True), (-0.1, False)):
        shutil.rmtree(address, ignore_errors=True)
        rows = changed(meter_rows(), 4, energy_kwh=kwh)
        delta.replace(address, pa.Table.from_pylist(rows, METERS), METERS)
        assert audit_product(settings, product).passed is passes

"""dbt's own tests, run in this process: those of the SQL, and those of a lake's rows."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from lakehouse.settings import PROJECT
from tests.flow import reading


def test_the_unit_tests_of_the_models_pass(lake):
    files = sorted((PROJECT / "dbt" / "models").rglob("*__unit_tests.yml"))
    tests = [
        test for path in files for test in yaml.safe_load(path.read_text("utf-8"))["unit_tests"]
    ]
    tested = {test["model"] for test in tests}
    gold = {path.stem for path in (PROJECT / "dbt" / "models" / "gold").rglob("*.sql")}
    assert gold - tested == set()
    assert {"observation", "datastream", "location", "position", "thing"} <= tested
    lake.dbt("test", "--select", "test_type:unit")


def test_the_registry_is_that_of_the_city(lake):
    """12 initiatives in 2022, three of them established; 35 in 2025, eleven of them."""
    when = datetime(2026, 1, 3, 8, tzinfo=UTC)
    lake.land("smarta_las", [reading("LAS-1", "event", when, None, text="öppnat")])
    lake.build("--select", "+smart_stad_trappan", "+vem_delar_vad")
    steps = lake.rows("gold.smart_stad_trappan", "year, is_established, initiatives")
    for year, expected in ((2022, (12, 3)), (2025, (35, 11))):
        all_of_them = sum(count for when, _, count in steps if when == year)
        established = sum(count for when, is_upper, count in steps if when == year and is_upper)
        assert (all_of_them, established) == expected
    rows = lake.rows("gold.vem_delar_vad", "initiative_id, status, datastreams, last_time")
    shared = {initiative: status for initiative, status, *_ in rows}
    assert shared["luftmatning_hornsgatan"] == "open"
    assert shared["multisensorer_kista"] == "no_product"
    # One series, counted and no more: its time would tell when a door was opened.
    assert ("smarta_las", "not_shareable", 1, None) in rows
    assert shared["fallsensorer"] == "no_source"


def test_the_data_tests_pass_on_sound_rows_and_fail_on_doubled_ones(lake):
    chosen = ("test", "--select", "luftkvalitet_timme,test_type:data")
    lake.dbt(*chosen)
    path = next(lake.address("gold.luftkvalitet_timme").glob("*/*.parquet"))
    log = lake.address("gold.luftkvalitet_timme") / "_delta_log"
    newest = max(log.glob("*.json"))
    adds = [line for line in newest.read_text("utf-8").splitlines() if path.name in line]
    double = path.with_name(f"again-{path.name}")
    double.write_bytes(path.read_bytes())
    after = log / f"{int(newest.stem) + 1:020d}.json"
    after.write_text("\n".join(adds).replace(path.name, double.name) + "\n", "utf-8")
    assert "unique_combination" in lake.dbt(*chosen, succeeds=False)

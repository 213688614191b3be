"""What Spark is told of the lake: every table that is there, and no other."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from lakehouse import delta, tables
from lakehouse.contracts import load_contracts
from lakehouse.metering import Meter, Purpose, keep
from lakehouse.reference import write_reference
from lakehouse.settings import PROJECT, Settings
from lakehouse.spark_tables import statements


def metered() -> Meter:
    meter = Meter("one")
    with meter.measure(Purpose("ingestion", "source", "miljo_luft")):
        pass
    return meter


def test_what_has_been_delivered_is_named_where_it_lies(tmp_path):
    settings = Settings.from_environment({}, home=tmp_path / "it's here")
    contracts = load_contracts(PROJECT / "contracts")
    names = set(write_reference(settings, contracts))
    for source_id in ("miljo_luft", "no_longer"):
        bronze, rows = tables.bronze(settings, source_id), tables.TELEMETRY.empty_table()
        delta.append(bronze, rows, tables.TELEMETRY, marks={"batch": 1})
    said = list(statements(settings, contracts))
    place = f"{settings.lake.absolute().as_uri()}/bronze/miljo_luft"
    assert f"create table if not exists bronze.`miljo_luft` using delta location '{place}'" in said
    assert not any("no_longer" in one or "smhi_vader" in one for one in said)
    assert {one.split("`")[1] for one in said if " reference.`" in one} == names
    assert (
        "create or replace view operations.metering as select cast(null as timestamp)"
        in "".join(said)
    )
    keep(settings, metered())
    there = f"{settings.lake.absolute().as_uri()}/operations/metering"
    named = f"create table if not exists operations.`metering` using delta location '{there}'"
    assert named.replace("it's", r"it\'s") in list(statements(settings, contracts))
    assert said[-1].startswith("create or replace view bronze.telemetry as select")
    assert said[-1].count(" union all ") == 1
    assert "'miljo_luft' as source_id, device, channel, phenomenon_time" in said[-1]

    elsewhere = list(statements(settings, contracts, "abfss://lake@x.example/"))
    assert any("'abfss://lake@x.example/bronze/miljo_luft'" in one for one in elsewhere)


def test_what_spark_has_built_is_named_to_an_engine_that_forgets(tmp_path):
    settings = Settings.from_environment({}, home=tmp_path / "home")
    contracts = replace(load_contracts(PROJECT / "contracts"), sources={})
    rows = pa.table({"a": [1]})
    delta.append(tmp_path / "spark" / "gold" / "made", rows, rows.schema, marks={"batch": 1})
    said = list(statements(settings, contracts, built=tmp_path / "spark"))
    place = f"{(tmp_path / 'spark').as_uri()}/gold/made"
    assert f"create table if not exists gold.`made` using delta location '{place}'" in said
    assert said[-1].endswith("where false")

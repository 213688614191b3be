"""What work took is kept, whatever came of it, and borne by somebody to the last second."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import delta, tables
from lakehouse.metering import Meter, Purpose, Spent, keep
from lakehouse.settings import Settings

AIR = Purpose("ingestion", "source", "miljo_luft")
DBT = Purpose("gold", "platform", "dbt")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.from_environment({}, home=tmp_path / "home")


def rows(settings: Settings) -> list[dict[str, object]]:
    return delta.open_table(tables.metering(settings)).to_pyarrow_table().to_pylist()


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_processor_time_counts_and_waiting_does_not():
    meter = Meter("one")
    with meter.measure(AIR) as spent:
        burn(0.05)
        time.sleep(0.2)
    assert 0.05 <= spent.processor_s < 0.2 <= spent.elapsed_s


def test_the_time_of_a_process_that_was_started_counts():
    meter = Meter("one")
    loop = "import time\nwhile time.process_time() < 0.2: pass"
    with meter.measure(AIR) as spent:
        subprocess.run([sys.executable, "-S", "-c", loop], check=True)
    assert spent.processor_s >= 0.2


def test_what_failed_was_paid_for_too(settings):
    meter = Meter("one")

    def fail() -> None:
        with meter.measure(AIR) as spent:
            spent.rows = 7
            raise ValueError("down")

    with pytest.raises(ValueError, match="down"):
        fail()
    keep(settings, meter)
    (row,) = rows(settings)
    assert {name: row[name] for name in ("run", "stage", "kind", "subject", "model", "rows")} == {
        "run": "one", "stage": "ingestion", "kind": "source", "subject": "miljo_luft",
        "model": None, "rows": 7,
    }  # fmt: skip
    assert row["bytes"] is None
    assert row["processor_s"] > 0
    assert (datetime.now(UTC) - row["metered_at"]).total_seconds() < 60


def test_a_run_is_kept_once_and_one_without_work_not_at_all(settings):
    keep(settings, Meter("idle"))
    assert not delta.exists(tables.metering(settings))
    for run in ("one", "one", "other"):
        meter = Meter(run)
        with meter.measure(AIR):
            pass
        keep(settings, meter)
    assert sorted(row["run"] for row in rows(settings)) == ["one", "other"]


@given(
    weights=st.dictionaries(
        st.sampled_from("abcdef").map(lambda name: Purpose("gold", "product", name)),
        st.floats(0, 1e4, allow_subnormal=False),
    ),
    processor_s=st.floats(0, 1e5),
)
def test_nothing_is_lost_by_dividing(weights, processor_s):
    meter = Meter("one")
    kept = Spent(AIR, 1.0, 1.0)
    whole = Spent(DBT, processor_s, 2 * processor_s)
    meter.found.extend([kept, whole])
    meter.divide(whole, weights)
    assert meter.found[0] is kept
    borne = meter.found[1:]
    assert sum(one.processor_s for one in borne) == pytest.approx(processor_s)
    assert sum(one.elapsed_s for one in borne) == pytest.approx(2 * processor_s)
    if not sum(weights.values()):
        assert borne == [whole]
        return
    assert {one.purpose for one in borne} == set(weights)
    for one in borne:
        share = weights[one.purpose] / sum(weights.values())
        assert one.processor_s == pytest.approx(processor_s * share)

"""The audit of one frame with pandas' default types and with Arrow types (docs/decisions/0006).

Run: python -m benchmarks.audit_frames
"""

from __future__ import annotations

import resource
from functools import partial

import pandas as pd
import pyarrow as pa

from benchmarks.rounds import compare
from lakehouse.contracts import load_product
from lakehouse.settings import PROJECT
from quality.audit.expectations import Runner
from quality.audit.suite import suite_of

ROWS = 100_000
CONTRACT = PROJECT / "contracts" / "products" / "energianvandning_timme.yaml"


def table() -> pa.Table:
    """Rows that keep the contract of energianvandning_timme."""
    hours = pd.date_range("2026-01-01", periods=ROWS // 10, freq="h", tz="UTC")
    return pa.table(
        {
            "meter_id": [f"meter-{number % 10}" for number in range(ROWS)],
            "hour_start": [hours[number // 10] for number in range(ROWS)],
            "hour_start_local": [hours[number // 10].isoformat() for number in range(ROWS)],
            "place_name": ["kaj"] * ROWS,
            "district": ["Östermalm"] * ROWS,
            "energy_kwh": [float(number % 500) for number in range(ROWS)],
            "readings": pa.array([4] * ROWS, pa.int32()),
        }
    )


def main() -> None:
    """Run the same suite on both frames."""
    rows = table()
    planned = [one.expectation for one in suite_of(load_product(CONTRACT)).planned]
    runner = Runner()
    frames = {
        "pandas' default types": rows.to_pandas(),
        "Arrow types": rows.to_pandas(types_mapper=pd.ArrowDtype),
    }
    for frame in frames.values():
        if not all(result.success for result in runner.results(frame, planned)):
            raise SystemExit("the frames should pass")
    print(f"{ROWS:,} rows, {len(planned)} expectations")
    compare({name: partial(runner.results, frame, planned) for name, frame in frames.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:.0f} MB")


if __name__ == "__main__":
    main()

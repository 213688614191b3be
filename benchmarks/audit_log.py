"""The audit log: a line with its flush, in short and long logs; a signed head; a whole walk.

Lines are written by the real writer into the folder for temporary files (TMPDIR says which disk);
long logs are filled up without flushing, as nobody waits for that.
Run: python -m benchmarks.audit_log
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from lakehouse.audit_log import Entry, sign_heads, verify
from lakehouse.audit_log.appending import record
from lakehouse.audit_log.lines import Line, written
from lakehouse.settings import Settings

DAYS = (1, 30, 365)
_A_DAY = 1_000
_TURNS = 300
_START = datetime(2026, 1, 1, 6, tzinfo=UTC)


def filled(settings: Settings, days: int) -> datetime:
    """A log of so many days with a thousand lines each; returns a time on the last of them."""
    last = record(settings, _START, "ran", "job/ingestion", "done", {"rows": 1})
    for day in range(days):
        now = _START + timedelta(days=day)
        path = settings.audit_log / f"{now.date()}.jsonl"
        with path.open("ab") as file:
            for _ in range(_A_DAY):
                last = _following(last, now, path)
                file.write(written(last))
    os.sync()  # else the first lines wait for all of it
    return now


def _following(last: Entry, now: datetime, path: Path) -> Entry:
    digest = Line(path, 0, written(last)).digest
    at = now.isoformat(timespec="microseconds")
    return replace(last, number=last.number + 1, at=at, previous=digest)


def milliseconds(work: Callable[[], object], turns: int = 1) -> list[float]:
    """How long each turn took."""
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def main() -> None:
    """Measure and print."""
    for days in DAYS:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.from_environment({"SJOSTAD_ACTOR": "bench"}, home=Path(folder))
            now = filled(settings, days)
            details = {"version": 41, "rows": 1_000_000}
            lines = milliseconds(
                lambda: record(settings, now, "released", "product/x", "done", details),  # noqa: B023
                _TURNS,
            )
            heads = milliseconds(lambda: sign_heads(settings, now + timedelta(days=1)))  # noqa: B023
            walk = milliseconds(lambda: verify(settings))  # noqa: B023
            found = verify(settings)
            assert found.is_whole
            print(
                f"{days:3} days, {found.events:7,} lines: a line {median(lines):.2f} ms "
                f"(95 %: {quantiles(lines, n=20)[-1]:.2f}), {days} heads {heads[0]:,.0f} ms, "
                f"the whole walk {walk[0]:,.0f} ms"
            )


if __name__ == "__main__":
    main()

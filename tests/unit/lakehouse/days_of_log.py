"""An audit log of some days, for the tests of what is written, signed and tampered with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse.audit_log import verify
from lakehouse.audit_log.appending import record
from lakehouse.audit_log.lines import Entry
from lakehouse.settings import Settings

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
PRODUCT = "product/luftkvalitet_timme"


def lake_at(home: Path, **names: str) -> Settings:
    return Settings.from_environment({"SJOSTAD_ACTOR": "nightly", **names}, home=home)


def write(settings: Settings, day: int, number: int = 0, about: str = PRODUCT, **details) -> Entry:
    now = START + timedelta(days=day, minutes=number)
    return record(settings, now, "released", about, "done", details)


def files_of(settings: Settings) -> list[Path]:
    return sorted(settings.audit_log.glob("*.jsonl"))


def found(settings: Settings) -> tuple[str, int, str]:
    broken = verify(settings).broken
    assert broken is not None, "nothing was found"
    assert str(broken.path) in str(broken)
    return broken.path.name, broken.line, broken.what

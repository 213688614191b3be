"""Reading the audit log: what was done, and what was done to one product in a period."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime

from lakehouse.audit_log.lines import Entry, days_in, lines_of, read
from lakehouse.settings import Settings


def entries(settings: Settings, since: date | None = None) -> Iterator[Entry]:
    """Events in the order they were noted; torn lines are passed over.

    Whether they are as they were written is for `verify` to say.

    Args:
        settings: The lake.
        since: First file to read; a line never stands in the file of a day before its own.
    """
    for day, path in days_in(settings.audit_log).items():
        if since is None or day >= since:
            for line in lines_of(path):
                entry = read(line.content)
                if entry is not None:
                    yield entry


def incident(
    settings: Settings, objects: str | Collection[str], since: datetime, until: datetime
) -> Iterator[Entry]:
    """What was done to some objects in a period, for the reports of an incident.

    Args:
        settings: The lake.
        objects: A product, or several things: `product/luftkvalitet_timme`, `source/miljo_luft`.
        since: Start, with a time zone.
        until: End, not part of the period.
    """
    wanted = {objects} if isinstance(objects, str) else set(objects)
    for entry in entries(settings, since.astimezone(UTC).date()):
        if entry.object in wanted and since <= entry.time < until:
            yield entry

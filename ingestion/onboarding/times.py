"""How the times of a sample are written, and what must be asked of a person about them.

A format is proposed when it reads every cell. Where two orders of day and month read them all,
neither is taken. A zone is seen only in an offset, a Z, an epoch or a header that says UTC;
hours that are missing or doubled when clocks change are told as hints, not taken for an answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

_ISO: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?"
)
_OFFSET: Final = re.compile(r":\d{2}(\.\d+)? ?(Z|z|[+-]\d{2}(:?\d{2})?)$")
_CLOCK: Final = re.compile(r"\d{1,2}[:.]\d{2}([:.]\d{2})?")
_DATES: Final = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%Y-%m-%d", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
)  # fmt: skip
_CLOCKS: Final = ("", "%H:%M", "%H:%M:%S", "%H.%M.%S", "%H.%M", "%H%M", "%H%M%S", "%I:%M %p",
                  "%I:%M:%S %p")  # fmt: skip
_JOINTS: Final = (" ", "T", "")
_TRIED: Final = 3000
_HINT: Final = re.compile(
    r"(?i)time|tid|date|datum|dag|stamp|zeit|klock|_ts$|^ts$|published|updated|observed|mtu"
)
_END: Final = re.compile(r"(?i)(^|[^a-zåäö])(to|end|till|until|slut)($|[^a-zåäö])|datetimeto|End$")
_LATE: Final = re.compile(
    r"(?i)receiv|created|modified|updated|changed|published|mottag|result|representativ|expire"
)
ZONES: Final = "Europe/Stockholm (with summer time), Etc/GMT-1 (winter time all year), UTC"


@dataclass(frozen=True, slots=True)
class Clock:
    """Columns that say when.

    Attributes:
        columns: Joined by a space they hold the time.
        formats: Formats that read every cell: one, or several that only a person can choose of.
        split: What stands between start and end in one column.
        is_utc: What says that it is UTC; empty when nothing does.
        times: What the cells say with the first format, in the order of the rows; wall clock or
            UTC.
    """

    columns: tuple[str, ...]
    formats: tuple[str, ...]
    split: str | None
    is_utc: str
    times: tuple[datetime | None, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it names instants or days, not only hours of an unknown day."""
        return any(self.times)


def clocks(cells: dict[str, list[str | None]], titles: dict[str, str]) -> list[Clock]:
    """The columns that hold times, the likeliest time of measurement first."""
    found = [clock for name in cells if (clock := _clock(name, cells[name], titles.get(name, "")))]
    hours = [name for name in cells if _is_clock_only(cells[name])]
    joined = [
        both for clock in found for name in hours
        if _is_date_only(clock) and (both := _joined(clock, name, cells, titles))
    ]  # fmt: skip
    return sorted([*joined, *found], key=_likelihood, reverse=True)


def looks_like_time(cell: str) -> bool:
    """Whether one text is a time by itself."""
    return bool(_ISO.fullmatch(cell)) or bool(_matching([cell], _formats()))


def end_of(chosen: Clock, others: Sequence[Clock]) -> Clock | None:
    """The clock that says when the interval of a row ends: later, never earlier, in the name."""
    for other in others:
        pairs = [
            (begin, end) for begin, end in zip(chosen.times, other.times, strict=True)
            if begin and end
        ]  # fmt: skip
        if other is chosen or set(other.columns) & set(chosen.columns) or not pairs:
            continue
        is_later = all(end >= begin for begin, end in pairs) and any(e > b for b, e in pairs)
        if is_later and _END.search(other.columns[0]) and other.formats == chosen.formats:
            return other
    return None


def hints(times: Sequence[datetime | None], zone: str = "Europe/Stockholm") -> str:
    """What the hours when clocks change say: one that is missing in spring, doubled in autumn."""
    walls = [time for time in times if time is not None]
    counts = Counter(walls)
    if not walls or len(counts) < 24:
        return ""
    said = []
    for year in range(min(walls).year, max(walls).year + 1):
        changes = _changes(year, zone)
        if changes is None:
            continue
        spring, autumn = changes
        around = [spring - timedelta(hours=2), spring + timedelta(hours=3)]
        seen = [wall for wall in counts if around[0] <= wall < around[1]]
        gap = [wall for wall in seen if spring <= wall < spring + timedelta(hours=1)]
        if len(seen) >= 3 and not gap:
            said.append(f"no hour {spring:%Y-%m-%d %H:%M}")
        elif gap:
            said.append(f"rows at {gap[0]:%Y-%m-%d %H:%M}, an hour that {zone} does not have")
        doubled = [w for w in counts if autumn <= w < autumn + timedelta(hours=1) and counts[w] > 1]
        before = counts.get(autumn - timedelta(hours=1), 1)
        if doubled and counts[doubled[0]] > before:
            said.append(f"{doubled[0]:%Y-%m-%d %H:%M} more than once")
    return "; ".join(said[:3])


def step(times: Sequence[datetime | None], keys: Sequence[str]) -> float | None:
    """The most frequent number of seconds between rows of the same key; None without two."""
    last: dict[str, datetime] = {}
    counts: Counter[float] = Counter()
    for time, key in zip(times, keys, strict=True):
        if time is None:
            continue
        if key in last and time > last[key]:
            counts[(time - last[key]).total_seconds()] += 1
        last[key] = time
    return counts.most_common(1)[0][0] if counts else None


def _clock(name: str, column: list[str | None], title: str) -> Clock | None:
    cells = [cell.strip() for cell in column if cell and cell.strip()]
    if not cells:
        return None
    told = f"{name} {title}"
    for split in (None, " - ", "/"):
        if split and not all(cell.count(split) == 1 for cell in cells[:200]):
            continue
        starts = [cell.split(split)[0] for cell in cells] if split else cells
        formats = _formats_of(starts, bool(_HINT.search(told)))
        if formats:
            first = formats[0]
            is_utc = _utc(told, starts, first)
            parts = [cell.split(split)[0] if cell and split else cell for cell in column]
            times = tuple(_read(cell, first) for cell in parts)
            return Clock((name,), formats, split, is_utc, times)
    return None


def _formats_of(cells: Sequence[str], is_hinted: bool) -> tuple[str, ...]:
    """Formats that read nearly every cell: of a few cells that none reads, quarantine will tell."""
    some = list(dict.fromkeys(cells))[:_TRIED]
    if sum(bool(_ISO.fullmatch(cell)) for cell in some) >= 0.9 * len(some):
        return ("iso8601",)
    if all(cell.isdigit() for cell in some):
        numbers = [int(cell) for cell in some]
        if is_hinted and all(1_000_000_000_000 <= n < 4_200_000_000_000 for n in numbers):
            return ("epoch_ms",)
        if is_hinted and all(1_000_000_000 <= number < 4_200_000_000 for number in numbers):
            return ("epoch_s",)
        if not is_hinted and len(some) < 3:
            return ()
    return tuple(_matching(some, _formats()))


def _formats() -> Iterator[str]:
    for date in _DATES:
        for clock in _CLOCKS:
            for joint in _JOINTS if clock else ("",):
                yield f"{date}{joint}{clock}"


def _matching(cells: Sequence[str], formats: Iterator[str]) -> Iterator[str]:
    """Formats that read every cell (of many cells nearly every one) and write it as it was."""
    spare = len(cells) // 20
    for form in formats:
        failures = 0
        for cell in cells:
            failures += _read(cell, form) is None
            if failures > spare:
                break
        else:
            yield form


def _read(cell: str | None, form: str) -> datetime | None:
    if not cell:
        return None
    text = cell.strip()
    try:
        if form == "iso8601":
            time = datetime.fromisoformat(text.replace(" +", "+"))
            return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
        if form in ("epoch_s", "epoch_ms"):
            seconds = int(text) / (1000 if form == "epoch_ms" else 1)
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        digits = "%Y%m%d" in form or "%H%M" in form
        if digits and len(text) != len(datetime(2000, 1, 1).strftime(form)):  # noqa: DTZ001
            return None
        return datetime.strptime(text, form)  # noqa: DTZ007 - a wall clock's
    except ValueError:
        return None


def _utc(told: str, cells: Sequence[str], form: str) -> str:
    if form in ("epoch_s", "epoch_ms"):
        return "an epoch counts from 1970 in UTC"
    if re.search(r"(?i)\butc\b|_utc|\.utc", told):
        return "the name says UTC"
    if form == "iso8601" and sum(bool(_OFFSET.search(cell)) for cell in cells) >= 0.9 * len(cells):
        return f"every time has its offset, such as {cells[0]}"
    return ""


def _is_clock_only(column: list[str | None]) -> bool:
    cells = [cell for cell in column if cell]
    return bool(cells) and all(_CLOCK.fullmatch(cell.strip()) for cell in cells[:500]) and any(
        ":" in cell or cell.count(".") == 2 for cell in cells[:500]
    )  # fmt: skip


def _is_date_only(clock: Clock) -> bool:
    return all(time is None or (time.hour, time.minute) == (0, 0) for time in clock.times)


def _joined(
    clock: Clock, hours: str, cells: dict[str, list[str | None]], titles: dict[str, str]
) -> Clock | None:
    """A date and an hour of two columns, as the contract joins them: by a space."""
    pairs = zip(cells[clock.columns[0]], cells[hours], strict=True)
    texts: list[str | None] = [f"{date} {hour}" if date and hour else None for date, hour in pairs]
    name = f"{clock.columns[0]} {hours}"
    both = _clock(name, texts, titles.get(hours, ""))
    if both is None:
        return None
    return Clock((clock.columns[0], hours), both.formats, None, both.is_utc, both.times)


def _likelihood(clock: Clock) -> tuple[bool, bool, int, bool, bool, bool, int]:
    """A measurement's own time before those of its end, its receipt and its publication."""
    name = clock.columns[0]
    filled = sum(time is not None for time in clock.times)
    return (
        not _LATE.search(name), not name.startswith(("$", "^")), len(clock.columns),
        not _END.search(name), filled >= 0.5 * len(clock.times), bool(_HINT.search(name)),
        len(set(clock.times)),
    )  # fmt: skip


def _changes(year: int, zone: str) -> tuple[datetime, datetime] | None:
    """The local hours of a year that do not exist, and exist twice; None if clocks stay."""
    own = ZoneInfo(zone)
    days = [datetime(year, 1, 1, 12, tzinfo=own) + timedelta(days=n) for n in range(365)]
    changed = [after for day, after in pairwise(days) if day.utcoffset() != after.utcoffset()]
    if len(changed) != 2:
        return None
    spring, autumn = (day.replace(hour=2, tzinfo=None) for day in changed)
    return spring, autumn

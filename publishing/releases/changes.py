"""What a release changed against the one it supersedes, as the manifest keeps it.

Only the facts; `comparison` finds them and `changelog` tells them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

ColumnEvent = Literal["added", "removed", "type", "unit", "key"]


@dataclass(frozen=True, slots=True)
class DayChanges:
    """Rows of one day that were added, changed and removed.

    Attributes:
        day: Day of the product's time column in UTC, ISO 8601; None for rows without a time.
        added: Rows whose key the release before did not have.
        changed: Rows of a key that both have, with another value.
        removed: Rows whose key only the release before had.
    """

    day: str | None
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """What became of one column: added, removed, or its type, its unit or the key another.

    `before` and `after` are the type, the unit or whether it belongs to the key (`yes`, `no`);
    None where there was none.
    """

    column: str
    event: ColumnEvent
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed against the release before.

    Attributes:
        supersedes: Number of the release before.
        version: Its version.
        contract_before: Its contract's version.
        contract_after: The contract's version now.
        compared_by: Columns that rows were matched by; none when the two releases have no key in
            common that tells their rows apart. Then whole rows were compared, so that a changed
            row counts as one removed and one added.
        days: The days with changes, oldest first; days without any are left out.
        columns: What became of the columns.
    """

    supersedes: int
    version: str
    contract_before: str
    contract_after: str
    compared_by: tuple[str, ...]
    days: tuple[DayChanges, ...]
    columns: tuple[ColumnChange, ...]

    @property
    def added(self) -> int:
        """Rows added in all."""
        return sum(day.added for day in self.days)

    @property
    def changed(self) -> int:
        """Rows changed in all."""
        return sum(day.changed for day in self.days)

    @property
    def removed(self) -> int:
        """Rows removed in all."""
        return sum(day.removed for day in self.days)

    @property
    def span(self) -> tuple[str, str] | None:
        """First and last day touched; None when no row with a time was."""
        named = [day.day for day in self.days if day.day is not None]
        return (named[0], named[-1]) if named else None

    def as_json(self) -> dict[str, Any]:
        """The changes as they stand in a manifest, sums first."""
        return {
            "supersedes": {"number": self.supersedes, "version": self.version},
            "contract": {"before": self.contract_before, "after": self.contract_after},
            "rows": {"added": self.added, "changed": self.changed, "removed": self.removed},
            "first_day": self.span[0] if self.span else None,
            "last_day": self.span[1] if self.span else None,
            "compared_by": list(self.compared_by),
            "days": [asdict(day) for day in self.days],
            "columns": [asdict(column) for column in self.columns],
        }


def from_json(data: Mapping[str, Any]) -> Changes:
    """Changes from what a manifest says.

    Raises:
        KeyError: Something is missing.
        ValueError: The sums are not those of the days.
    """
    found = Changes(
        supersedes=int(data["supersedes"]["number"]),
        version=str(data["supersedes"]["version"]),
        contract_before=str(data["contract"]["before"]),
        contract_after=str(data["contract"]["after"]),
        compared_by=tuple(data["compared_by"]),
        days=tuple(DayChanges(**day) for day in data["days"]),
        columns=tuple(ColumnChange(**column) for column in data["columns"]),
    )
    if found.as_json()["rows"] != data["rows"]:
        raise ValueError("the sums of the changes are not those of their days")
    return found

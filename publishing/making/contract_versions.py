"""Whether a contract's version says how much it has changed since the release before.

A change that breaks what somebody built upon the last release asks for a new major version, an
addition for a new minor one, and any other change for a new version at all. Otherwise nobody could
tell from the version that a column has gone or has another unit.

Source: Semantic Versioning 2.0.0, items 6 to 8; ODCS v3.1.0, "Fundamentals", `version`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lakehouse.contracts import ProductContract
from lakehouse.contracts.versions import SemanticVersion
from lakehouse.errors import Problem, ReleaseRefused
from publishing.making.comparison import column_changes
from publishing.releases.changes import ColumnChange
from publishing.releases.manifest import Column, Release

_EVENTS: Final = {
    "removed": "the column '{0.column}' is gone",
    "type": "the type of '{0.column}' is {0.after}, it was {0.before}",
    "unit": "the unit of '{0.column}' is {0.after}, it was {0.before}",
    "key": "'{0.column}' belongs to the key: {0.after}, before: {0.before}",
}


def require_version(newest: Release, contract: ProductContract, columns: Sequence[Column]) -> None:
    """Refuse a contract that has changed more than its version says.

    Args:
        newest: The last release.
        contract: The contract as it is now.
        columns: Its columns.

    Raises:
        ReleaseRefused: Naming what has changed and the version to write.
    """
    if newest.contract_digest == contract.digest:
        return
    then, now = (_read(text) for text in (newest.contract_version, contract.version))
    breaking = list(breaking_changes(newest, contract, columns))
    added = [
        change for change in column_changes(newest.columns, columns) if change.event == "added"
    ]
    if breaking:
        least = SemanticVersion(then.major + 1, 0, 0)
        why = f"it breaks what release {newest.number} promised: {'; '.join(breaking)}"
    elif added:
        least = SemanticVersion(then.major, then.minor + 1, 0)
        why = f"it has more columns than release {newest.number}: {_named(added)}"
    else:
        least = SemanticVersion(then.major, then.minor, then.patch + 1)
        why = f"it says something else than it did at release {newest.number}"
    if now < least:
        raise ReleaseRefused(
            Problem(
                f"{contract.path}: version",
                f"{contract.version}, but {why}",
                f"Write version {least} or higher.",
            )
        )


def breaking_changes(
    newest: Release, contract: ProductContract, columns: Sequence[Column]
) -> Iterator[str]:
    """What a contract takes away from, or makes another of, what the last release promised."""
    for change in column_changes(newest.columns, columns):
        if change.event in _EVENTS:
            yield _EVENTS[change.event].format(change)
    if contract.grain != newest.grain:
        yield f"a row is '{contract.grain}', it was '{newest.grain}'"
    time, before = contract.publication.time_column, newest.publication.time_column
    if time != before:
        yield f"'{time}' says when, it was '{before}'"
    if contract.publication.licence != newest.publication.licence:
        yield f"the licence is {contract.publication.licence}, it was {newest.publication.licence}"


def _read(text: str) -> SemanticVersion:
    """A version; releases from before versions were checked may have another text."""
    return SemanticVersion.read(text) or SemanticVersion(0, 0, 0)


def _named(changes: Sequence[ColumnChange]) -> str:
    return ", ".join(change.column for change in changes)

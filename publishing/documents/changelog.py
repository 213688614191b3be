"""What a release changed, in words: a sentence for pages and cards, and the file CHANGES.

People who have built on the release before read here whether they must do anything: which days
have other rows now, and whether a column means something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lakehouse.contracts.product import Text
from publishing import words
from publishing.releases.changes import Changes, ColumnChange
from publishing.releases.manifest import Release
from publishing.terms import TYPE_NAMES
from publishing.words import Language, markdown, said

_DAYS_TOLD: Final = 60
"""Days that the file lists, the newest; the manifest has them all."""

_EVENTS: Final = {
    "added": Text(sv="ny kolumn, {after}", en="new column, {after}"),
    "removed": Text(sv="borttagen kolumn, {before}", en="column removed, {before}"),
    "type": Text(sv="var {before}, är {after}", en="was {before}, is {after}"),
    "unit": Text(sv="enheten var {before}, är {after}", en="unit was {before}, is {after}"),
    "key": Text(sv="hör till nyckeln: {before} → {after}", en="in the key: {before} → {after}"),
}
_YES_NO: Final = {"yes": Text(sv="ja", en="yes"), "no": Text(sv="nej", en="no")}
_NO_UNIT: Final = Text(sv="ingen", en="none")


def summary(changes: Changes) -> Text:
    """What changed, in a sentence or three, in both languages."""
    return Text(
        sv=" ".join(_sentences(changes, "sv")),
        en=" ".join(_sentences(changes, "en")),
    )


def rows_told(changes: Changes, language: Language) -> str:
    """Rows added, changed and removed, in words."""
    added, changed, removed = (
        words.number(count, language) for count in (changes.added, changes.changed, changes.removed)
    )
    if language == "sv":
        return f"{added} tillagda, {changed} ändrade, {removed} borttagna"
    return f"{added} added, {changed} changed, {removed} removed"


def days_told(changes: Changes, language: Language) -> str | None:
    """The days that were touched, as `4 dygn, 2026-01-02 – 2026-02-11`; None when none was."""
    if changes.span is None:
        return None
    first, last = changes.span
    if first == last:
        return first
    count = words.number(sum(day.day is not None for day in changes.days), language)
    return f"{count} {'dygn' if language == 'sv' else 'days'}, {first} – {last}"


def column_told(change: ColumnChange, language: Language) -> str:
    """What became of one column, with its name."""
    return f"{change.column}: {said(event_told(change), language)}"


def event_told(change: ColumnChange) -> Text:
    """What became of a column, without its name, in both languages."""
    return Text(sv=_event(change, "sv"), en=_event(change, "en"))


def _event(change: ColumnChange, language: Language) -> str:
    before, after = (_value(change, value, language) for value in (change.before, change.after))
    return said(_EVENTS[change.event], language).format(before=before, after=after)


def changes_file(release: Release, language: Language) -> str | None:
    """The file CHANGES of a release in one language, as Markdown; None for a first release."""
    if release.changes is None:
        return None
    title = markdown(said(release.publication.title, language))
    head = f"# Ändringar i {title}" if language == "sv" else f"# Changes in {title}"
    parts = [head, _standing(release, release.changes, language)]
    for heading, lines in _sections(release.changes, language):
        parts += [f"## {heading}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _sentences(changes: Changes, language: Language) -> Iterator[str]:
    days = days_told(changes, language)
    rows = rows_told(changes, language)
    is_same = not changes.added + changes.changed + changes.removed
    if language == "sv":
        yield f"Ersätter version {changes.version}."
        yield "Inga rader har ändrats." if is_same else f"Rader: {rows}{_on(days)}."
    else:
        yield f"Supersedes version {changes.version}."
        yield "No rows have changed." if is_same else f"Rows: {rows}{_on(days)}."
    if changes.contract_before != changes.contract_after:
        word = "Dataavtal" if language == "sv" else "Data contract"
        yield f"{word} {changes.contract_before} → {changes.contract_after}."
    if changes.columns:
        word = "Kolumner" if language == "sv" else "Columns"
        yield f"{word}: {'; '.join(column_told(one, language) for one in changes.columns)}."


def _on(days: str | None) -> str:
    return f" ({days})" if days else ""


def _value(change: ColumnChange, value: str | None, language: Language) -> str:
    if value is None:
        return said(_NO_UNIT, language)
    if change.event == "unit":
        return value
    return said(_YES_NO.get(value) or TYPE_NAMES[value], language)


def _standing(release: Release, changes: Changes, language: Language) -> str:
    day = words.day(release.issued)
    if language == "sv":
        return (
            f"Utgåva {release.number}, version {release.version}, {day}. Den ersätter utgåva "
            f"{changes.supersedes}, version {changes.version}, som ligger kvar "
            "oförändrad i arkivet."
        )
    return (
        f"Release {release.number}, version {release.version}, {day}. It supersedes release "
        f"{changes.supersedes}, version {changes.version}, which is kept unaltered in the archive."
    )


def _sections(changes: Changes, language: Language) -> Iterator[tuple[str, list[str]]]:
    is_swedish = language == "sv"
    counts = ("Tillagda", "Ändrade", "Borttagna") if is_swedish else ("Added", "Changed", "Removed")
    yield (
        "Rader" if is_swedish else "Rows",
        _table(counts, [(changes.added, changes.changed, changes.removed)], language),
    )
    if changes.days:
        named = ("Dygn (UTC)" if is_swedish else "Day (UTC)", *counts)
        listed = changes.days[-_DAYS_TOLD:]
        unknown = "utan tid" if is_swedish else "without time"
        rows = [(one.day or unknown, one.added, one.changed, one.removed) for one in listed[::-1]]
        yield (
            "Dygn" if is_swedish else "Days",
            [*_table(named, rows, language), *_left_out(changes, language)],
        )
    if changes.columns:
        yield (
            "Kolumner" if is_swedish else "Columns",
            [f"- {markdown(column_told(one, language))}" for one in changes.columns],
        )
    yield (
        "Dataavtal och jämförelse" if is_swedish else "Contract and comparison",
        [_contract(changes, language), "", _compared(changes, language)],
    )


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str | int]], language: Language
) -> list[str]:
    # The counts are the last three columns.
    ruler = (" --- |" * (len(names) - 3)) + " ---: |" * 3
    lines = [f"| {' | '.join(names)} |", f"|{ruler}"]
    for row in rows:
        cells = (cell if isinstance(cell, str) else words.number(cell, language) for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _left_out(changes: Changes, language: Language) -> list[str]:
    left = len(changes.days) - _DAYS_TOLD
    if left <= 0:
        return []
    count = words.number(left, language)
    if language == "sv":
        return ["", f"Ytterligare {count} tidigare dygn står i `manifest.json`."]
    return ["", f"A further {count} earlier days are in `manifest.json`."]


def _contract(changes: Changes, language: Language) -> str:
    word = "Dataavtal" if language == "sv" else "Data contract"
    if changes.contract_before == changes.contract_after:
        return f"{word} {changes.contract_after}."
    return f"{word} {changes.contract_before} → {changes.contract_after}."


def _compared(changes: Changes, language: Language) -> str:
    key = ", ".join(f"`{name}`" for name in changes.compared_by)
    if language == "sv":
        if key:
            return f"Raderna har jämförts efter {key}, i de kolumner som båda utgåvorna har."
        return (
            "Utgåvorna har ingen gemensam nyckel, så hela rader har jämförts: en ändrad rad räknas "
            "som en borttagen och en tillagd."
        )
    if key:
        return f"Rows were compared by {key}, in the columns that both releases have."
    return (
        "The releases have no key in common, so whole rows were compared: a changed row counts as "
        "one removed and one added."
    )

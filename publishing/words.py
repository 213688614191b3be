"""Numbers, sizes and times as people write them, and texts made safe to show.

Everything a release holds may once have been typed by a stranger (a device's name, a place), so
control and invisible characters are taken out before a text reaches a page or an assistant.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final, Literal

from lakehouse.contracts.product import Text

Language = Literal["sv", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("sv", "en")

_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories that no reader sees: control, format (zero width, bidi), surrogates …"""

NO_BREAK: Final = "\N{NO-BREAK SPACE}"


def plain(text: str, limit: int | None = None) -> str:
    """A text without control and invisible characters, cut to `limit` characters.

    Line breaks and tabs become spaces.
    """
    kept = "".join(_visible(character) for character in text)
    return kept if limit is None or len(kept) <= limit else kept[: limit - 1] + "…"


def said(text: Text, language: Language) -> str:
    """A text in one language."""
    return text.sv if language == "sv" else text.en


def markdown(text: str) -> str:
    """A text as it can stand in Markdown: one line, no markup of its own."""
    escaped = plain(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace("`", "\\`")


def number(value: int, language: str) -> str:
    """A whole number with thousands set apart: 12 345 in Swedish, 12,345 in English."""
    return f"{value:,}".replace(",", NO_BREAK) if language == "sv" else f"{value:,}"


def size(count: int, language: str) -> str:
    """A number of bytes in the unit that suits it."""
    value = float(count)
    for unit in ("byte", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    text = f"{value:.0f}" if unit == "byte" or value >= 100 else f"{value:.1f}"
    return f"{text.replace('.', ',') if language == 'sv' else text}{NO_BREAK}{unit}"


def moment(text: str) -> str:
    """An ISO 8601 instant as `2026-11-23 08:00 UTC`; other texts (dates) as they are."""
    if len(text) <= 10:
        return text
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(text: str) -> str:
    """The date of an ISO 8601 instant."""
    return text[:10]


def _visible(character: str) -> str:
    if character in "\r\n\t":
        return " "
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):  # line and paragraph separators
        return " "
    return "" if category in _INVISIBLE else character

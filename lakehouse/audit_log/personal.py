"""What may not stand in the audit log: it is kept for years, and it is about the lake, not people.

Patterns find what looks like personal data; they cannot find all of it (a name is a word). So
whoever notes an event tells numbers and codes, never free text.
"""

from __future__ import annotations

import re
from typing import Final

_DIGEST: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_EMAIL: Final = re.compile(r"[^\s@]@[^\s@]")
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"  # coordination numbers add 60
_PERSONNUMMER: Final = re.compile(
    rf"(?<![0-9A-Za-z])(?:18|19|20)?\d\d(?:0[1-9]|1[0-2]){_DAY}[-+ ]?\d{{4}}(?![0-9A-Za-z])"
)


def reason_to_refuse(text: str) -> str | None:
    """Why a text may not stand in the log; None when nothing speaks against it."""
    if _DIGEST.fullmatch(text):  # a hash may hold ten digits that look like a birthday
        return None
    if _EMAIL.search(text):
        return "it looks like an e-mail address"
    if _PERSONNUMMER.search(text):
        return "it looks like a personal identity number"
    return None


def is_path_like(text: str) -> bool:
    """Whether a text may be a path, which names folders of people and machines."""
    return "/" in text or "\\" in text or text.startswith("~")

"""JSON atoms as `from_json` hands them over: read by their first character, not parsed again.

Each function takes SQL of a VARCHAR that holds one JSON value without blanks around it, as the
maps and lists of `from_json` do.
"""

from __future__ import annotations


def cell(atom: str) -> str:
    """SQL of the text as delivered, text without its quotes; null for JSON null."""
    return f"""case when starts_with({atom}, '"') then {_unquoted(atom)}
        when {atom} <> 'null' then {atom} end"""


def value(atom: str) -> str:
    """SQL of the atom as a number: true is 1 and false is 0, a number in quotes is text."""
    return f"""case when starts_with({atom}, '"') then null when {atom} = 'true' then 1.0::double
        when {atom} = 'false' then 0.0::double else try_cast({atom} as double) end"""


def number(atom: str) -> str:
    """SQL of the atom as a number; null for every other kind, true and false among them."""
    return f"case when regexp_matches({atom}, '^[-0-9NI]') then try_cast({atom} as double) end"


def text(atom: str) -> str:
    """SQL of an atom that is text; null for every other kind."""
    return f"case when starts_with({atom}, '\"') then {_unquoted(atom)} end"


def has_parts(atom: str) -> str:
    """SQL: whether it is an object or a list."""
    return f"(starts_with({atom}, '{{') or starts_with({atom}, '['))"


def names_twice(document: str) -> str:
    """SQL: whether an object names a key twice; a map cannot be made of it."""
    keys = f"json_keys({document}::json)"
    return f"len({keys}) > len(list_distinct({keys}))"


def _unquoted(atom: str) -> str:
    return f"""case when contains({atom}, '\\') then {atom}::json->>'$' else {atom}[2:-2] end"""

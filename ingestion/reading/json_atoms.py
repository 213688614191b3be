"""Single JSON values in SQL: what they are, as text and as number; and objects as a whole.

An atom is SQL, of type JSON or VARCHAR, of one JSON value as DuckDB takes it out of a document:
without blanks around it. So its first character says what it is, and it is not parsed again.
"""

from __future__ import annotations


def cell(atom: str) -> str:
    """SQL of the text as delivered, text without its quotes; null for JSON null."""
    return f"""case when {is_text(atom)} then {_unquoted(atom)}
        when {atom}::varchar <> 'null' then {atom}::varchar end"""


def value(atom: str, quoted: str = "null::double") -> str:
    """SQL of the atom as a number: true is 1 and false is 0; null for every other kind.

    Args:
        atom: The atom.
        quoted: What a text is; a number in quotes is a text in JSON, but some sources quote all.
    """
    whole = f"{atom}::varchar"
    # Most are numbers, which begin with a digit or a minus: these are told at once.
    return f"""case when {whole} between '-' and ':' then try_cast({whole} as double)
        when {is_text(atom)} then {quoted} when {whole} = 'true' then 1.0::double
        when {whole} = 'false' then 0.0::double
        when not {has_parts(atom)} then try_cast({whole} as double) end"""


def text(atom: str) -> str:
    """SQL of an atom that is text; null for every other kind."""
    return f"case when {is_text(atom)} then {_unquoted(atom)} end"


def is_text(atom: str) -> str:
    """SQL: whether it is text."""
    return f"starts_with({atom}::varchar, '\"')"


def has_parts(atom: str) -> str:
    """SQL: whether it is an object or a list."""
    return f"(starts_with({atom}::varchar, '{{') or starts_with({atom}::varchar, '['))"


TWICE = "an object names a key twice"


def names_twice(document: str) -> str:
    """SQL: whether an object names a key twice, of which DuckDB would take one."""
    return _has_twins(f"json_keys({document}::json)")


def map_names_twice(entity: str) -> str:
    """SQL: whether a map made of an object has a key twice; `from_json` lets it."""
    return _has_twins(f"map_keys({entity})")


def _has_twins(keys: str) -> str:
    return f"len({keys}) > len(list_distinct({keys}))"


def problem(document: str) -> str:
    """SQL of why a JSON value is no object that can be taken apart; null when it is one."""
    return f"""case when coalesce(json_type({document}), 'NULL') <> 'OBJECT'
            then 'this is no JSON object: ' || left({document}::varchar, 60)
        when {names_twice(document)} then '{TWICE}' end"""


def _unquoted(atom: str) -> str:
    whole = f"{atom}::varchar"
    return f"case when contains({whole}, '\\') then {atom}::json->>'$' else ({whole})[2:-2] end"

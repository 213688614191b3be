"""The names that deliveries call units by, from the vocabulary."""

from __future__ import annotations

import pyarrow as pa

from lakehouse.contracts.vocabulary import load_vocabulary
from lakehouse.settings import Settings


def names(settings: Settings) -> pa.Table:
    """Every name of every unit: UCUM code, symbol, UN/CEFACT code, QUDT IRI, other names.

    Returns:
        Table of `name` and `unit` (UCUM code). A name that two units share stands for neither;
        a UCUM code always stands for itself.
    """
    found: dict[str, str | None] = {}
    rows = load_vocabulary(settings.contracts).rows("units")
    for row in rows:
        others = (row["symbol"], row["unece_code"], row["qudt_iri"], *row["other_names"].split("|"))
        for name in dict.fromkeys(filter(None, others)):
            shared = found.get(name, row["ucum_code"]) != row["ucum_code"]
            found[name] = None if shared else row["ucum_code"]
    found |= {row["ucum_code"]: row["ucum_code"] for row in rows}
    known = [(name, unit) for name, unit in found.items() if unit]
    return pa.table({"name": [name for name, _ in known], "unit": [unit for _, unit in known]})

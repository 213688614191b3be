"""How bytes are read. A format fills two tables of the batch's private DuckDB, in bulk.

`records(_file, _row, _raw)`: what the supplier delivered, record by record, as text.
`offered`: one row for each record and channel, see `OFFERED`; a record that cannot be taken
apart gives one row with `rule` and `reason`.

To add one: a module with a `read` function, a line here, a test, a heading in docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import duckdb

from ingestion.deliveries import Member
from ingestion.formats import chirpstack, delimited, ignition_history
from lakehouse.contracts import SourceContract

Reader = Callable[[duckdb.DuckDBPyConnection, Sequence[Member], SourceContract], None]

FORMATS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "csv": delimited.read,
        "chirpstack_v4": chirpstack.read,
        "ignition_history": ignition_history.read,
    }
)

"""A small Stockholm-like city whose suppliers deliver as real ones do, faults included.

`generate` writes what six suppliers would have put into an inbox folder, in their native
wire formats, and returns an account of it that the lake's own ledger can be held against. It
knows nothing of how the lake reads: it stands on the suppliers' side of the contracts.
"""

from sample_city.city import generate
from sample_city.summary import Delivered, SourceSummary, Summary

__all__ = ["Delivered", "SourceSummary", "Summary", "generate"]

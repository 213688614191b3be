"""Who did what to what, and when: a log that grows at its end and shows if it was changed.

Lines are JSON, chained by hashes, flushed one by one; each day's end is signed when it is over.
It is what cybersäkerhetslagen (2025:1506) has reports of incidents made from, and holds nothing
about people.
"""

from lakehouse.audit_log.appending import note, sign_heads
from lakehouse.audit_log.lines import Action, Details, Ended, Entry, Value
from lakehouse.audit_log.reading import entries, incident
from lakehouse.audit_log.verifying import Broken, Outcome, verify

__all__ = [
    "Action",
    "Broken",
    "Details",
    "Ended",
    "Entry",
    "Outcome",
    "Value",
    "entries",
    "incident",
    "note",
    "sign_heads",
    "verify",
]

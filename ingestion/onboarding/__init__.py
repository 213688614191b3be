"""Onboarding: from a sample of a source to a proposal of its contract.

Whatever a machine can see is filled in with what it was seen by; whatever a person must decide
is left as `DECIDE` with the question. Nothing here reads or writes the lake.
"""

from ingestion.onboarding.proposing import Proposal, Wish, propose

__all__ = ["Proposal", "Wish", "propose"]

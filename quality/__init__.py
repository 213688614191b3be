"""The gate: is one exact version of a product good, and may it be shared?

The audit turns a contract into a Great Expectations suite and a verdict; the sharing policy turns
what contracts and approvals say into a decision. Both are kept for who publishes, and nothing here
writes to the lake's layers or knows how data are published.
"""

from quality.audit import audit_product
from quality.decision import decide_product

__all__ = ["audit_product", "decide_product"]

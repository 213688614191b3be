"""The gate: is one exact version of a product good, and may it be shared?

`audit` turns a contract into a Great Expectations suite, holds a version against it and against the
product's history, and comes to a verdict; `disclosure` is the scan it makes for what tells of a
person; `policy` turns what contracts and approvals say into a decision. Both are kept for
who publishes; nothing here writes to the lake's layers or knows how data are published.
"""

from quality.audit.judging import audit_product
from quality.decision import decide_product

__all__ = ["audit_product", "decide_product"]

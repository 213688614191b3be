"""The gate: contract → Great Expectations suite → verdict on one exact version of a product.

Writes nothing to the lake's layers and knows nothing of how data is published. Whether a product
may be shared (classification, law, approval) is decided beside this, not in here.
"""

from quality.audit import audit_product

__all__ = ["audit_product"]

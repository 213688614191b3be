"""Is one exact version of a product good: its checks, its days, and what it was like before."""

from quality.audit.judging import audit_product, judge

__all__ = ["audit_product", "judge"]

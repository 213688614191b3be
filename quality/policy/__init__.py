"""The sharing policy: pure functions from the facts of a product to what each rule says."""

from quality.policy.facts import Facts, Origin, facts_of
from quality.policy.rules import RULES, Rule, decide

__all__ = ["RULES", "Facts", "Origin", "Rule", "decide", "facts_of"]

"""What a release would be, beside the last one: rows, columns, quality and what the policy says.

Everything is done that a release does but the last step, so what is foretold is what will come.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.contracts import Contracts
from lakehouse.decisions import Decision
from lakehouse.errors import Problem, ReleaseRefused
from lakehouse.settings import Settings
from lakehouse.verdicts import Verdict
from publishing.making.release import drafted
from publishing.releases.changes import Changes
from publishing.releases.manifest import newest_release


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is told otherwise than at the last release.

    Attributes:
        about: A check or a rule.
        before: What it said; None if it was not asked.
        after: What it says now; None if it is asked no more.
    """

    about: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would come of releasing a product now.

    Attributes:
        product: Product id.
        last: Number of the last release; None if there is none.
        number: Number that the release would have; None if there would be none.
        rows: Rows that it would have.
        changes: Rows and columns against the last one; None for a first release.
        quality: Checks that say something else.
        policy: Rules that say something else.
        problems: Why it would be refused.
    """

    product: str
    last: int | None
    number: int | None
    rows: int | None
    changes: Changes | None
    quality: tuple[Difference, ...]
    policy: tuple[Difference, ...]
    problems: tuple[Problem, ...]

    @property
    def is_unchanged(self) -> bool:
        """Whether the last release already holds what would be released."""
        return not self.problems and self.number is None


def preview(settings: Settings, contracts: Contracts, product_id: str) -> Preview:
    """Foretell the release of a product; nothing is shown, and the last release stays.

    Raises:
        Busy: Another process is releasing this product.
    """
    last = newest_release(settings, product_id)
    number = last.number if last else None
    try:
        with drafted(settings, contracts, product_id) as draft:
            if not draft.is_new:
                return Preview(product_id, number, None, draft.rows, None, (), (), ())
            return Preview(
                product=product_id,
                last=number,
                number=draft.number,
                rows=draft.rows,
                changes=draft.changes,
                quality=_quality(last.verdict if last else None, draft.verdict),
                policy=_policy(last.decision if last else None, draft.decision),
                problems=(),
            )
    except ReleaseRefused as refusal:
        return Preview(product_id, number, None, None, None, (), (), refusal.problems)


def _quality(before: Verdict | None, after: Verdict) -> tuple[Difference, ...]:
    return _differences(_checks(before), _checks(after)) if before else ()


def _checks(verdict: Verdict) -> dict[str, str]:
    return {
        f"{check.column or 'table'}: {check.expected}": "holds" if check.passed else check.observed
        for check in verdict.checks
    }


def _policy(before: Decision | None, after: Decision | None) -> tuple[Difference, ...]:
    if before is None or after is None:
        return ()
    then, now = ({one.rule: one.en for one in side.outcomes} for side in (before, after))
    return _differences(then, now)


def _differences(before: dict[str, str], after: dict[str, str]) -> tuple[Difference, ...]:
    return tuple(
        Difference(name, before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    )

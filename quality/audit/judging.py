"""Auditing the exact Delta version of a product that would be released.

Great Expectations says «success» to an empty suite and to an empty table, and leaves out what
could not run. So the verdict is made here, from counted results: every expectation must have
been evaluated, none may have raised, and there must be rows. What a passed verdict of the same
contract speaks of already is not looked at again unless it has changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from lakehouse import audit_log, delta
from lakehouse.contracts import ProductContract
from lakehouse.duck import connect, literal
from lakehouse.settings import Settings
from lakehouse.verdicts import Check, Verdict, passed_before, save_verdict
from quality.audit import history as kept
from quality.audit.days import check_days, check_freshness, to_judge
from quality.audit.disclosed import disclosed
from quality.audit.docs import write_docs
from quality.audit.keys import check_keys
from quality.audit.periods import Periods, check_periods, periods_of
from quality.audit.profile import Day, profile
from quality.audit.rows import can_carry, check_rows, is_row_check
from quality.audit.scope import Scope, since, whole
from quality.audit.small_groups import check_groups
from quality.audit.suite import Suite, suite_of
from quality.audit.times import Time, time_of
from quality.audit.whole_table import check_table
from quality.built import require_built


@dataclass(frozen=True, slots=True)
class Audited:
    """A verdict, and what is kept for the audits after it.

    Attributes:
        verdict: The verdict.
        days: What the days were like that were looked at, where it is not known already.
        gone: Days that earlier versions had and this one may lack.
    """

    verdict: Verdict
    days: tuple[Day, ...] = ()
    gone: frozenset[date] = frozenset()


def audit_product(
    settings: Settings,
    contract: ProductContract,
    now: datetime | None = None,
    beside: Iterable[ProductContract] = (),
) -> Verdict:
    """Audit the newest version of a product's model, and keep the verdict and its history.

    Args:
        settings: Where the lake and the verdicts are.
        contract: The product.
        now: The time of the audit; the clock's by default.
        beside: All products of the lake: what they tell of the same people, a reader knows too.

    Raises:
        LakeError: The model has not been built.
    """
    address, version = require_built(settings, contract)
    suite = suite_of(contract)
    done = _judge(contract, whole(address, version), suite, settings, now, tuple(beside))
    kept.keep(settings, done.verdict, done.days, done.gone)
    write_docs(settings, done.verdict, suite.planned)
    # Last: who finds a verdict finds its history too.
    save_verdict(settings, done.verdict)
    audit_log.note(
        settings,
        "audited",
        f"product/{contract.id}",
        "done" if done.verdict.passed else "refused",
        delta_version=version,
        rows=done.verdict.rows,
        checks=len(done.verdict.checks),
    )
    return done.verdict


def judge(
    contract: ProductContract,
    address: Path,
    version: int,
    suite: Suite,
    now: datetime | None = None,
) -> Verdict:
    """Judge one version of a table by a suite, all of it, and by no history.

    Args:
        contract: The product.
        address: Its gold table.
        version: The Delta version to read.
        suite: What to expect of it.
        now: The time of the audit; the clock's by default.
    """
    return _judge(contract, whole(address, version), suite, None, now).verdict


def _judge(
    contract: ProductContract,
    scope: Scope,
    suite: Suite,
    settings: Settings | None,
    now: datetime | None,
    beside: Sequence[ProductContract] = (),
) -> Audited:
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    columns = [column.name for column in contract.columns]
    held = {field.name for field in delta.open_table(scope.address, scope.version).schema().fields}
    missing = [name for name in columns if name not in held]
    reasons = [f"the table lacks the promised column '{name}'" for name in missing]
    reasons += [f"a rule of the contract cannot be run: {rule}" for rule in suite.not_understood]
    if not suite.planned:
        reasons.append("the contract promises nothing that could be checked")
    done = Audited(
        Verdict(
            product=contract.id,
            model=contract.model,
            delta_version=scope.version,
            contract_version=contract.version,
            contract_digest=contract.digest,
            rows=0,
            checks=(),
            reasons=tuple(reasons),
            audited_at=now.isoformat(timespec="seconds"),
            table_id=scope.table_id,
        )
    )
    if missing:
        return done
    with tempfile.TemporaryDirectory(prefix="audit-") as spill, connect() as connection:
        connection.execute(f"set temp_directory = {literal(spill)}")
        if settings:
            base = passed_before(settings, contract, scope.version, scope.table_id)
            rows_planned = [one for one in suite.planned if is_row_check(one)]
            if base and can_carry(base, rows_planned):
                scope = since(scope, base)
        groups = check_groups(connection, contract, scope, settings, beside)
        return _look(connection, contract, scope, suite, settings, now, done, groups)


def _look(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    scope: Scope,
    suite: Suite,
    settings: Settings | None,
    now: datetime,
    done: Audited,
    groups: tuple[Check, ...],
) -> Audited:
    """Look at what is to be looked at, and add what was found to a verdict."""
    ((rows,),) = connection.execute(f"select count(*) from {scope.relation}").fetchall()
    reasons = list(done.verdict.reasons)
    if rows == 0:
        reasons.append("the table is empty")
    single = [one for one in suite.planned if is_row_check(one)]
    checks, faults = check_rows(connection, scope, single, rows)
    of_table, more = check_table([one for one in suite.planned if not is_row_check(one)], rows)
    keys = check_keys(connection, scope, single)
    told, unknown = disclosed(connection, contract, scope, rows)
    time = time_of(connection, scope.relation, contract.publication.time_column)
    periods = periods_of(connection, scope, time)
    usual, days, gone = _history(connection, contract, scope, time, periods, settings, now)
    checks = (*checks, *of_table, *keys, *usual, *groups, *told)
    reasons += faults + more + unknown
    reasons += [check.said for check in checks if check.is_against]
    verdict = replace(done.verdict, rows=rows, checks=checks, reasons=tuple(reasons))
    return Audited(verdict, days, gone)


def _history(
    connection: duckdb.DuckDBPyConnection,
    contract: ProductContract,
    scope: Scope,
    time: Time,
    periods: Periods,
    settings: Settings | None,
    now: datetime,
) -> tuple[tuple[Check, ...], tuple[Day, ...], frozenset[date]]:
    """Hold a version against the product's history, and tell what is to be kept of it."""
    past = kept.NONE
    if settings:
        first = min(periods.touched, default=None)
        past = kept.history_of(connection, settings, contract, scope.version, first, now)
    exceptions = contract.exceptional_days
    if not contract.tells_time:
        # Rows of what is now: their times move on, and no day is like another.
        return check_periods(periods, past.dates, now.date(), is_history=False), (), frozenset()
    checks = check_periods(
        periods,
        past.dates,
        now.date(),
        kept_from=kept.kept_from(contract.retention_s, periods.last),
        exceptions=exceptions,
    )
    if not settings:
        return checks, (), frozenset()
    names = [column.name for column in contract.columns if not column.varies]
    days = profile(connection, scope, time, names, periods, past.pending)
    judged = to_judge(days, past)
    checks += check_days(judged, past, exceptions)
    checks += (check_freshness(periods.newest, past.lags, now),)
    new = tuple(one for day, one in days.items() if not one.complete or day in judged)
    return checks, new, past.dates - set(periods.days)

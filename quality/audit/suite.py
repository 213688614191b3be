"""From a product's contract to the expectations that its rows must meet.

What the contract promises is what is checked: required columns, bounds, keys, and the ODCS
library metrics. A rule that cannot be turned into an expectation is reported, because a rule
that nobody runs must not look like one that passed.

Source: ODCS v3.1.0, "Data quality", library metrics; Great Expectations 1.x core expectations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from lakehouse.contracts import ProductContract
from lakehouse.contracts.product import ProductColumn, Quality


@dataclass(frozen=True, slots=True)
class Planned:
    """An expectation and how to speak of it.

    Attributes:
        expectation: What Great Expectations runs.
        column: Column or columns it looks at; None for the table.
        severity: Whether a failure stops the release.
        expected: What is asked, in words.
    """

    expectation: Expectation
    column: str | None
    severity: Literal["critical", "warning"]
    expected: str


@dataclass(frozen=True, slots=True)
class Suite:
    """The expectations of a product, and the rules nobody knows how to run."""

    planned: tuple[Planned, ...]
    not_understood: tuple[str, ...]


def suite_of(contract: ProductContract) -> Suite:
    """Build the suite that a product's contract asks for."""
    planned: list[Planned] = []
    unknown: list[str] = []
    for column in contract.columns:
        planned += _of_column(column)
    planned += _of_key(contract)
    for rule in contract.quality:
        if rule.type == "text":
            continue  # prose for people, by the standard
        found = _of_rule(rule)
        if found is None:
            unknown.append(f"{rule.type} {rule.metric} {dict(rule.limits)}".strip())
        else:
            planned.append(found)
    return Suite(tuple(_without_repeats(planned)), tuple(unknown))


def _without_repeats(planned: list[Planned]) -> list[Planned]:
    """A rule that says again what the key or a bound says is checked once."""
    seen: dict[tuple[str, str], Planned] = {}
    for item in planned:
        seen.setdefault(identity(item.expectation.configuration), item)
    return list(seen.values())


def identity(configuration: ExpectationConfiguration) -> tuple[str, str]:
    """What an expectation asks, to tell whether two are the same one."""
    kwargs = {k: v for k, v in configuration.kwargs.items() if k not in ("batch_id", "severity")}
    return configuration.type, repr(sorted(kwargs.items()))


def _of_column(column: ProductColumn) -> Iterator[Planned]:
    if column.required:
        yield Planned(
            gxe.ExpectColumnValuesToNotBeNull(column=column.name, severity="critical"),
            column.name,
            "critical",
            "never empty",
        )
    if column.minimum is not None or column.maximum is not None:
        yield Planned(
            gxe.ExpectColumnValuesToBeBetween(
                column=column.name,
                min_value=column.minimum,
                max_value=column.maximum,
                severity="critical",
            ),
            column.name,
            "critical",
            _between(column.minimum, column.maximum),
        )


def _of_key(contract: ProductContract) -> Iterator[Planned]:
    yield _unique(contract.key, "critical")


def _of_rule(rule: Quality) -> Planned | None:
    match rule.type, rule.metric:
        case "library", "rowCount":
            return _row_count(rule)
        case "library", "nullValues" | "missingValues" if rule.limits == {"mustBe": 0}:
            return Planned(
                gxe.ExpectColumnValuesToNotBeNull(column=rule.column, severity=rule.severity),
                rule.column,
                rule.severity,
                "never empty",
            )
        case "library", "duplicateValues" if rule.limits == {"mustBe": 0}:
            names = tuple(rule.arguments.get("properties", [rule.column] if rule.column else []))
            return _unique(names, rule.severity) if names else None
        case "library", "invalidValues" if rule.limits == {"mustBe": 0}:
            return _valid_values(rule)
    return None


def _row_count(rule: Quality) -> Planned | None:
    bounds = _bounds(rule.limits)
    if bounds is None:
        return None
    return Planned(
        gxe.ExpectTableRowCountToBeBetween(
            min_value=bounds[0], max_value=bounds[1], severity=rule.severity
        ),
        None,
        rule.severity,
        f"rows: {_between(*bounds)}",
    )


def _valid_values(rule: Quality) -> Planned | None:
    values = rule.arguments.get("validValues")
    if not values or rule.column is None:
        return None
    return Planned(
        gxe.ExpectColumnValuesToBeInSet(
            column=rule.column, value_set=values, severity=rule.severity
        ),
        rule.column,
        rule.severity,
        f"one of {', '.join(map(str, values))}",
    )


def _unique(names: tuple[str, ...], severity: Literal["critical", "warning"]) -> Planned:
    expectation = (
        gxe.ExpectColumnValuesToBeUnique(column=names[0], severity=severity)
        if len(names) == 1
        else gxe.ExpectCompoundColumnsToBeUnique(column_list=list(names), severity=severity)
    )
    return Planned(expectation, ", ".join(names), severity, "no two rows alike")


def _bounds(limits: Mapping[str, Any]) -> tuple[int | None, int | None] | None:
    """Row limits as least and greatest count; None when the comparison is another one."""
    if len(limits) != 1:
        return None
    comparison, limit = next(iter(limits.items()))
    if comparison == "mustBeBetween":
        return limit[0], limit[1]
    known: dict[str, tuple[int | None, int | None]] = (
        {
            "mustBe": (limit, limit),
            "mustBeGreaterThan": (limit + 1, None),
            "mustBeGreaterOrEqualTo": (limit, None),
            "mustBeLessThan": (None, limit - 1),
            "mustBeLessOrEqualTo": (None, limit),
        }
        if isinstance(limit, int)
        else {}
    )
    return known.get(comparison)


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"

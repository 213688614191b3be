"""From the texts and numbers of a delivery to instants in UTC, in SQL.

A local time is laid against the stretches of its zone's wall clock (lakehouse.timeline): one
that does not exist, or exists twice without a rule that says which, is a broken row, not a
guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from lakehouse.contracts.delivery import TimeRule
from lakehouse.duck import literal
from lakehouse.timeline import stretch_table

_HAS_OFFSET = r":\d{2}(\.\d+)? ?(Z|z|[+-]\d{2}(:?\d{2})?)$"
_NO_SECONDS = r"([T ]\d{2}:\d{2})( ?[Zz+-])"
_NO_OFFSET = r"[+-][2-9]\d(:?\d{2})?$"
_MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Two SQL expressions for one text: the instant in UTC if it names one, else the wall time."""

    instant: str
    wall: str


def parse(text: str, form: str) -> Parsed:
    """How to read a time written in a format.

    Args:
        text: SQL expression of the text.
        form: strptime format, `iso8601`, `epoch_ms` or `epoch_s`.

    Returns:
        Expressions of type TIMESTAMP; both are null when the text cannot be read.
    """
    nothing = "null::timestamp"
    plain = text
    # DuckDB takes the words infinity and epoch for times, in any format.
    text = f"case when regexp_matches({text}, '[0-9]') then {text} end"
    match form:
        case "iso8601":
            has_offset = f"regexp_matches({text}, {literal(_HAS_OFFSET)})"
            whole = f"regexp_replace({text}, {literal(_NO_SECONDS)}, '\\1:00\\2')"
            # The forms nearly every platform writes are read without a regular expression.
            is_plain = (
                f"(strlen({plain}) between 20 and 30 and suffix({plain}, 'Z') "
                f"or strlen({plain}) between 25 and 35 and suffix({plain}, '+00:00'))"
            )
            return Parsed(
                f"""case when {is_plain} then try_cast({plain} as timestamp)
                    when {has_offset} and not regexp_matches({text}, '{_NO_OFFSET}')
                    then timezone('UTC', try_cast({whole} as timestamptz)) end""",
                f"""case when not ({is_plain}) and not {has_offset}
                    then try_cast({text} as timestamp) end""",
            )
        case "epoch_ms":
            return Parsed(from_epoch_ms(f"try_cast({text} as bigint)"), nothing)
        case "epoch_s":
            return Parsed(from_epoch_ms(f"1e3 * try_cast({text} as double)"), nothing)
        case _ if "%z" in form:
            return Parsed(f"timezone('UTC', try_strptime({text}, {literal(form)}))", nothing)
        case _:
            return Parsed(nothing, f"try_strptime({text}, {literal(form)})")


def from_epoch_ms(number: str) -> str:
    """SQL of the instant that a number of milliseconds since 1970 names; null when none can be.

    A number no calendar has would end the whole batch with an error.
    """
    return f"""case when abs({number}) <= {_MAX_MS}
        then make_timestamp(cast(round(1000 * ({number})) as bigint)) end"""


def resolve(
    connection: duckdb.DuckDBPyConnection, rule: TimeRule, source: str, target: str
) -> None:
    """Make relation `target` from `source`, with the time of each row settled in UTC.

    Args:
        connection: Where both live.
        rule: Zone and fold policy.
        source: Relation with `_file`, `_row`, `device`, `channel` (null where a row has many),
            `time_text`, `instant` and `wall` (TIMESTAMP), the same of the end, `end_instant`
            and `end_wall`, and whatever else is to be kept.
        target: Name of the new table or view: the same columns with `t` and `t_end` (TIMESTAMP,
            UTC), `time_rule` and `time_problem`; exactly one of `t` and `time_rule` is null.
    """
    if rule.zone == "UTC":
        connection.execute(
            f"""
            create or replace temp view {target} as
            select *, {_time_rule("false")} as time_rule, {_time_problem("UTC")} as time_problem
            from ({in_utc(source)})"""
        )
        return
    connection.register("wall_clock", stretch_table(rule.zone))
    zone = rule.zone.replace("'", "''")
    connection.execute(
        f"""
        create or replace temp table {target} as
        with laid as (
            select s.* replace ({dated("s.instant")} as instant, {dated("s.wall")} as wall),
                row_number() over () as place,
                c.earlier_s, c.later_s, e.earlier_s as end_earlier_s, e.later_s as end_later_s
            from {source} s asof left join wall_clock c on {dated("s.wall")} >= c.local_from
                asof left join wall_clock e on {dated("s.end_wall")} >= e.local_from
        ),
        twice as (
            select place,
                row_number() over same_time as occurrence,
                count(*) over (partition by _file, device, channel, wall) as occurrences
            from laid where instant is null and later_s is not null
            window same_time as (partition by _file, device, channel, wall order by _row)
        ),
        settled as (
            select l.* exclude (place, earlier_s, later_s, end_earlier_s, end_later_s),
                case
                    when instant is not null then instant
                    when wall is null or earlier_s is null then null
                    when later_s is null then wall - to_seconds(earlier_s)
                    else {_FOLDS[rule.fold]}
                end as t,
                -- An interval ends after it has begun: of two readings, at the first that does.
                case
                    when end_instant is not null then end_instant
                    when end_wall - to_seconds(end_earlier_s) > t or end_later_s is null
                        then end_wall - to_seconds(end_earlier_s)
                    else end_wall - to_seconds(end_later_s)
                end as t_end,
                wall is not null and instant is null and earlier_s is null as does_not_exist
            from laid l left join twice using (place)
        )
        select * exclude (does_not_exist),
            {_time_rule("does_not_exist")} as time_rule,
            {_time_problem(zone)} as time_problem
        from settled
        """
    )
    connection.unregister("wall_clock")


def in_utc(source: str) -> str:
    """SQL of rows with `t` and `t_end` where local times are UTC, which each row tells alone."""
    return f"""
        select *, {dated("coalesce(instant, wall)")} as t,
            {dated("coalesce(end_instant, end_wall)")} as t_end
        from {source}"""


def settle(
    connection: duckdb.DuckDBPyConnection, rule: TimeRule | None, source: str, target: str
) -> None:
    """The same as `resolve`, for formats whose times should carry an offset.

    Without a rule in the contract a time without offset is a broken row, not UTC.
    """
    if rule is not None:
        resolve(connection, rule, source, target)
        return
    no_offset = "t is null and wall is not null"
    connection.execute(
        f"""
        create or replace temp view {target} as
        select *,
            case when {no_offset} then 'time_unreadable' else {_time_rule("false")} end
                as time_rule,
            case when {no_offset} then format('the time ''{{}}'' has no offset from UTC and the '
                || 'contract no delivery.time.zone', time_text)
                else {_time_problem("UTC")} end as time_problem
        from (select *, {dated("instant")} as t, {dated("end_instant")} as t_end from {source})
        """
    )


def _time_rule(does_not_exist: str) -> str:
    return f"""case
                when t is not null then null
                when coalesce(trim(time_text), '') = '' then 'time_missing'
                when coalesce(instant, wall) is null then 'time_unreadable'
                when {does_not_exist} then 'time_nonexistent'
                else 'time_ambiguous'
            end"""


def _time_problem(zone: str) -> str:
    return f"""case time_rule
                when 'time_missing' then 'the time is empty'
                when 'time_unreadable' then format('the time ''{{}}'' cannot be read', time_text)
                when 'time_nonexistent'
                    then format('the local time {{}} does not exist in {zone}', wall)
                when 'time_ambiguous'
                    then format('the local time {{}} exists twice in {zone}', wall)
            end"""


def dated(time: str) -> str:
    """SQL of a time if it lies within the wall clocks' stretches and four-digit years."""
    first, last = "timestamp '1850-01-01'", "timestamp '9999-12-30'"
    return f"case when {time} between {first} and {last} then {time} end"


_FOLDS = {
    "refuse": "null",
    "earlier": "wall - to_seconds(earlier_s)",
    "later": "wall - to_seconds(later_s)",
    # The clock runs on: of two rows with the same local time the first is the earlier one.
    "sequence": """case
                        when occurrences = 2 and occurrence = 1 then wall - to_seconds(earlier_s)
                        when occurrences = 2 and occurrence = 2 then wall - to_seconds(later_s)
                    end""",
}

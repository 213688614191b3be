"""The unit tests of models can fail: each trap catches the mistake that it was set for."""

from __future__ import annotations

import pytest

from tests import flow

pytestmark = pytest.mark.slow

LOCKS = "smarta_las_dygn"
WITHHELD = "a_number_of_fewer_than_five_locks_is_withheld"
ZONES, LEAKS, INDOORS = "vattenzon_natt", "vattenlacka_kandidater", "inomhusklimat_timme"
MISTAKES = [
    pytest.param(
        ZONES,
        "{{ hour_number('h.hour_start') }} - {{ hour_number('c.starts_at') }}",
        "hour(timezone('Europe/Stockholm', h.hour_start))",
        {"every_night_has_two_quiet_hours_when_clocks_change_too"},
        id="hours of the night counted by the clock",
    ),
    pytest.param(
        ZONES,
        "{{ hour_number('h.hour_start') }} - {{ hour_number('c.starts_at') }}",
        "1 + hour(timezone('UTC', h.hour_start))",
        {"every_night_has_two_quiet_hours_when_clocks_change_too"},
        id="hours of the night counted in UTC",
    ),
    pytest.param(
        ZONES,
        "m.role <> 'consumption' and r.volume_m3 is null",
        "false",
        {"what_is_not_told_is_never_zero"},
        id="a silent meter lets nothing through",
    ),
    pytest.param(
        LEAKS,
        "e.night < n.night",
        "e.night <> n.night",
        {
            "a_leak_is_found_on_its_first_night_and_history_is_only_what_was_before",
            "a_night_is_judged_by_its_own_zone_and_what_it_has",
            "what_is_usual_is_not_moved_by_a_few_odd_nights",
        },
        id="later nights are history",
    ),
    pytest.param(
        LEAKS,
        "median(e.minimum_m3_h) as minimum_m3_h",
        "avg(e.minimum_m3_h) as minimum_m3_h",
        {
            "a_leak_is_found_on_its_first_night_and_history_is_only_what_was_before",
            "what_is_usual_is_not_moved_by_a_few_odd_nights",
        },
        id="the mean is what is usual",
    ),
    pytest.param(
        INDOORS,
        "and coalesce(w.result_time, w.phenomenon_time) <= m.hour_start",
        "",
        {"the_weather_is_what_was_known_when_the_hour_began"},
        id="known before it was published",
    ),
    pytest.param(
        INDOORS,
        "and w.phenomenon_time <= m.hour_start",
        "",
        {"the_weather_is_what_was_known_when_the_hour_began"},
        id="measured after the hour began",
    ),
    pytest.param(
        INDOORS,
        "{% set kept_h = 3 %}",
        "{% set kept_h = 4 %}",
        {"stale_weather_is_empty_and_rooms_count_by_their_readings"},
        id="stale weather stands",
    ),
    pytest.param(
        LOCKS,
        "least_locks, low_percent = 5, 20",
        "least_locks, low_percent = 4, 20",
        {WITHHELD},
        id="four homes are enough",
    ),
    pytest.param(
        LOCKS,
        "'openings': ('locks_used', 'locks_used')",
        "'openings': ('openings', 'locks_used')",
        {WITHHELD},
        id="many openings of few homes are many",
    ),
    pytest.param(
        LOCKS,
        "left join counted c on",
        "join counted c on",
        {WITHHELD},
        id="a row says that somebody was visited",
    ),
    pytest.param(
        LOCKS,
        "when {{ locks }} >= {{ least_locks }} then",
        "when {{ locks }} = 0 or {{ locks }} >= {{ least_locks }} then",
        {WITHHELD},
        id="zero is always told",
    ),
    pytest.param(
        LOCKS,
        "least(locks_used, {{ others }})",
        "locks_used",
        {"the_days_of_locks_are_stockholms_also_when_clocks_change"},
        id="a battery that nobody told of is full",
    ),
    pytest.param(
        LOCKS,
        "{{ stockholm_date('phenomenon_time') }}",
        "cast(phenomenon_time as date)",
        {"the_days_of_locks_are_stockholms_also_when_clocks_change"},
        id="days of UTC",
    ),
    pytest.param(
        LOCKS,
        "max_by(battery, phenomenon_time) filter (where battery is not null)",
        "min(battery)",
        {"a_lock_is_one_lock_however_often_it_is_told_of"},
        id="a battery that was changed is still low",
    ),
]


@pytest.mark.parametrize(("model", "right", "wrong", "caught_by"), MISTAKES)
def test_a_mistake_is_caught(lake, monkeypatch, model, right, wrong, caught_by):
    node = flow._manifest(lake.settings.daily_from).nodes[f"model.sjostad.{model}"]
    assert right in node.raw_code
    monkeypatch.setattr(node, "raw_code", node.raw_code.replace(right, wrong))
    said = lake.dbt("test", "--select", f"{model},test_type:unit", succeeds=False)
    names = {line.split(":")[0] for line in said.splitlines() if ": " in line}
    assert caught_by <= names, said

"""The unit tests of models can fail: each trap catches the mistake that it was set for."""

from __future__ import annotations

import pytest

from tests import flow

pytestmark = pytest.mark.slow

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
]


@pytest.mark.parametrize(("model", "right", "wrong", "caught_by"), MISTAKES)
def test_a_mistake_is_caught(lake, monkeypatch, model, right, wrong, caught_by):
    node = flow._manifest(lake.settings.daily_from).nodes[f"model.sjostad.{model}"]
    assert right in node.raw_code
    monkeypatch.setattr(node, "raw_code", node.raw_code.replace(right, wrong))
    said = lake.dbt("test", "--select", f"{model},test_type:unit", succeeds=False)
    names = {line.split(":")[0] for line in said.splitlines() if ": " in line}
    assert caught_by <= names, said

{#
  The rows of a relation with sun_deg: the height of the sun's middle over the horizon in degrees, at
  the column `instant` and the place longitude, latitude; without refraction, to a hundredth of a
  degree between 1950 and 2050.

  Source: U.S. Naval Observatory and H.M. Nautical Almanac Office, The Astronomical Almanac, section C,
  "Low precision formulas for the Sun's coordinates".
#}
{% macro with_sun(relation) %}
select
    *,
    degrees(asin(
        sin(radians(latitude)) * sin(_declination)
        + cos(radians(latitude)) * cos(_declination)
            * cos(radians(15 * (18.697374558 + 24.06570982441908 * _days) + longitude) - _ascension)
    )) as sun_deg
from (
    select
        *,
        atan2(cos(_tilt) * sin(_ecliptic), cos(_ecliptic)) as _ascension,
        asin(sin(_tilt) * sin(_ecliptic)) as _declination
    from (
        select
            *,
            radians(280.460 + 0.9856474 * _days + 1.915 * sin(_anomaly) + 0.020 * sin(2 * _anomaly)) as _ecliptic,
            radians(23.439 - 0.0000004 * _days) as _tilt
        from (
            select
                *,
                {{ seconds_between(instant_of('2000-01-01 12:00:00+00'), 'instant') }} / 86400 as _days,
                radians(357.528 + 0.9856003 * ({{ seconds_between(instant_of('2000-01-01 12:00:00+00'), 'instant') }} / 86400))
                    as _anomaly
            from {{ relation }}
        ) in_days
    ) on_ecliptic
) on_equator
{% endmacro %}

{#
  The rows of a relation with northing_m and easting_m in SWEREF 99 18 00 (EPSG:3011), from their
  longitude and latitude in degrees: a Gauss-Krüger projection of GRS 80 around 18° east, scale 1,
  150 km added to the east. In SQL, so that every engine makes the same of it. Columns that begin
  with _ are steps on the way.

  Source: Lantmäteriet, "Gauss Conformal Projection (Transverse Mercator): Krüger's formulas".
#}
{% macro with_sweref99_18_00(relation) %}
{%- set f = 1 / 298.257222101 -%}
{%- set e2 = f * (2 - f) -%}
{%- set n = f / (2 - f) -%}
{%- set axis = 6378137.0 / (1 + n) * (1 + n ** 2 / 4 + n ** 4 / 64) -%}
{%- set to_sphere = [
    e2,
    (5 * e2 ** 2 - e2 ** 3) / 6,
    (104 * e2 ** 3 - 45 * e2 ** 4) / 120,
    1237 * e2 ** 4 / 1260,
] -%}
{%- set waves = [
    n / 2 - 2 * n ** 2 / 3 + 5 * n ** 3 / 16 + 41 * n ** 4 / 180,
    13 * n ** 2 / 48 - 3 * n ** 3 / 5 + 557 * n ** 4 / 1440,
    61 * n ** 3 / 240 - 103 * n ** 4 / 140,
    49561 * n ** 4 / 161280,
] -%}
select
    *,
    round({{ axis }} * (_xi
        {%- for wave in waves %} + {{ wave }} * sin({{ 2 * loop.index }} * _xi) * cosh({{ 2 * loop.index }} * _eta)
        {%- endfor %}), 2) as northing_m,
    round({{ axis }} * (_eta
        {%- for wave in waves %} + {{ wave }} * cos({{ 2 * loop.index }} * _xi) * sinh({{ 2 * loop.index }} * _eta)
        {%- endfor %}) + 150000, 2) as easting_m
from (
    select
        *,
        atan(tan(_star) / cos(_lambda)) as _xi,
        atanh(cos(_star) * sin(_lambda)) as _eta
    from (
        select
            *,
            _phi - _sin * cos(_phi) * (
                {%- for factor in to_sphere %}{{ ' + ' if not loop.first }}{{ factor }} * power(_sin, {{ 2 * loop.index0 }})
                {%- endfor %}) as _star
        from (
            select
                *,
                radians(latitude) as _phi,
                radians(longitude - 18) as _lambda,
                sin(radians(latitude)) as _sin
            from {{ relation }}
        ) in_radians
    ) on_sphere
) projected
{% endmacro %}


{#
  A query of the districts that the places of a relation lie in: place_id and district, none for a
  place that lies in none. A place is inside of a polygon if a line from there to the east crosses
  an odd number of its edges.
#}
{% macro districts_of(relation) %}
select place_id, min(name) as district
from (
    select p.place_id, e.district_id, e.name
    from {{ relation }} p
    join {{ source('reference', 'district_edges') }} e
        on (e.latitude_1 > p.latitude) <> (e.latitude_2 > p.latitude)
        and p.longitude < e.longitude_1 + (e.longitude_2 - e.longitude_1)
            * (p.latitude - e.latitude_1) / (e.latitude_2 - e.latitude_1)
    group by p.place_id, e.district_id, e.name
    having count(*) % 2 = 1
) inside
group by place_id
{% endmacro %}


{# A coordinate in the middle of its square, `size_m` metres wide; as it is where no size is told. #}
{% macro coarsened(coordinate, size_m, metres_per_degree) -%}
  case when {{ size_m }} is null then {{ coordinate }} else
    round((floor({{ coordinate }} * ({{ metres_per_degree }}) / {{ size_m }}) + 0.5)
      * {{ size_m }} / ({{ metres_per_degree }}), 6) end
{%- endmacro %}


{# Whether a place of silver.location is the one at which its thing stood at an instant. #}
{% macro stood_there(place, instant) -%}
  coalesce({{ instant }} >= {{ place }}.valid_from, true) and coalesce({{ instant }} < {{ place }}.valid_to, true)
{%- endmacro %}

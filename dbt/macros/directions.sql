{# The mean of unit vectors that point to directions in degrees (0 is north, 90 east). #}
{% macro vector_parts(degrees, condition) -%}
  avg(sin(radians({{ degrees }}))) filter (where {{ condition }}) as mean_east,
        avg(cos(radians({{ degrees }}))) filter (where {{ condition }}) as mean_north
{%- endmacro %}


{# The direction a mean vector points to, in degrees from 0 to below 360; none if the directions
   cancel each other out. #}
{% macro direction(east, north) -%}
  case when abs({{ east }}) > 1e-9 or abs({{ north }}) > 1e-9
    then (degrees(atan2({{ east }}, {{ north }})) + 360) % 360 end
{%- endmacro %}

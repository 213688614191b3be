{# A number for a sentence: at most so many decimals, with the mark of its language before them. #}
{% macro written(number, decimals=0, mark='.') -%}
  replace(cast(cast(round({{ number }}, {{ decimals }}) as decimal(18, {{ decimals }})) as string), '.', '{{ mark }}')
{%- endmacro %}


{# What to do about a day, in Swedish. #}
{% macro advice_sv() -%}
  case status
        when 'silent' then case
            when is_source_silent then 'Hela källan är tyst sedan ' || silent_since || '. Kontrollera leveransen: ' || source_name || '.'
            else 'Tyst sedan ' || silent_since || '. Kontrollera ström, batteri och förbindelse på plats.' end
        when 'reset' then 'Mätarställningen har fallit. Fråga om mätaren är bytt och anteckna slutställningen innan förbrukningen räknas.'
        when 'flatline' then 'Samma värde ' || {{ written('longest_flat_readings') }} || ' gånger i rad. Givaren har troligen fastnat: starta om den, och byt den om det upprepas.'
        when 'battery_low' then 'Batteriet är på ' || {{ written('battery', 2, ',') }} || ' ' || battery_unit_symbol || ' och tar snart slut. Planera ett byte.'
        when 'radio_loss' then {{ written('uplinks_lost') }} || ' av ' || {{ written('uplinks_lost + uplinks_received') }} || ' sändningar kom aldrig fram. Kontrollera antenn, täckning och närmaste mottagare.'
        when 'incomplete' then {{ written('usable') }} || ' av ' || {{ written('expected') }} || ' väntade mätvärden är användbara. Sök luckan i sändare och leverans; den längsta är ' || {{ written('longest_gap_s / 3600', 1, ',') }} || ' timmar.'
        when 'drifting' then 'Har flyttat sig ' || {{ written('shift', 2, ',') }} || ' ' || unit_symbol || ' från sina grannar. Jämför med en referens och kalibrera.'
        when 'spiky' then {{ written('spikes') }} || ' språng större än ' || {{ written('step_threshold', 2, ',') }} || ' ' || unit_symbol || '. Kontrollera kablar, fäste och störningar.'
        when 'too_little_history' then 'Färre än sju tidigare dygn att jämföra med. Inget att göra än.'
        else 'Inget att göra.'
    end
{%- endmacro %}


{# The same in English. #}
{% macro advice_en() -%}
  case status
        when 'silent' then case
            when is_source_silent then 'The whole source has been silent since ' || silent_since || '. Look at its delivery: ' || source_name || '.'
            else 'Silent since ' || silent_since || '. Look at power, battery and link on site.' end
        when 'reset' then 'The register has fallen. Ask whether the meter was replaced, and note its last reading before use is reckoned.'
        when 'flatline' then 'The same value ' || {{ written('longest_flat_readings') }} || ' times in a row. The sensor has probably stuck: restart it, and replace it if that happens again.'
        when 'battery_low' then 'The battery is at ' || {{ written('battery', 2) }} || ' ' || battery_unit_symbol || ' and will soon be empty. Plan to replace it.'
        when 'radio_loss' then {{ written('uplinks_lost') }} || ' of ' || {{ written('uplinks_lost + uplinks_received') }} || ' uplinks never arrived. Look at the antenna, the coverage and the nearest gateway.'
        when 'incomplete' then {{ written('usable') }} || ' of ' || {{ written('expected') }} || ' expected readings are usable. Look for the gap in device and delivery; the longest is ' || {{ written('longest_gap_s / 3600', 1) }} || ' hours.'
        when 'drifting' then 'Has moved ' || {{ written('shift', 2) }} || ' ' || unit_symbol || ' away from its neighbours. Compare it with a reference and calibrate it.'
        when 'spiky' then {{ written('spikes') }} || ' steps greater than ' || {{ written('step_threshold', 2) }} || ' ' || unit_symbol || '. Look at cables, mounting and interference.'
        when 'too_little_history' then 'Fewer than seven earlier days to compare with. Nothing to do yet.'
        else 'Nothing to do.'
    end
{%- endmacro %}

{{ config(follows='bronze.telemetry', partition_by=['partition_date']) }}

{{ observations(is_shareable=true) }}

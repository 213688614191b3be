{{ config(follows='bronze.telemetry') }}

{{ datastreams(is_shareable=true) }}

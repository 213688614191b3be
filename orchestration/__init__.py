"""Dagster definitions, thin: assets, checks, jobs, schedules and sensors; and the CLI.

The only package that knows Dagster. It calls ingestion, quality and publishing, and dbt through
dagster-dbt; it transforms nothing itself.
"""

"""Measurements behind the figures in docs/decisions: `python -m benchmarks.<name>`."""

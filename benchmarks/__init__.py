"""Measurements, shown in docs/performance.md."""

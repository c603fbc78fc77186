"""Benchmarks, whose results are in docs/performance.md."""

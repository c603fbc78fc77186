"""Where addresses are, by `iploc.csv` and geo databases."""

from python_enrichers.geo.enricher import load

__all__ = ["load"]

"""Locations of addresses, from `iploc.csv` and geo databases."""

from python_enrichers.geo.enricher import load
from python_enrichers.geo.tables import TABLES

__all__ = ["TABLES", "load"]

"""Verdicts of reputation services and lists on addresses, names and URIs."""

from python_enrichers.reputation.enricher import load
from python_enrichers.reputation.tables import TABLES

__all__ = ["TABLES", "load"]

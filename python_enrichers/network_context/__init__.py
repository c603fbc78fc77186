"""Whether addresses are internal, and their names in the operator's network."""

from python_enrichers.network_context.enricher import TABLES, load, load_local

__all__ = ["TABLES", "load", "load_local"]

"""Which addresses are the operator's own, and what the operator calls them."""

from python_enrichers.network_context.enricher import TABLES, load, load_local

__all__ = ["TABLES", "load", "load_local"]

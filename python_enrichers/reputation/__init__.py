"""What reputation services and lists say of addresses, names and URIs."""

from python_enrichers.reputation.enricher import load

__all__ = ["load"]

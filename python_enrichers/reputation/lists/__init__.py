"""Lists of indicators: fetch and store, read, match."""

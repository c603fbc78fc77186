"""The embedded engine: the warehouse of one file, and the writer of published files."""

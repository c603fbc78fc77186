"""The built-in scorer's Python ends: results and reasons as files, reasons in words, their table.

What is between them are dbt models (models/scoring).
"""

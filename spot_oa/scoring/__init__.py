"""The built-in scorer's Python part: results and reasons as files, texts of reasons, their table.

The scoring itself is in dbt models (models/scoring).
"""

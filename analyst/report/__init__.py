"""The report of a day: one HTML page over all pipelines published so far, and a page of days.

Reads the published files only. `write` is the entry point.
"""

from analyst.report.files import write, write_all, written

__all__ = ["write", "write_all", "written"]

"""Panels for notebooks; the only package that imports widgets.

Each panel is a plain model class with the current choices and the actions on them (`scoring`,
`rows`, `findings`), and a thin layer of widgets over it.
"""

from analyst.panels.edge_panel import EdgePanel
from analyst.panels.skin import together
from analyst.panels.threat_panel import ThreatPanel
from analyst.panels.triage_table import TriageTable

__all__ = ["EdgePanel", "ThreatPanel", "TriageTable", "together"]

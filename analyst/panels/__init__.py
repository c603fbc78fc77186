"""What analysts click on in notebooks; the only room that imports widgets.

Each panel is a plain class that holds what was chosen and does what was asked (`scoring`, `rows`,
`findings`), and a thin skin of widgets over it.
"""

from analyst.panels.edge_panel import EdgePanel
from analyst.panels.skin import together
from analyst.panels.threat_panel import ThreatPanel
from analyst.panels.triage_table import TriageTable

__all__ = ["EdgePanel", "ThreatPanel", "TriageTable", "together"]

"""Pictures of a day: pure functions from a DataFrame to SVG text.

Equal frames give equal bytes. Colours are classes of `static/pictures.css`, so that a page can show
a picture light or dark. Text from traffic goes through `text.t`, which escapes it. This package
reads only the files in `static`, and does not depend on reports or notebooks.
"""

from analyst.pictures.branches import branches
from analyst.pictures.chord import chord
from analyst.pictures.month import month
from analyst.pictures.network import network
from analyst.pictures.places import places
from analyst.pictures.scores import scores
from analyst.pictures.timeline import Band, gaps, timeline
from analyst.pictures.tree import tree
from analyst.pictures.worldmap import worldmap

__all__ = [
    "Band",
    "branches",
    "chord",
    "gaps",
    "month",
    "network",
    "places",
    "scores",
    "timeline",
    "tree",
    "worldmap",
]

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   spot_oa:
#     template: Threat_Investigation
#     version: 1
#     pipeline: proxy
# ---

# %% [markdown]
# # Threat investigation: {{PIPELINE}}, {{DATE}}
# Search the day's traffic of URIs of requests scored High, and write down what you
# found. *Run All* only shows things; *Save story* writes.
#
# Template version {{VERSION}}; see docs/notebooks.md.

# %% tags=["parameters"]
PIPELINE = "proxy"
DATE = "2016-07-08"
TOP_RESULTS = 20  # rows per table
DETAILS_LIMIT = 1000  # maximum number of rows per search
NWLOC = None  # a file like networkcontext.csv whose names are shown in this notebook
AUTHOR = None  # who you are; the user of the system if None

# %%
from analyst.panels import ThreatPanel
from analyst.workbench import open_day

day = open_day(PIPELINE, DATE, nwloc=NWLOC, author=AUTHOR)
day

# %% [markdown]
# ## Search, and write the story

# %%
panel = ThreatPanel(day, top_results=TOP_RESULTS, details_limit=DETAILS_LIMIT)
panel

# %% [markdown]
# ## Pictures of the search result
# Run this cell after a search.

# %%
panel.preview()

# %% [markdown]
# ## Executive briefing
# The stories of the day.

# %%
day.stories()

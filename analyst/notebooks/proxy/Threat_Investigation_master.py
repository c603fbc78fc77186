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
# Look into URIs of requests that somebody scored High: all of their traffic of the day, and write down what you
# found. *Run All* only shows things; *Save story* writes.
#
# Template version {{VERSION}}; docs/notebooks.md says more.

# %% tags=["parameters"]
PIPELINE = "proxy"
DATE = "2016-07-08"
TOP_RESULTS = 20  # rows of a table
DETAILS_LIMIT = 1000  # the most rows that a search keeps
NWLOC = None  # a file like networkcontext.csv, whose names are shown in this notebook
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
# ## What you found, as pictures
# Run this cell after a search.

# %%
panel.preview()

# %% [markdown]
# ## Executive briefing
# The stories of the day.

# %%
day.stories()

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
#     template: Edge_Investigation
#     version: 1
#     pipeline: proxy
# ---

# %% [markdown]
# # Edge investigation: {{PIPELINE}}, {{DATE}}
# Score the suspicious web requests of a day: **1 High**, **2 Medium**, **3 Low**. Labels are stored
# immediately and can be undone. *Run All* only shows things: cells that write are commented out.
#
# Template version {{VERSION}}; see docs/notebooks.md.

# %% tags=["parameters"]
PIPELINE = "proxy"
DATE = "2016-07-08"
COFF = 250  # maximum number of values per list
NWLOC = None  # a file like networkcontext.csv whose names are shown in this notebook
AUTHOR = None  # who you are; the user of the system if None

# %%
from analyst.panels import EdgePanel, TriageTable, together
from analyst.workbench import open_day

day = open_day(PIPELINE, DATE, nwloc=NWLOC, author=AUTHOR)
day

# %% [markdown]
# ## The day, minute by minute

# %%
day.timeline()

# %% [markdown]
# ## Score
# In the lists: choose URIs and their clients, and a severity. In the table: move with `j` and `k`, `x` selects,
# `1` `2` `3` score, `u` undoes.

# %%
panel = EdgePanel(day, coff=COFF)
table = TriageTable(day)
together(panel, table)

# %% [markdown]
# ## Rules
# What the rules of the rule file (docs/labels.md) would score now; nothing is written.

# %%
# for rule, rows, reply in day.try_standing():
#     print(rule.id, rows, reply)

# %% [markdown]
# ## The rows in saving order
# Open rows first, the most suspicious on top, then the others. `day.table(page=2)` shows more.

# %%
day.table()

# %% [markdown]
# ## History
# All actions on this day, by all authors. `day.undo()` undoes your own last action,
# `day.undo("1a2b3c4d")` the action with this id.

# %%
day.history(20)

# %%
# day.undo()

# %% [markdown]
# ## Feedback to the scorer

# %%
day.feedback_state()

# %% [markdown]
# ## Restore
# Restores the day as published: this is a reset, which can be undone. `day.restore(before="1a2b3c4d")`
# undoes that action and all later ones.

# %%
# day.restore(confirm="{{COMPACT}}")

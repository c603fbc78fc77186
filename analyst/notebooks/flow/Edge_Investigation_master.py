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
#     pipeline: flow
# ---

# %% [markdown]
# # Edge investigation: {{PIPELINE}}, {{DATE}}
# Score the suspicious connections of a day: **1 High**, **2 Medium**, **3 Low**. Labels are stored
# immediately and can be undone. *Run All* only shows things: cells that write are commented out.
#
# Template version {{VERSION}}; see docs/notebooks.md.

# %% tags=["parameters"]
PIPELINE = "flow"
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
# In the lists: choose sources, destinations and ports, and a severity. In the table: move with `j` and `k`, `x` selects,
# `1` `2` `3` score, `u` undoes.

# %%
panel = EdgePanel(day, coff=COFF)
table = TriageTable(day)
together(panel, table)

# %% [markdown]
# ## Rules
# A rule is six operations, six values and a severity, for source, destination, source port,
# destination port, packets and bytes; an empty value is ignored. Rules score open rows only and
# never override a person. `try_rules` shows what each rule would score and writes nothing.

# %%
# def set_rules():
#     return [
#         (["eq", "eq", "eq", "leq", "eq", "leq"], ["", "", "", 1024, "", 54], 2),
#         (["eq", "eq", "eq", "leq", "eq", "eq"], ["", "", "", 1024, 3, 152], 2),
#         (["eq", "eq", "eq", "leq", "eq", "eq"], ["", "", 0, 1023, "", ""], 2),
#     ]
#
#
# for rule, reply in zip(set_rules(), day.try_rules(set_rules())):
#     print(rule, reply)

# %%
# for rops, rvals, risk in set_rules():
#     print(day.apply_rules(rops, rvals, risk))

# %% [markdown]
# ## Attack heuristics
# Sources that connect to more than 20 other addresses, among the suspicious connections.

# %%
# for source in day.attack_heuristics(peers=20):
#     print(source)

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

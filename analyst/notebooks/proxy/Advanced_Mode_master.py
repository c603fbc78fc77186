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
#     template: Advanced_Mode
#     version: 1
#     pipeline: proxy
# ---

# %% [markdown]
# # Advanced mode: {{PIPELINE}}, {{DATE}}
# The day as pandas and SQL have it. *Run All* only shows things: cells that write are commented.
#
# Template version {{VERSION}}; docs/notebooks.md says more.

# %% tags=["parameters"]
PIPELINE = "proxy"
DATE = "2016-07-08"
NWLOC = None  # a file like networkcontext.csv, whose names are shown in this notebook
AUTHOR = None  # who you are; the user of the system if None

# %%
from analyst.workbench import open_day

day = open_day(PIPELINE, DATE, nwloc=NWLOC, author=AUTHOR)
day

# %% [markdown]
# ## The suspicious rows
# Lower scores are more suspicious; `rank` 0 is the most suspicious row.

# %%
df = day.labelled()
df.head(10)

# %% [markdown]
# ## Requests that send something

# %%
df[df.reqmethod == "POST"]

# %% [markdown]
# ## The largest first

# %%
df.sort_values("csbytes", ascending=False).head(10)

# %% [markdown]
# ## Together

# %%
hosts = df.groupby("host").agg(requests=("fulluri", "size"), clients=("clientip", "nunique"))
hosts.sort_values("requests", ascending=False).head(10)

# %% [markdown]
# ## Any SQL
# DuckDB, in memory, over the day's files: `scores`, `edge`, `triage` and the other tables by their short
# names, and `telemetry`, every raw event of the day. Only a SELECT is answered.

# %%
day.sql("""
    select host, count(*) as requests
    from telemetry
    group by host
    order by requests desc
    limit 10
""")

# %% [markdown]
# ## Reset scored connections
# Takes back every label of the day; nothing is deleted, and the reset can be undone.

# %%
# day.reset(confirm="{{COMPACT}}")

# %% [markdown]
# ## Export
# CSV that a spreadsheet takes as text: no cell becomes a formula.

# %%
# day.to_csv("proxy.csv")

# %% [markdown]
# ## Sandbox

# %%

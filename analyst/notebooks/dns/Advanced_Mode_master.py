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
#     pipeline: dns
# ---

# %% [markdown]
# # Advanced mode: {{PIPELINE}}, {{DATE}}
# The day in pandas and SQL. *Run All* only shows things: cells that write are commented out.
#
# Template version {{VERSION}}; see docs/notebooks.md.

# %% tags=["parameters"]
PIPELINE = "dns"
DATE = "2016-07-08"
NWLOC = None  # a file like networkcontext.csv whose names are shown in this notebook
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
# ## Error responses

# %%
df[df.dns_qry_rcode_name != "NoError"]

# %% [markdown]
# ## The largest first

# %%
df.sort_values("frame_len", ascending=False).head(10)

# %% [markdown]
# ## Sums by group

# %%
domains = df.groupby("tld").agg(answers=("dns_qry_name", "size"), clients=("ip_dst", "nunique"))
domains.sort_values("answers", ascending=False).head(10)

# %% [markdown]
# ## Any SQL
# DuckDB, in memory, over the day's files: `scores`, `edge`, `triage` and the other tables by their short
# names, and `telemetry`, every raw event of the day. Only a single SELECT is allowed.

# %%
day.sql("""
    select ip_dst, count(distinct dns_qry_name) as names
    from telemetry
    group by ip_dst
    order by names desc
    limit 10
""")

# %% [markdown]
# ## Reset scored connections
# Resets every label of the day; nothing is deleted, and the reset can be undone.

# %%
# day.reset(confirm="{{COMPACT}}")

# %% [markdown]
# ## Export
# CSV for spreadsheets: no cell becomes a formula.

# %%
# day.to_csv("dns.csv")

# %% [markdown]
# ## Sandbox

# %%

"""Settings of the built-in scorer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spot_oa.settings.sources import Stage


class ScorerSettings(Stage):
    """The scorer: who ranks the events of a day."""

    scorer: Literal["file", "builtin"] = "file"
    """`builtin`: a run scores its day first (docs/scoring.md). `file`: another scorer has written
    the results file."""
    rows_per_pair: int = Field(default=3, ge=0)
    """The most results of a client and a peer, before others come first; 0 is no limit."""
    rows_per_service: int = Field(default=10, ge=0)
    """The most results of a client and a service, before others come first; 0 is no limit."""
    score_days: int = Field(default=14, ge=1, le=62)
    """Days that the scorer's memory reaches back."""
    score_inbound: float = Field(default=0.5, ge=0, le=1)
    """Weight of what comes in from outside: 1 where attackers do, less where servers are exposed
    and probed all day."""

"""Settings of the built-in scorer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spot_oa.settings.sources import Stage


class ScorerSettings(Stage):
    """The scorer, which ranks the events of a day."""

    scorer: Literal["file", "builtin"] = "file"
    """`builtin`: a run scores its day first (docs/scoring.md). `file`: another scorer has written
    the results file."""
    rows_per_pair: int = Field(default=3, ge=0)
    """Maximum number of results per client and peer; further ones rank behind all others; 0 means
    no limit."""
    rows_per_service: int = Field(default=10, ge=0)
    """Maximum number of results per client and service; further ones rank behind all others; 0
    means no limit."""
    score_days: int = Field(default=14, ge=1, le=60)
    """Number of days with telemetry that the scorer's memory covers."""
    score_inbound: float = Field(default=0.5, ge=0, le=1)
    """Weight of inbound connections: 1 if attackers come from outside, less if exposed servers are
    probed all day."""

"""What a reputation service is, and how its verdicts look."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pandas as pd

from python_enrichers.base import Indicators, Outcome
from spot_oa.pipelines import IndicatorType


class Answer(StrEnum):
    """What a service said of an indicator: column `outcome` of the verdicts."""

    ANSWERED = "answered"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a service said: rows as in lookups.reputation_verdicts, one per indicator asked.

    Severity is -1 unverified, 0 none, 1 low, 2 medium, 3 high; severity and label are NULL unless
    the service answered.
    """

    rows: pd.DataFrame
    outcome: Outcome


class ReputationService(Protocol):
    """One source of verdicts; each kind of service is a module beside this one."""

    name: str
    """Unique among the services in use, without `:` and `;`."""
    kinds: AbstractSet[IndicatorType]
    """The kinds of indicator it can be asked about."""

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Ask about indicators, all of a kind that the service takes."""
        ...

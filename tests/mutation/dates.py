"""What macros write of a run's dates, found in the SQL of a model."""

from __future__ import annotations

from sqlglot import exp


def is_of_dates(node: exp.Expression) -> bool:
    """Whether the node is what in_run_dates() wrote, or the run_date of rows_of_run()."""
    return _is_run_dates(node) or (
        isinstance(node, exp.Alias)
        and node.alias == "run_date"
        and not isinstance(node.this, exp.Column)
    )


def _is_run_dates(node: exp.Expression) -> bool:
    """`((y = 2016 and m = 7 and d = 8) or (..))`: the outer parentheses."""
    if not isinstance(node, exp.Paren):
        return False
    dates = node.this
    alternatives = dates.flatten(unnest=False) if isinstance(dates, exp.Or) else [dates]
    return all(_is_run_date(date) for date in alternatives)


def _is_run_date(node: exp.Expression) -> bool:
    if not (isinstance(node, exp.Paren) and isinstance(node.this, exp.And)):
        return False
    terms = list(node.this.flatten(unnest=False))
    return len(terms) == 3 and all(
        isinstance(term, exp.EQ) and term.left.name == name and isinstance(term.right, exp.Literal)
        for term, name in zip(terms, "ymd", strict=True)
    )

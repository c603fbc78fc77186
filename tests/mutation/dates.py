"""The conditions on dates that macros write, found in the SQL of a model."""

from __future__ import annotations

from sqlglot import exp


def gather_dates(tree: exp.Expression) -> None:
    """Put what same_date() wrote, three equalities of a longer `and`, in parentheses of its own."""
    for chain in list(tree.find_all(exp.And)):
        if isinstance(chain.parent, exp.And):
            continue
        terms = list(chain.flatten(unnest=False))
        gathered: list[exp.Expression] = []
        while terms:
            if _is_always(terms[0]):
                gathered.append(exp.paren(terms.pop(0)))
            elif len(terms) >= 3 and _equal_dates(terms[:3]):
                gathered.append(exp.paren(exp.and_(*terms[:3], wrap=False)))
                terms = terms[3:]
            else:
                gathered.append(terms.pop(0))
        chain.replace(exp.and_(*gathered, wrap=False))


def is_of_dates(node: exp.Expression) -> bool:
    """Whether the node is what in_run_dates() or same_date() wrote."""
    return _is_run_dates(node) or _is_same_date(node)


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


def _is_same_date(node: exp.Expression) -> bool:
    inner = node.unnest() if isinstance(node, exp.Paren) else None
    return _is_always(inner) or (
        isinstance(inner, exp.And) and _equal_dates(list(inner.flatten(unnest=False)))
    )


def _is_always(node: exp.Expression | None) -> bool:
    """`1 = 1`, as same_date() writes it for a run of one date."""
    return isinstance(node, exp.EQ) and node.sql() == "1 = 1"


def _equal_dates(terms: list[exp.Expression]) -> bool:
    return [
        term.left.name
        for term in terms
        if isinstance(term, exp.EQ)
        and isinstance(term.left, exp.Column)
        and isinstance(term.right, exp.Column)
        and term.left.name == term.right.name
        and term.left.table
        and term.right.table
    ] == ["y", "m", "d"] and len(terms) == 3

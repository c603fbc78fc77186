"""Four ways to break a SELECT, each at one place.

What macros make of a run's dates counts as one predicate, so that the mutants of a model are the
same in each of its unit tests, whatever their dates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

Break = tuple[str, Callable[[], object]]
"""What is broken, in the model's own names, and what breaks it."""

TWINS = [
    ("src", "dst"),
    ("sport", "dport"),
    ("ipkt", "opkt"),
    ("ibyt", "obyt"),
    ("scbytes", "csbytes"),
    ("trhour", "trminute"),
    ("time", "tdate"),
    ("hh", "md"),
]
"""Names that are easily taken for each other."""

DATE = {"y", "m", "d"}

_FLIPPED: Mapping[type[exp.Expression], type[exp.Expression]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.LTE,
    exp.LTE: exp.LT,
    exp.GT: exp.GTE,
    exp.GTE: exp.GT,
}


@dataclass(frozen=True)
class Mutant:
    """One broken form of a model: the break with this number in one of its steps."""

    step: str
    number: int
    what: str

    @property
    def name(self) -> str:
        """What `equivalent_mutants` in the model's yml calls it."""
        return f"{self.step}: {self.what}"

    def broken(self, step: exp.Expression) -> exp.Expression:
        """The step with the break in it; the given one stays as it is."""
        root = exp.Paren(this=step.copy())
        list(_breaks(root.this))[self.number][1]()
        return root.this


def mutants(steps: Mapping[str, exp.Expression]) -> Iterator[Mutant]:
    """Every mutant of a model, given as its CTEs and its final select."""
    for step, tree in steps.items():
        met: Counter[str] = Counter()
        for number, (what, _) in enumerate(_breaks(tree)):
            met[what] += 1
            yield Mutant(step, number, f"{what} #{met[what]}" if met[what] > 1 else what)


def _breaks(tree: exp.Expression) -> Iterator[Break]:
    for node in list(tree.walk(bfs=False, prune=_is_of_dates)):
        if isinstance(node, exp.Where | exp.Having):
            yield from _predicates(node, "this")
        elif isinstance(node, exp.Join):
            yield from _predicates(node, "on")
            yield from _side(node)
        elif isinstance(node, exp.And | exp.Or) and not isinstance(node.parent, type(node)):
            yield from _terms(node)
        elif type(node) in _FLIPPED and not _is_of_dates(node):
            yield _flip(node)
        elif isinstance(node, exp.Select):
            yield from _swapped(node)
        elif isinstance(node, exp.Column) and not isinstance(node.parent, exp.Select):
            yield from _twins(node)


def _names(node: exp.Expression) -> str:
    names = {column.name for column in node.find_all(exp.Column)} - DATE
    return ", ".join(sorted(names)) or node.key


def _is_of_dates(node: exp.Expression) -> bool:
    """Whether a predicate is about the dates of the run and nothing else."""
    if not isinstance(node, exp.Paren | exp.And | exp.Or | exp.EQ):
        return False
    columns = {column.name for column in node.find_all(exp.Column)}
    kinds = (exp.Paren, exp.And, exp.Or, exp.EQ, exp.Column, exp.Identifier, exp.Literal)
    return bool(columns) and columns <= DATE and not _others(node, kinds)


def _others(node: exp.Expression, kinds: tuple[type, ...]) -> bool:
    return any(not isinstance(inner, kinds) for inner in node.walk())


def _predicates(node: exp.Expression, key: str) -> Iterator[Break]:
    """The only predicate of a clause, dropped; several are terms of an `and`."""
    condition = node.args.get(key)
    if condition is None or isinstance(condition, exp.And | exp.Or):
        if condition is not None and _is_of_dates(condition):
            yield "drop the dates", lambda: node.set(key, exp.true())
        return
    what = "the dates" if _is_of_dates(condition) else _names(condition)
    yield f"drop {what}", lambda: node.set(key, exp.true())


def _terms(node: exp.Expression) -> Iterator[Break]:
    join = exp.and_ if isinstance(node, exp.And) else exp.or_
    terms = list(node.flatten(unnest=False))
    dates = [term for term in terms if _is_of_dates(term)]
    if len(dates) == len(terms):
        return

    def without(dropped: list[exp.Expression]) -> Callable[[], object]:
        kept = [term for term in terms if not any(term is other for other in dropped)]
        return lambda: node.replace(join(*kept, wrap=False))

    if dates:
        yield "drop the dates", without(dates)
    for term in terms:
        if not _is_of_dates(term):
            yield f"drop {_names(term)}", without([term])


def _side(node: exp.Expression) -> Iterator[Break]:
    if node.side == "LEFT":
        yield "inner for left join", lambda: node.set("side", None)
    elif node.args.get("on") is not None:
        yield (
            "left for inner join",
            lambda: (node.set("kind", None), node.set("side", "LEFT")),
        )


def _flip(node: exp.Expression) -> Break:
    other = _FLIPPED[type(node)]
    return (
        f"flip {_names(node)}",
        lambda: node.replace(other(this=node.this, expression=node.expression)),
    )


def _swapped(node: exp.Expression) -> Iterator[Break]:
    """A column of the output made of the next one of its type."""
    typed = [(p, kind) for p in node.expressions if (kind := _kind_of(p))]
    for projection, kind in typed:
        alike = [p for p, other in typed if other == kind and p is not projection]
        source = next((p for p in alike if p.index > projection.index), alike[0] if alike else None)
        if source is not None:
            yield (
                f"make {projection.alias_or_name} of {source.alias_or_name}",
                _made_of(projection, source),
            )


def _kind_of(projection: exp.Expression) -> str | None:
    """The type that a projected column is cast to; one word for all that are not cast."""
    value = projection.unalias()
    if isinstance(value, exp.Cast):
        return value.to.sql()
    return "column" if isinstance(value, exp.Column) and value.name != "*" else None


def _made_of(projection: exp.Expression, source: exp.Expression) -> Callable[[], object]:
    value, name = source.unalias(), projection.alias_or_name
    return lambda: projection.replace(exp.alias_(value.copy(), name))


def _twins(node: exp.Expression) -> Iterator[Break]:
    for pair in TWINS:
        for one, other in (pair, pair[::-1]):
            for key, text in (("this", node.name), ("table", node.table)):
                if one in text and other not in text:
                    new = text.replace(one, other)
                    yield (
                        f"take {new} for {text}",
                        lambda key=key, new=new: node.set(key, exp.to_identifier(new)),
                    )

"""Ways to break a SELECT, each at one place: what a slip of the hand, or a wrong idea, would do.

A mutant is an operator at a node of the parsed model. Nodes are counted outside of what macros
make of a run's dates, so that a mutant is the same in every unit test, whatever its dates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from tests.mutation.dates import is_of_dates

Edit = Callable[[exp.Expression], None]


@dataclass(frozen=True)
class Mutant:
    """One broken form of a model: `edit` breaks the node with the number `place` of a step."""

    name: str
    step: str
    place: int
    edit: Edit


def nodes(step: exp.Expression) -> list[exp.Expression]:
    """All nodes in a fixed order, with what macros wrote of the dates as one each."""
    return list(step.walk(bfs=False, prune=is_of_dates))


def mutants(steps: Mapping[str, exp.Expression]) -> Iterator[Mutant]:
    """Every mutant of a model, given as its CTEs and its final select, named by what is broken."""
    met: Counter[str] = Counter()
    for step, tree in steps.items():
        for place, node in enumerate(nodes(tree)):
            for what, edit in _edits(node):
                # A pattern stands once, in a macro: it is broken wherever it is used.
                pattern = what.startswith("pattern")
                name = f"{what}: {_shown(node)}" if pattern else f"{step}: {what}: {_shown(node)}"
                met[name] += 1
                if not pattern or met[name] == 1:
                    number = f" #{met[name]}" if met[name] > 1 else ""
                    yield Mutant(name + number, step, place, edit)


def _shown(node: exp.Expression) -> str:
    if isinstance(node, exp.Select):
        return "select"
    text = node.sql("duckdb", copy=False)
    return text if len(text) <= 70 else text[:67] + "..."


def _edits(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    for kind, edits in _BY_KIND:
        if isinstance(node, kind):
            yield from edits(node)


# Conditions.


def _chain(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    """Each term of an `and` or `or` left out, and the one turned into the other."""
    if isinstance(node.parent, type(node)):
        return
    join, other = (exp.and_, exp.or_) if isinstance(node, exp.And) else (exp.or_, exp.and_)
    terms = list(node.flatten(unnest=False))
    for index, term in enumerate(terms):
        yield f"without `{_shown(term)}`", _rejoin(join, index)
    for index in range(1, len(terms)):
        yield (
            f"{'or' if join is exp.and_ else 'and'} before `{_shown(terms[index])}`",
            _split(join, other, index),
        )


def _rejoin(join: Callable[..., exp.Expression], index: int) -> Edit:
    def edit(node: exp.Expression) -> None:
        terms = list(node.flatten(unnest=False))
        node.replace(join(*(t for i, t in enumerate(terms) if i != index), wrap=False))

    return edit


def _split(
    join: Callable[..., exp.Expression], other: Callable[..., exp.Expression], index: int
) -> Edit:
    def edit(node: exp.Expression) -> None:
        terms = list(node.flatten(unnest=False))
        parts = (join(*part, wrap=False) for part in (terms[:index], terms[index:]))
        node.replace(exp.paren(other(*(exp.paren(part) for part in parts), wrap=False)))

    return edit


def _where(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    if not isinstance(node.this, exp.And | exp.Or):
        yield "no condition", lambda n: n.set("this", exp.true())


def _comparison(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    for other in _COMPARISONS[type(node)]:
        yield f"{type(node).__name__} to {other.__name__}", _become(other)


def _become(kind: type[exp.Expression]) -> Edit:
    return lambda node: node.replace(kind(this=node.this, expression=node.expression)) and None


_COMPARISONS: dict[type, tuple[type[exp.Expression], ...]] = {
    exp.EQ: (exp.NEQ,),
    exp.NEQ: (exp.EQ,),
    exp.LT: (exp.LTE, exp.GT),
    exp.LTE: (exp.LT, exp.GT),
    exp.GT: (exp.GTE, exp.LT),
    exp.GTE: (exp.GT, exp.LT),
}


def _negated(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    yield "not", lambda n: n.replace(exp.not_(n.copy())) and None


def _not(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    yield "not dropped", lambda n: n.replace(n.this) and None


# Sources.


def _join(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    if node.side == "LEFT":
        yield "inner for left join", lambda n: n.set("side", None)
    else:
        yield "left for inner join", lambda n: (n.set("kind", None), n.set("side", "LEFT"))[0]
    on = node.args.get("on")
    if on is not None and not isinstance(on, exp.And | exp.Or):
        yield "joined without a key", lambda n: n.set("on", exp.true())


def _union(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    yield "union distinct or all", lambda n: n.set("distinct", not n.args["distinct"])
    yield "first half only", lambda n: n.replace(n.this) and None
    yield "second half only", lambda n: n.replace(n.expression) and None


def _select(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    if node.args.get("distinct"):
        yield "distinct dropped", lambda n: n.set("distinct", None)
    simple = [p for p in node.expressions if _kind_of(p)]
    for projection in simple:
        kind = _kind_of(projection)
        alike = [p for p in simple if _kind_of(p) == kind and p is not projection]
        after = [p for p in alike if p.arg_key and p.index > projection.index] or alike
        if after:
            source, target = after[0].index, projection.index
            yield (
                f"{projection.alias_or_name} made of {after[0].alias_or_name}",
                _other_column(target, source),
            )


def _kind_of(projection: exp.Expression) -> str | None:
    """The type that a projected column is cast to; one word for all that are not cast."""
    value = projection.unalias()
    if isinstance(value, exp.Cast):
        return value.to.sql()
    return "column" if isinstance(value, exp.Column) and value.name != "*" else None


def _other_column(target: int, source: int) -> Edit:
    def edit(node: exp.Expression) -> None:
        projections = node.expressions
        name = projections[target].alias_or_name
        value = projections[source].unalias().copy()
        projections[target].replace(exp.alias_(value, name))

    return edit


_TWINS = [
    ("src", "dst"),
    ("sport", "dport"),
    ("ipkt", "opkt"),
    ("ibyt", "obyt"),
    ("scbytes", "csbytes"),
    ("trhour", "trminute"),
    ("time", "tdate"),
    ("hh", "md"),
]


def _column(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    """Another column of the same type, of the kind that is easily taken for this one."""
    if isinstance(node.parent, exp.Select):
        return  # the output would have another name: `_select` puts other columns there
    for pair in _TWINS:
        for one, other in (pair, pair[::-1]):
            if one in node.name and other not in node.name:
                yield "twin", _renamed("this", node.name.replace(one, other))
            elif one in node.table and other not in node.table:
                yield "twin's table", _renamed("table", node.table.replace(one, other))


def _renamed(part: str, name: str) -> Edit:
    return lambda node: node.set(part, exp.to_identifier(name))


# Values.


def _literal(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    if isinstance(node.parent, exp.Select | exp.DataTypeParam):
        return
    if not node.is_string:
        yield "one more", lambda n: n.replace(exp.Literal.number(int(n.name) + 1)) and None
        yield "one less", lambda n: n.replace(exp.Literal.number(int(n.name) - 1)) and None
    elif node.name.startswith("^"):
        for what, pattern in _patterns(node.name):
            yield what, _everywhere(node.name, pattern)
    else:
        yield "another text", _text("x" + node.name)


def _text(text: str) -> Edit:
    return lambda node: node.replace(exp.Literal.string(text)) and None


def _everywhere(old: str, new: str) -> Edit:
    def edit(node: exp.Expression) -> None:
        for literal in list(node.root().find_all(exp.Literal)):
            if literal.is_string and literal.name == old:
                literal.set("this", new)

    return edit


_SLIPS = {"?": "", "*": "+", "9]": "8]", "5]": "4]", "[1": "[2", "[0": "[1"}


def _patterns(pattern: str) -> Iterator[tuple[str, str]]:
    """A regular expression without an anchor, an option, a digit of a class, an alternative."""
    yield "pattern not bound at its start", pattern[1:]
    yield "pattern not bound at its end", pattern[:-1]
    for at, sign in enumerate(pattern):
        for old, new in _SLIPS.items():
            if pattern.startswith(old, at):
                yield (
                    f"pattern with `{new}` for `{old}` at {at}",
                    (pattern[:at] + new + pattern[at + len(old) :]),
                )
        if sign == "|":
            end = min(i for i in (pattern.find("|", at + 1), pattern.find(")", at)) if i > 0)
            yield f"pattern without its alternative at {at}", pattern[:at] + pattern[end:]
        if sign == "{":
            low, _, high = pattern[at + 1 : pattern.find("}", at)].partition(",")
            for count in (
                (f"{low},{int(high) - 1}", f"{low},{int(high) + 1}")
                if high
                else (
                    str(int(low) - 1),
                    str(int(low) + 1),
                )
            ):
                rest = pattern[pattern.find("}", at) :]
                yield f"pattern with {{{count}}} at {at}", pattern[: at + 1] + count + rest


def _function(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    other = _FUNCTIONS[type(node)]
    yield (
        f"{other.__name__.lower()} for {type(node).__name__.lower()}",
        (lambda n: n.replace(other(this=n.this)) and None),
    )


_FUNCTIONS: dict[type, type[exp.Expression]] = {
    exp.Min: exp.Max,
    exp.Max: exp.Min,
    exp.Sum: exp.Max,
    exp.Floor: exp.Ceil,
}


def _count(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    yield "one for count", lambda n: n.replace(exp.Max(this=exp.Literal.number(1))) and None


def _unwrapped(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    yield f"{type(node).__name__.lower()} dropped", lambda n: n.replace(n.this) and None


def _arithmetic(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    other = _OPERATIONS[type(node)]
    yield f"{other.__name__.lower()} for {type(node).__name__.lower()}", _become(other)


_OPERATIONS: dict[type, type[exp.Expression]] = {
    exp.Add: exp.Sub,
    exp.Sub: exp.Add,
    exp.Mul: exp.Div,
    exp.Div: exp.Mul,
}


def _case(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    if len(node.args["ifs"]) > 1:
        for index in range(len(node.args["ifs"])):
            yield f"without case {index + 1}", _without("ifs", index)
    if node.args.get("default"):
        yield "without else", lambda n: n.set("default", None)


def _without(key: str, index: int) -> Edit:
    return lambda node: node.set(key, [e for i, e in enumerate(node.args[key]) if i != index])


# Order and windows.


def _order(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    """The first key by itself; what a macro's loop wrote, the others, at once."""
    keys = len(node.expressions)
    for what, part in (("first key", slice(0, 1)), ("other keys", slice(1, None))):
        if node.expressions[part]:
            yield f"{what} descending", _keys(part, "desc", value=True)
            yield f"{what} with NULL first", _keys(part, "nulls_first", value=True)
    if keys > 1:
        yield "other keys not as text", _uncast
        for index in range(keys):
            key = node.expressions[index].this
            yield f"without key `{key.sql('duckdb')}`", _without("expressions", index)


def _keys(part: slice, setting: str, *, value: bool) -> Edit:
    def edit(node: exp.Expression) -> None:
        for key in node.expressions[part]:
            key.set(setting, value)

    return edit


def _uncast(node: exp.Expression) -> None:
    for key in node.expressions:
        if isinstance(key.this, exp.Cast):
            key.set("this", key.this.this)


def _window(node: exp.Expression) -> Iterator[tuple[str, Edit]]:
    keys = node.args.get("partition_by") or []
    names = [key.name for key in keys]
    for index, name in enumerate(names):
        if name not in {"y", "m", "d"}:
            yield f"partition without {name}", _without("partition_by", index)
    if names[-3:] == ["y", "m", "d"]:
        yield (
            "partition without the date",
            lambda n: n.set("partition_by", n.args["partition_by"][:-3]),
        )
    if node.args.get("spec"):
        yield "no frame", lambda n: n.set("spec", None)


_Edits = Callable[[exp.Expression], Iterator[tuple[str, Edit]]]
_BY_KIND: list[tuple[type | tuple[type, ...], _Edits]] = [
    ((exp.And, exp.Or), _chain),
    ((exp.Where, exp.Having), _where),
    (tuple(_COMPARISONS), _comparison),
    ((exp.Exists,), _negated),
    ((exp.Not,), _not),
    ((exp.Join,), _join),
    ((exp.Union,), _union),
    ((exp.Select,), _select),
    ((exp.Column,), _column),
    ((exp.Literal,), _literal),
    (tuple(_FUNCTIONS), _function),
    ((exp.Count,), _count),
    ((exp.Coalesce, exp.Nullif, exp.Lower), _unwrapped),
    (tuple(_OPERATIONS), _arithmetic),
    ((exp.Case,), _case),
    ((exp.Order,), _order),
    ((exp.Window,), _window),
]

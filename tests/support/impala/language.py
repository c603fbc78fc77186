"""Impala's SQL: the part that the project uses, its restrictions, and its translation to DuckDB."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlglot import exp
from sqlglot.dialects.hive import Hive
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

WORDS = yaml.safe_load((Path(__file__).parent / "words.yml").read_text("utf-8"))
"""`functions`: those that the project uses, with the numbers of arguments that Impala takes them
with; `reserved`: words that no identifier may be. A test holds both against Impala's own list."""

TYPES = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INT",
    "integer": "INT",
    "bigint": "BIGINT",
    "hugeint": "BIGINT",  # a sum() in DuckDB; Impala's is a BIGINT
    "float": "FLOAT",
    "double": "DOUBLE",
    "decimal": "DOUBLE",
    "timestamp": "TIMESTAMP",
    "string": "STRING",
    "varchar": "STRING",
    '"null"': "NULL",
}
_NUMBERS = ["TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE"]

# Besides functions, these words may precede a parenthesis.
_BEFORE_PARENTHESIS = {
    *("all", "and", "any", "as", "between", "by", "case", "distinct", "else", "except", "exists"),
    *("from", "having", "in", "intersect", "interval", "join", "like", "not", "on", "or", "over"),
    *("partition by", "select", "then", "union", "using", "values", "when", "where", "order by"),
}
_REFUSED = {TokenType.DCOLON: "::", TokenType.DPIPE: "||", TokenType.QUALIFY: "QUALIFY"}

_LITERAL = re.compile(
    r"""--[^\n]*|/\*.*?\*/|(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([01][0-7]{2})|(.))", re.DOTALL)
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%"}
_ESCAPED |= {"_": "\\_"}


class ImpalaError(Exception):
    """An error with Impala's message."""


class Impala(Hive):
    """Hive's SQL with Impala's order of NULLs: last, unless descending."""

    NULL_ORDERING = "nulls_are_large"


def take_literals(statement: str) -> tuple[str, list[str]]:
    """Replace every text literal by a numbered mark, and drop comments.

    Returns:
        The statement, and what the literals spell, by number.
    """
    found: list[str] = []

    def mark(match: re.Match[str]) -> str:
        if match["text"] is None:
            return " "
        if re.search(r"(?i)\sas\s+$", statement[: match.start()]):
            return f"`{match['text'][1:-1]}`"  # An alias may be written as text.
        if statement[match.end() : match.end() + 1] == match["text"][0]:
            raise ImpalaError(f"ParseException: Syntax error near: {match['text'][:40]}")
        found.append(unescape(match["text"][1:-1]))
        return f"'{len(found) - 1}'"

    return _LITERAL.sub(mark, statement), found


def unescape(body: str) -> str:
    r"""Decode a literal: Impala reads escapes as Hive does, `\uXXXX` and `\ooo` included."""

    def spell(match: re.Match[str]) -> str:
        code, octal, character = match.groups()
        if code or octal:
            return chr(int(code, 16) if code else int(octal, 8))
        return _ESCAPED.get(character, character)

    return _ESCAPE.sub(spell, body)


def to_duckdb(query: str, literals: Sequence[str]) -> str:
    """Check a query and translate it to DuckDB's SQL.

    Raises:
        ImpalaError: Impala would not take it.
    """
    try:
        tokens = Impala().tokenize(query)
        _check_tokens(tokens)
        (tree,) = Impala().parser().parse(tokens, query)
    except SqlglotError as error:
        raise ImpalaError(f"ParseException: Syntax error: {error}") from error
    _check_tree(tree)
    for literal in tree.find_all(exp.Literal):
        if literal.is_string:
            literal.set("this", literals[int(literal.this)])
    for now in tree.find_all(exp.UtcTimestamp):
        now.replace(exp.Anonymous(this="utc_timestamp"))
    return str(tree.sql(dialect="duckdb"))


def _check_tokens(tokens: Sequence[Token]) -> None:
    for place, token in enumerate(tokens):
        if token.token_type in _REFUSED:
            raise ImpalaError(
                f"ParseException: Syntax error: encountered {_REFUSED[token.token_type]}"
            )
        following = tokens[place + 1 : place + 2]
        if following and following[0].token_type == TokenType.L_PAREN:
            quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER)
            name = token.text.lower()
            if re.fullmatch(r"[a-z_ ]\w*( by)?", name) and not quoted:
                _check_call(name, tokens, place)


def _check_call(name: str, tokens: Sequence[Token], place: int) -> None:
    """Check that `name(` is a known function with a valid number of arguments."""
    if name in _BEFORE_PARENTHESIS:
        return
    arities = WORDS["functions"].get(name)
    if arities is None:
        raise ImpalaError(f"AnalysisException: default.{name}() unknown")
    depth, commas = 0, 0
    for token in tokens[place + 1 :]:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        commas += depth == 1 and token.token_type == TokenType.COMMA
        if depth == 0:
            break
    empty = tokens[place + 2].token_type == TokenType.R_PAREN
    given = 0 if empty else commas + 1
    if not any(low <= given and (high is None or given <= high) for low, high in arities):
        raise ImpalaError(
            f"AnalysisException: No matching function with signature: {name}({given} arguments)."
        )


def _check_tree(tree: Any) -> None:
    if next(tree.find_all(exp.Filter), None):
        raise ImpalaError("ParseException: Syntax error: encountered FILTER")
    for identifier in tree.find_all(exp.Identifier):
        if not identifier.args.get("quoted") and identifier.name.lower() in WORDS["reserved"]:
            raise ImpalaError(
                f"ParseException: Syntax error: encountered {identifier.name.upper()}, "
                "expected: IDENTIFIER"
            )


def check_assignable(table: str, target: Mapping[str, str], given: Mapping[str, str]) -> None:
    """The columns of a query may go into those of a table without a cast.

    Args:
        table: Its name, for the message.
        target: Column to Impala's type.
        given: What the query yields, in the same order.

    Raises:
        ImpalaError: There are more or fewer, or one would lose precision or change its kind.
    """
    if len(target) != len(given):
        few = "more" if len(target) > len(given) else "fewer"
        raise ImpalaError(
            f"AnalysisException: Target table '{table}' has {few} columns ({len(target)}) than "
            f"the SELECT / VALUES clause and PARTITION clause return ({len(given)})"
        )
    for (column, wanted), (expression, kind) in zip(target.items(), given.items(), strict=True):
        if kind in (wanted, "NULL"):
            continue
        if kind in _NUMBERS and wanted in _NUMBERS:
            if _NUMBERS.index(kind) < _NUMBERS.index(wanted):
                continue
            raise ImpalaError(
                f"AnalysisException: Possible loss of precision for target table '{table}'.\n"
                f"Expression '{expression}' (type: {kind}) would need to be cast to {wanted} for "
                f"column '{column}'"
            )
        raise ImpalaError(
            f"AnalysisException: Target table '{table}' is incompatible with source expressions.\n"
            f"Expression '{expression}' (type: {kind}) is not compatible with column '{column}' "
            f"(type: {wanted})"
        )

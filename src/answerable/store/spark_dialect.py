"""Translation of trusted queries from DuckDB's dialect to Spark's."""

from functools import lru_cache
from typing import TYPE_CHECKING

from answerable.store.event_columns import TYPES

if TYPE_CHECKING:
    from sqlglot import exp


@lru_cache(maxsize=256)
def translate_query(query: str) -> str:
    """Translate a query; each `?` becomes a named parameter, `name_parameter(n)`.

    Spark must run it without ANSI mode: an index after the end of a list, and a cast
    that fails with TRY_CAST, then give NULL as in DuckDB.
    """
    from sqlglot import parse_one

    tree = parse_one(_name_parameters(query), read="duckdb")
    _replace_aliases(tree)
    text: str = tree.transform(_translate_node).sql(dialect="spark")
    return text


def name_parameter(number: int) -> str:
    """Return the name of a parameter, counted from 0."""
    return f"parameter_{number}"


def _name_parameters(query: str) -> str:
    """Replace each `?` outside texts: a translation may change their order."""
    from sqlglot import TokenType, tokenize

    parts: list[str] = []
    number = end = 0
    for token in tokenize(query, read="duckdb"):
        if token.token_type is TokenType.PLACEHOLDER:
            parts += [query[end : token.start], f":{name_parameter(number)}"]
            number, end = number + 1, token.end + 1
    return "".join([*parts, query[end:]])


def _translate_node(node: "exp.Expression") -> "exp.Expression":
    """Translate what the parser reads as another function."""
    from sqlglot import exp

    if isinstance(node, exp.Length) and isinstance(node.this, exp.ArrayFilter):
        return exp.ArraySize(this=node.this)  # `len` is also of texts
    return node


def _replace_aliases(tree: "exp.Expression") -> None:
    """Replace names of output columns in WHERE, which Spark does not know there.

    A column of events of that name comes first, as in DuckDB.
    """
    from sqlglot import exp

    for select in tree.find_all(exp.Select):
        named = {
            each.alias: each.this
            for each in select.expressions
            if isinstance(each, exp.Alias) and each.alias not in TYPES
        }
        where = select.args.get("where")
        if where is None or not named:
            continue
        for column in list(where.find_all(exp.Column)):
            own = not column.table and column.find_ancestor(exp.Select) is select
            if own and column.name in named:
                column.replace(exp.paren(named[column.name].copy()))

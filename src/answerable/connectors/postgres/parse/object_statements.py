"""Read CREATE and ALTER statements of objects that have owners and grants."""

from collections.abc import Callable

from answerable.connectors.postgres.parse.catalogue_builder import DatabaseBuilder
from answerable.connectors.postgres.parse.object_builder import ObjectBuilder
from answerable.connectors.postgres.parse.sql_cursor import SqlCursor
from answerable.connectors.postgres.parse.sql_lexer import SqlToken, TokenKind
from answerable.model.postgres_ids import join_qualified_sql_name, quote_sql_identifier
from answerable.reach.postgres.catalogue import PUBLIC, RowPolicy

ObjectName = tuple[str, str, str]

_FUNCTIONS = ("FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE")
# Words of CREATE and ALTER before the name; the kind that they mean. Longest first.
_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("FOREIGN", "DATA", "WRAPPER"), "foreign-data-wrapper"),
    (("PROCEDURAL", "LANGUAGE"), "language"),
    (("MATERIALIZED", "VIEW"), "table"),
    (("FOREIGN", "TABLE"), "table"),
    (("TABLE",), "table"),
    (("VIEW",), "table"),
    (("SEQUENCE",), "sequence"),
    (("SCHEMA",), "schema"),
    (("TYPE",), "type"),
    (("DOMAIN",), "type"),
    (("LANGUAGE",), "language"),
    (("SERVER",), "foreign-server"),
)
_WITHOUT_SCHEMA = ("language", "foreign-data-wrapper", "foreign-server")
_MODIFIERS = (
    "UNLOGGED",
    "TRUSTED",
    "RECURSIVE",
    "TEMPORARY",
    "TEMP",
    "GLOBAL",
    "LOCAL",
)
_TABLE_CLAUSES = ("CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "EXCLUDE", "FOREIGN")


def read_object_name(cursor: SqlCursor) -> ObjectName | None:
    """Read the kind and name after CREATE or ALTER: kind, name, schema.

    Returns:
        None for an object without grants.

    Raises:
        ParseError: The statement has another form.
    """
    words, kind = _read_object_kind(cursor)
    return _read_name_of_kind(cursor, kind) if words else None


def _read_object_kind(cursor: SqlCursor) -> tuple[tuple[str, ...], str]:
    """Read the words of a kind, and return them with the kind; empty for others."""
    while cursor.accept_keywords("OR", "REPLACE") or cursor.accept_any_keyword(
        *_MODIFIERS
    ):
        pass
    word = cursor.accept_any_keyword(*_FUNCTIONS)
    if word:
        return (word,), "function"
    for words, kind in _KINDS:
        if cursor.accept_keywords(*words):
            return words, kind
    return (), ""


def _read_name_of_kind(cursor: SqlCursor, kind: str) -> ObjectName:
    """Read the name of an object: kind, name, schema."""
    if kind == "function":
        schema, signature = cursor.read_function_signature()
        return kind, signature, schema
    if not cursor.accept_keywords("IF", "NOT", "EXISTS"):
        cursor.accept_keywords("IF", "EXISTS")
    cursor.accept_keywords("ONLY")
    return _build_object_name(kind, cursor.read_qualified_name())


def _build_object_name(kind: str, names: tuple[str, ...]) -> ObjectName:
    """Build kind, name and schema; a schema names itself."""
    if kind == "schema":
        return kind, quote_sql_identifier(names[0]), names[0]
    schema = names[0] if len(names) > 1 and kind not in _WITHOUT_SCHEMA else ""
    return kind, join_qualified_sql_name(*names), schema


def read_create_statement(
    cursor: SqlCursor, get_contents: Callable[[], DatabaseBuilder], place: str
) -> ObjectBuilder | None:
    """Read a CREATE statement of an object; None for one without grants.

    Raises:
        ParseError: The statement has another form.
    """
    words, kind = _read_object_kind(cursor)
    if not words:
        return None
    _, name, schema = _read_name_of_kind(cursor, kind)
    made = get_contents().get_or_add_object(kind, name, schema, place)
    made.place = place
    if kind == "function":
        made.owner_rights = cursor.contains_keywords("SECURITY", "DEFINER")
    elif kind == "schema" and cursor.accept_keywords("AUTHORIZATION"):
        made.owner = cursor.read_name()
    elif words == ("VIEW",):
        made.owner_rights = not _is_security_invoker(cursor)
    elif kind == "table" and cursor.next_token.keyword == "(":
        columns = [
            _read_column_name(part) for part in cursor.read_parenthesized_parts()
        ]
        if not cursor.contains_keywords("INHERITS") and None not in columns:
            made.columns = tuple(c for c in columns if c)
    return made


def _read_column_name(part: tuple[SqlToken, ...]) -> str | None:
    """Return the column of a part of CREATE TABLE; empty for a constraint.

    Returns:
        None for `LIKE`, which stands for columns of another table.
    """
    first = part[0]
    if first.keyword == "LIKE":
        return None
    if first.keyword in _TABLE_CLAUSES:
        return ""
    if first.kind is TokenKind.QUOTED:
        return first.text[1:-1].replace('""', '"')
    return first.text.lower()


def _is_security_invoker(cursor: SqlCursor) -> bool:
    """Return whether a view checks the rights of its reader, not of its owner.

    Source: https://www.postgresql.org/docs/current/sql-createview.html
    """
    if not cursor.accept_keywords("WITH"):
        return False
    words = {
        " ".join(token.text.strip("'").lower() for token in part)
        for part in cursor.read_parenthesized_parts()
    }
    true = ("true", "on", "1", "yes")
    return not words.isdisjoint(
        {"security_invoker", *(f"security_invoker = {word}" for word in true)}
    )


def read_create_policy(
    cursor: SqlCursor, place: str
) -> tuple[tuple[str, str], RowPolicy]:
    """Read CREATE POLICY; return name and schema of the table, and the policy.

    Raises:
        ParseError: The statement has another form.
    """
    name = cursor.read_name()
    cursor.expect_keywords("ON")
    names = cursor.read_qualified_name()
    permissive = not (cursor.accept_keywords("AS", "RESTRICTIVE"))
    cursor.accept_keywords("AS", "PERMISSIVE")
    command = "ALL"
    if cursor.accept_keywords("FOR"):
        command = cursor.advance().keyword
    roles: tuple[str, ...] = (PUBLIC,)
    if cursor.accept_keywords("TO"):
        roles = ()
        while True:
            roles += (
                PUBLIC if cursor.accept_keywords("PUBLIC") else cursor.read_name(),
            )
            if not cursor.accept_keywords(","):
                break
    using = _read_expression(cursor) if cursor.accept_keywords("USING") else ""
    check = _read_expression(cursor) if cursor.accept_keywords("WITH", "CHECK") else ""
    policy = RowPolicy(
        name=name,
        command=command,
        permissive=permissive,
        roles=roles,
        using=using,
        check=check,
        place=place,
    )
    schema = names[0] if len(names) > 1 else ""
    return (join_qualified_sql_name(*names), schema), policy


def _read_expression(cursor: SqlCursor) -> str:
    """Read an expression in parentheses as text on one line."""
    parts = cursor.read_parenthesized_parts()
    return ", ".join(cursor.join_tokens(part) for part in parts)

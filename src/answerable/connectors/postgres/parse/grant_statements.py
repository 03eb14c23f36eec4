"""Read GRANT and REVOKE statements of privileges and of roles.

Source: https://www.postgresql.org/docs/current/sql-grant.html
"""

from collections.abc import Iterator

from answerable.connectors.postgres.parse.object_builder import GrantChange
from answerable.connectors.postgres.parse.sql_cursor import SqlCursor
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_qualified_sql_name, quote_sql_identifier
from answerable.reach.postgres.catalogue import PUBLIC, Membership
from answerable.reach.postgres.privileges import normalise_privilege_name

_FUNCTIONS = ("FUNCTION", "PROCEDURE", "ROUTINE")
# Words after ON, the kind that they mean, and whether its name has a schema.
_TARGETS: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (("SEQUENCE",), "sequence", True),
    (("SCHEMA",), "schema", False),
    (("DATABASE",), "database", False),
    (("TYPE",), "type", True),
    (("DOMAIN",), "type", True),
    (("LANGUAGE",), "language", False),
    (("FOREIGN", "DATA", "WRAPPER"), "foreign-data-wrapper", False),
    (("FOREIGN", "SERVER"), "foreign-server", False),
    (("TABLE",), "table", True),
)
# Of kinds that no question is about: read, and left out.
_OTHER_TARGETS = (("LARGE", "OBJECT"), ("PARAMETER",), ("TABLESPACE",))

ObjectName = tuple[str, str, str]


def read_grant_change(
    cursor: SqlCursor, place: str
) -> tuple[ObjectName | None, list[GrantChange]]:
    """Read a GRANT or REVOKE of privileges.

    Returns:
        The object as (kind, name, schema), and one change per grantee and column; None
        for a kind of object that no question is about.

    Raises:
        ParseError: The statement has another form.
    """
    text = cursor.read_statement_text()
    revoke = cursor.accept_any_keyword("GRANT", "REVOKE") == "REVOKE"
    options_only = cursor.accept_keywords("GRANT", "OPTION", "FOR")
    privileges = list(_read_privileges(cursor))
    cursor.expect_keywords("ON")
    if any(cursor.accept_keywords(*words) for words in _OTHER_TARGETS):
        return None, []
    named = _read_granted_object(cursor)
    cursor.expect_keywords("FROM" if revoke else "TO")
    grantees = _read_grantees(cursor)
    if options_only:
        return named, []
    by_column: dict[str, set[str]] = {}
    for word, columns in privileges:
        for column in columns or ("",):
            by_column.setdefault(column, set()).add(word)
    return named, [
        GrantChange(
            revoke=revoke,
            grantee=grantee,
            privileges=() if words & {"ALL"} else tuple(sorted(words)),
            column=column,
            statement=text,
            place=place,
        )
        for grantee in grantees
        for column, words in by_column.items()
    ]


def _read_privileges(cursor: SqlCursor) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the privileges before ON, each with its columns."""
    while True:
        word = cursor.advance().keyword
        if not word.isalpha():
            raise ParseError("expected a privilege")
        if word == "ALL":
            cursor.accept_keywords("PRIVILEGES")
        if word == "ALTER" and cursor.accept_keywords("SYSTEM"):
            word = "ALTER SYSTEM"
        columns: tuple[str, ...] = ()
        if cursor.accept_keywords("("):
            columns = cursor.read_name_list()
            cursor.expect_keywords(")")
        yield normalise_privilege_name(word), columns
        if not cursor.accept_keywords(","):
            return


def _read_granted_object(cursor: SqlCursor) -> ObjectName:
    """Read the object after ON: its kind, name and schema."""
    if cursor.accept_keywords("ALL"):
        raise ParseError("expected one object")
    if cursor.accept_any_keyword(*_FUNCTIONS):
        schema, signature = cursor.read_function_signature()
        return "function", signature, schema
    for words, kind, has_schema in _TARGETS:
        if cursor.accept_keywords(*words):
            return _build_object_name(
                kind, cursor.read_qualified_name(), has_schema=has_schema
            )
    return _build_object_name("table", cursor.read_qualified_name(), has_schema=True)


def _build_object_name(
    kind: str, names: tuple[str, ...], *, has_schema: bool
) -> ObjectName:
    """Build the name of an object; a database keeps its own spelling."""
    if kind == "database":
        return kind, names[0], ""
    if kind == "schema":
        return kind, quote_sql_identifier(names[0]), names[0]
    schema = names[0] if has_schema and len(names) > 1 else ""
    return kind, join_qualified_sql_name(*names), schema


def _read_grantees(cursor: SqlCursor) -> tuple[str, ...]:
    """Read the roles after TO or FROM; an unquoted PUBLIC is every role."""
    grantees = []
    while True:
        cursor.accept_keywords("GROUP")
        grantees.append(
            PUBLIC if cursor.accept_keywords("PUBLIC") else cursor.read_name()
        )
        if not cursor.accept_keywords(","):
            return tuple(grantees)


def read_membership(cursor: SqlCursor, place: str) -> Iterator[Membership]:
    """Yield the memberships of `GRANT role TO member WITH ...`.

    Raises:
        ParseError: It is a REVOKE, which no dump has, or has another form.
    """
    cursor.expect_keywords("GRANT")
    roles = cursor.read_name_list()
    cursor.expect_keywords("TO")
    members = _read_grantees(cursor)
    options = _read_membership_options(cursor)
    for role in roles:
        for member in members:
            text = (
                f"GRANT {quote_sql_identifier(role)} TO {quote_sql_identifier(member)}"
            )
            yield Membership(
                role=role,
                member=member,
                inherit=options.get("INHERIT"),
                set_role=options.get("SET", True),
                admin=options.get("ADMIN", False),
                statement=text + _format_membership_options(options),
                place=place,
            )


def _read_membership_options(cursor: SqlCursor) -> dict[str, bool]:
    """Read `WITH ADMIN OPTION, INHERIT FALSE, SET TRUE`."""
    options: dict[str, bool] = {}
    if not cursor.accept_keywords("WITH"):
        return options
    while True:
        word = cursor.accept_any_keyword("ADMIN", "INHERIT", "SET")
        value = cursor.accept_any_keyword("OPTION", "TRUE", "FALSE")
        if not word or not value:
            raise ParseError("expected ADMIN, INHERIT or SET with a value")
        options[word] = value != "FALSE"
        if not cursor.accept_keywords(","):
            return options


def _format_membership_options(options: dict[str, bool]) -> str:
    """Format the options of a membership as SQL."""
    words = [f"{word} {str(value).upper()}" for word, value in options.items()]
    return f" WITH {', '.join(words)}" if words else ""

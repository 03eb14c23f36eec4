"""Read GRANT and REVOKE statements of privileges and of roles.

Source: https://www.postgresql.org/docs/current/sql-grant.html
"""

from collections.abc import Iterator

from answerable.connectors.postgres.parse.object_builder import GrantChange
from answerable.connectors.postgres.parse.sql_cursor import SqlCursor
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_names, quote_identifier
from answerable.reach.postgres.catalogue import PUBLIC, Membership
from answerable.reach.postgres.privileges import normalise_privilege

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
    revoke = cursor.accept_any("GRANT", "REVOKE") == "REVOKE"
    options_only = cursor.accept("GRANT", "OPTION", "FOR")
    privileges = list(_read_privileges(cursor))
    cursor.expect("ON")
    if any(cursor.accept(*words) for words in _OTHER_TARGETS):
        return None, []
    named = _read_target(cursor)
    cursor.expect("FROM" if revoke else "TO")
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
            cursor.accept("PRIVILEGES")
        if word == "ALTER" and cursor.accept("SYSTEM"):
            word = "ALTER SYSTEM"
        columns: tuple[str, ...] = ()
        if cursor.accept("("):
            columns = cursor.read_list()
            cursor.expect(")")
        yield normalise_privilege(word), columns
        if not cursor.accept(","):
            return


def _read_target(cursor: SqlCursor) -> ObjectName:
    """Read the object after ON: its kind, name and schema."""
    if cursor.accept("ALL"):
        raise ParseError("expected one object")
    if cursor.accept_any(*_FUNCTIONS):
        schema, signature = cursor.read_signature()
        return "function", signature, schema
    for words, kind, has_schema in _TARGETS:
        if cursor.accept(*words):
            return _build_name(kind, cursor.read_names(), has_schema=has_schema)
    return _build_name("table", cursor.read_names(), has_schema=True)


def _build_name(kind: str, names: tuple[str, ...], *, has_schema: bool) -> ObjectName:
    """Build the name of an object; a database keeps its own spelling."""
    if kind == "database":
        return kind, names[0], ""
    if kind == "schema":
        return kind, quote_identifier(names[0]), names[0]
    schema = names[0] if has_schema and len(names) > 1 else ""
    return kind, join_names(*names), schema


def _read_grantees(cursor: SqlCursor) -> tuple[str, ...]:
    """Read the roles after TO or FROM; an unquoted PUBLIC is every role."""
    grantees = []
    while True:
        cursor.accept("GROUP")
        grantees.append(PUBLIC if cursor.accept("PUBLIC") else cursor.read_name())
        if not cursor.accept(","):
            return tuple(grantees)


def read_membership(cursor: SqlCursor, place: str) -> Iterator[Membership]:
    """Yield the memberships of `GRANT role TO member WITH ...`.

    Raises:
        ParseError: It is a REVOKE, which no dump has, or has another form.
    """
    cursor.expect("GRANT")
    roles = cursor.read_list()
    cursor.expect("TO")
    members = _read_grantees(cursor)
    options = _read_options(cursor)
    for role in roles:
        for member in members:
            text = f"GRANT {quote_identifier(role)} TO {quote_identifier(member)}"
            yield Membership(
                role=role,
                member=member,
                inherit=options.get("INHERIT"),
                set_role=options.get("SET", True),
                admin=options.get("ADMIN", False),
                statement=text + _format_options(options),
                place=place,
            )


def _read_options(cursor: SqlCursor) -> dict[str, bool]:
    """Read `WITH ADMIN OPTION, INHERIT FALSE, SET TRUE`."""
    options: dict[str, bool] = {}
    if not cursor.accept("WITH"):
        return options
    while True:
        word = cursor.accept_any("ADMIN", "INHERIT", "SET")
        value = cursor.accept_any("OPTION", "TRUE", "FALSE")
        if not word or not value:
            raise ParseError("expected ADMIN, INHERIT or SET with its value")
        options[word] = value != "FALSE"
        if not cursor.accept(","):
            return options


def _format_options(options: dict[str, bool]) -> str:
    """Spell the options of a membership as SQL."""
    words = [f"{word} {str(value).upper()}" for word, value in options.items()]
    return f" WITH {', '.join(words)}" if words else ""

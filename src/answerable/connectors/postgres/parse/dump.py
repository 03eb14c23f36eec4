"""Parse the text of `pg_dumpall` and `pg_dump --schema-only`.

Statements on roles, owners, grants and row security are read; all others are skipped.
Sources: https://www.postgresql.org/docs/current/app-pgdump.html,
https://www.postgresql.org/docs/current/app-pg-dumpall.html
"""

import re
from collections.abc import Callable
from dataclasses import replace

from answerable.connectors.postgres.parse.catalogue_builder import (
    CatalogueBuilder,
    DatabaseBuilder,
)
from answerable.connectors.postgres.parse.grant_statements import (
    read_grant_change,
    read_membership,
)
from answerable.connectors.postgres.parse.object_statements import (
    read_create_policy,
    read_create_statement,
    read_object_name,
)
from answerable.connectors.postgres.parse.sql_cursor import SqlCursor
from answerable.connectors.postgres.parse.sql_lexer import (
    SqlLexer,
    SqlStatement,
    TokenKind,
)
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_qualified_sql_name
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.postgres.catalogue import Role
from answerable.reach.postgres.privileges import PRIVILEGES

_SERVER_VERSION = re.compile(
    r"^-- Dumped from database version (\d{1,3})", re.MULTILINE
)
_DUMP_VERSION = re.compile(
    r"^-- Dumped by pg_dump(?:all)? version (\d{1,3})", re.MULTILINE
)
_CONNECT = re.compile(r'\\connect(?:\s+-\S+)*\s+(?:"((?:[^"]|"")*)"|(\S+))\s*')
_CONNINFO_DATABASE = re.compile(r"dbname='((?:[^'\\]|\\.)*)'")
_GRANTS_VERSION = 16  # the first whose grants of roles carry INHERIT and SET
# Words that a problem quotes: any other word of a statement could be a secret.
_QUOTED_WORDS = frozenset().union(
    ("CREATE", "ALTER", "GRANT", "REVOKE", "SET", "RESET", "ON", "ALL", "DEFAULT"),
    ("ROLE", "USER", "DATABASE", "SCHEMA", "TABLE", "SEQUENCE", "FUNCTION", "VIEW"),
    ("TYPE", "DOMAIN", "POLICY", "PRIVILEGES", "OWNER", "TO", "FROM"),
    *PRIVILEGES.values(),
)
_ROLE_FLAGS = {
    "SUPERUSER": "superuser",
    "INHERIT": "inherit",
    "CREATEROLE": "create_role",
    "LOGIN": "login",
    "BYPASSRLS": "bypass_rls",
}


class DumpReader:
    """Reader of one dump file into the catalogue of its server.

    Args:
        builder: Catalogue that the file adds to.
        place: Path of the file.
        database: Name of the database where the dump does not name it.
    """

    def __init__(self, builder: CatalogueBuilder, place: str, database: str) -> None:
        self._builder = builder
        self._place = place
        self._database = database
        self._session_role = ""
        self._pg_dump_version = 0
        self.problems: list[ReadProblem] = []
        self.recognised = 0
        self._handlers: dict[str, Callable[[SqlCursor, str], bool]] = {
            "CREATE": self._read_create_statement,
            "ALTER": self._read_alter_statement,
            "GRANT": self._read_grant_or_revoke,
            "REVOKE": self._read_grant_or_revoke,
            "SET": self._read_set_session_authorization,
            "RESET": self._read_reset_session_authorization,
        }

    def read_dump(self, text: str) -> None:
        """Read all statements; those that cannot be parsed become problems."""
        self._read_versions(text)
        for statement in SqlLexer(text).iter_statements():
            first = statement.tokens[0]
            if first.kind is TokenKind.META:
                self._follow_connect_command(first.text)
                continue
            handler = self._handlers.get(first.keyword)
            if handler is not None:
                self._read_statement(handler, SqlCursor(text, statement), statement)

    def _read_versions(self, text: str) -> None:
        """Read the versions of the server and of pg_dump from the head of a dump."""
        for pattern, assign in (
            (_SERVER_VERSION, self._set_server_version),
            (_DUMP_VERSION, self._set_pg_dump_version),
        ):
            found = next(pattern.finditer(text), None)
            if found is not None:
                assign(int(found[1]))

    def _set_server_version(self, version: int) -> None:
        """Set the server version of the catalogue."""
        self._builder.version = version

    def _set_pg_dump_version(self, version: int) -> None:
        """Set the version of the pg_dump that wrote the file."""
        self._pg_dump_version = version

    def _read_statement(
        self,
        handler: Callable[[SqlCursor, str], bool],
        cursor: SqlCursor,
        statement: SqlStatement,
    ) -> None:
        """Read one SQL statement; one that cannot be parsed becomes a problem."""
        place = f"{self._place}:{statement.line}"
        try:
            self.recognised += handler(cursor, place)
        except ParseError as error:
            words = _describe_statement(statement)
            what = f"{words} statement not understood: {error.reason}"
            self.problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
            self._get_unread_statements(statement).append(f"{words} ({place})")

    def _get_unread_statements(self, statement: SqlStatement) -> list[str]:
        """Return the list for unparsed statements of the database, or of the server."""
        words = {token.keyword for token in statement.tokens}
        of_database = bool({"ON", "OWNER"} & words) and bool(self._database)
        return (
            self._get_current_database().unread if of_database else self._builder.unread
        )

    def _get_current_database(self) -> DatabaseBuilder:
        """Return the database that the dump's statements apply to here.

        Raises:
            ParseError: No name of the database is known.
        """
        if not self._database:
            raise ParseError("the database has no name (expected dbname=NAME)")
        contents = self._builder.get_or_add_contents(self._database)
        contents.pg_dump_version = contents.pg_dump_version or self._pg_dump_version
        return contents

    def _follow_connect_command(self, command: str) -> None:
        r"""Follow `\connect DATABASE`."""
        found = _CONNECT.fullmatch(command)
        if found is None:
            return
        name = found[2] or found[1].replace('""', '"')
        conninfo = next(_CONNINFO_DATABASE.finditer(name), None)
        if conninfo is not None:
            name = re.sub(r"\\(.)", r"\1", conninfo[1])
        self._database = name

    def _read_create_statement(self, cursor: SqlCursor, place: str) -> bool:
        """Read a CREATE statement."""
        cursor.expect_keywords("CREATE")
        if cursor.accept_keywords("USER", "MAPPING"):
            return False
        word = cursor.accept_any_keyword("ROLE", "USER")
        if word:
            return self._read_role_attributes(cursor, place, login=word == "USER")
        if cursor.accept_keywords("DATABASE"):
            database = self._builder.get_or_add_database(cursor.read_name())
            database.place = place
            return True
        if cursor.accept_keywords("POLICY"):
            table, policy = read_create_policy(cursor, place)
            self._get_current_database().get_or_add_object(
                "table", *table
            ).policies.append(policy)
            return True
        made = read_create_statement(cursor, self._get_current_database, place)
        if made is not None and self._session_role:
            made.owner = self._session_role
            self._get_current_database().has_owners = True
        return made is not None

    def _read_alter_statement(self, cursor: SqlCursor, place: str) -> bool:
        """Read an ALTER statement."""
        cursor.expect_keywords("ALTER")
        if cursor.accept_keywords("USER", "MAPPING"):
            return False
        if cursor.accept_any_keyword("ROLE", "USER"):
            return self._read_role_attributes(cursor, place)
        if cursor.accept_keywords("DATABASE"):
            database = self._builder.get_or_add_database(cursor.read_name())
            if cursor.accept_keywords("OWNER", "TO"):
                database.owner = cursor.read_name()
            return True
        if cursor.accept_keywords("DEFAULT", "PRIVILEGES"):
            return True  # of future objects
        named = read_object_name(cursor)
        if named is None:
            return False
        if cursor.accept_keywords("OWNER", "TO"):
            owned = self._get_current_database().get_or_add_object(*named, place)
            owned.owner = cursor.read_name()
            self._get_current_database().has_owners = True
        elif named[0] == "table":
            self._read_alter_table(cursor, named, place)
        return True

    def _read_alter_table(
        self, cursor: SqlCursor, named: tuple[str, str, str], place: str
    ) -> None:
        """Read row security and identity columns of a table."""
        if cursor.accept_keywords("ENABLE", "ROW", "LEVEL"):
            self._get_current_database().get_or_add_object(
                *named, place
            ).row_security = True
        elif cursor.accept_keywords("FORCE", "ROW", "LEVEL"):
            self._get_current_database().get_or_add_object(
                *named, place
            ).force_row_security = True
        elif cursor.accept_keywords("ALTER", "COLUMN") and cursor.contains_keywords(
            "ADD", "GENERATED"
        ):
            cursor.skip_to_keywords("IDENTITY")
            cursor.expect_keywords("(", "SEQUENCE", "NAME")
            names = cursor.read_qualified_name()
            contents = self._get_current_database()
            made = contents.get_or_add_object(
                "sequence",
                join_qualified_sql_name(*names),
                names[0] if names[1:] else "",
                place,
            )
            made.owner_of = contents.get_or_add_object(*named, place)

    def _read_role_attributes(
        self, cursor: SqlCursor, place: str, *, login: bool = False
    ) -> bool:
        """Read the attributes of a role; a new role has the defaults of CREATE ROLE."""
        name = cursor.read_name()
        known = self._builder.roles.get(name)
        role = known or Role(name, login=login, place=place)
        flags: dict[str, bool] = {}
        if cursor.accept_keywords("IN", "DATABASE") or cursor.accept_any_keyword(
            "SET", "RESET"
        ):
            return True
        while not cursor.at_end:
            word = cursor.advance().keyword
            bare = word.removeprefix("NO")
            if word in _ROLE_FLAGS:
                flags[_ROLE_FLAGS[word]] = True
            elif bare in _ROLE_FLAGS:
                flags[_ROLE_FLAGS[bare]] = False
        self._builder.roles[name] = replace(role, **flags)  # type: ignore[arg-type]  # names of flags
        return True

    def _read_grant_or_revoke(self, cursor: SqlCursor, place: str) -> bool:
        """Read a GRANT or REVOKE of privileges or roles."""
        if not cursor.contains_keywords("ON"):
            for membership in read_membership(cursor, place):
                if membership.inherit is not None:
                    floor = max(self._builder.version, _GRANTS_VERSION)
                    self._builder.version = floor
                self._builder.memberships.append(membership)
            return True
        named, changes = read_grant_change(cursor, place)
        if named is None:
            return True
        kind, name, schema = named
        if kind == "database":
            owned = self._builder.get_or_add_database(name)
        else:
            contents = self._get_current_database()
            contents.has_grants = True
            owned = contents.get_or_add_object(kind, name, schema)
            if kind == "schema":
                contents.get_or_add_schema(schema)
        owned.changes += changes
        return True

    def _read_set_session_authorization(self, cursor: SqlCursor, place: str) -> bool:
        """Read `SET SESSION AUTHORIZATION`: the owner of what is created next."""
        if not cursor.accept_keywords("SET", "SESSION", "AUTHORIZATION"):
            return False
        token = cursor.advance()
        name = token.text
        if token.kind is TokenKind.STRING:
            name = name[1:-1].replace("''", "'")
        elif token.kind is TokenKind.QUOTED:
            name = name[1:-1].replace('""', '"')
        self._session_role = "" if token.keyword == "DEFAULT" else name
        return True

    def _read_reset_session_authorization(self, cursor: SqlCursor, place: str) -> bool:
        """Read `RESET SESSION AUTHORIZATION`."""
        if cursor.accept_keywords("RESET", "SESSION", "AUTHORIZATION"):
            self._session_role = ""
        return False


def _describe_statement(statement: SqlStatement) -> str:
    """Describe a statement by the keywords among its first three words."""
    words = (token.keyword for token in statement.tokens[:3])
    return " ".join(word if word in _QUOTED_WORDS else "..." for word in words)

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
    create_object,
    read_object_name,
    read_policy,
)
from answerable.connectors.postgres.parse.sql_cursor import SqlCursor
from answerable.connectors.postgres.parse.sql_lexer import (
    SqlLexer,
    SqlStatement,
    TokenKind,
)
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_names
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.postgres.catalogue import Role

_SERVER_VERSION = re.compile(
    r"^-- Dumped from database version (\d{1,3})", re.MULTILINE
)
_DUMP_VERSION = re.compile(
    r"^-- Dumped by pg_dump(?:all)? version (\d{1,3})", re.MULTILINE
)
_CONNECT = re.compile(r'\\connect(?:\s+-\S+)*\s+(?:"((?:[^"]|"")*)"|(\S+))\s*')
_CONNINFO_DATABASE = re.compile(r"dbname='((?:[^'\\]|\\.)*)'")
_GRANTS_VERSION = 16  # the first whose grants of roles carry INHERIT and SET
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
            "CREATE": self._create,
            "ALTER": self._alter,
            "GRANT": self._grant,
            "REVOKE": self._grant,
            "SET": self._set,
            "RESET": self._reset,
        }

    def read(self, text: str) -> None:
        """Read all statements; those that cannot be parsed become problems."""
        self._read_versions(text)
        for statement in SqlLexer(text).statements():
            first = statement.tokens[0]
            if first.kind is TokenKind.META:
                self._connect(first.text)
                continue
            handler = self._handlers.get(first.keyword)
            if handler is not None:
                self._handle(handler, SqlCursor(text, statement), statement)

    def _read_versions(self, text: str) -> None:
        """Read the versions of the server and of pg_dump from the head of a dump."""
        for pattern, assign in (
            (_SERVER_VERSION, self._set_version),
            (_DUMP_VERSION, self._set_pg_dump_version),
        ):
            found = next(pattern.finditer(text), None)
            if found is not None:
                assign(int(found[1]))

    def _set_version(self, version: int) -> None:
        """Set the server version of the catalogue."""
        self._builder.version = version

    def _set_pg_dump_version(self, version: int) -> None:
        """Set the version of the pg_dump that wrote the file."""
        self._pg_dump_version = version

    def _handle(
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
            words = " ".join(t.keyword for t in statement.tokens[:3] if t.keyword)
            what = f"{words} statement not understood: {error.reason}"
            self.problems.append(ReadProblem(ReadProblemKind.INVALID, place, what))
            self._get_unread(statement).append(f"{words} ({place})")

    def _get_unread(self, statement: SqlStatement) -> list[str]:
        """Return the list for unparsed statements of the database, or of the server."""
        words = {token.keyword for token in statement.tokens}
        of_database = bool({"ON", "OWNER"} & words) and bool(self._database)
        return self._contents().unread if of_database else self._builder.unread

    def _contents(self) -> DatabaseBuilder:
        """Return the contents of the current database.

        Raises:
            ParseError: No name of the database is known.
        """
        if not self._database:
            raise ParseError("the database has no name (expected dbname=NAME)")
        contents = self._builder.get_contents(self._database)
        contents.pg_dump_version = contents.pg_dump_version or self._pg_dump_version
        return contents

    def _connect(self, command: str) -> None:
        r"""Follow `\connect DATABASE`."""
        found = _CONNECT.fullmatch(command)
        if found is None:
            return
        name = found[2] or found[1].replace('""', '"')
        conninfo = next(_CONNINFO_DATABASE.finditer(name), None)
        if conninfo is not None:
            name = re.sub(r"\\(.)", r"\1", conninfo[1])
        self._database = name

    def _create(self, cursor: SqlCursor, place: str) -> bool:
        """Read a CREATE statement."""
        cursor.expect("CREATE")
        if cursor.accept("USER", "MAPPING"):
            return False
        word = cursor.accept_any("ROLE", "USER")
        if word:
            return self._set_role(cursor, place, login=word == "USER")
        if cursor.accept("DATABASE"):
            database = self._builder.get_database(cursor.read_name())
            database.place = place
            return True
        if cursor.accept("POLICY"):
            table, policy = read_policy(cursor, place)
            self._contents().get_object("table", *table).policies.append(policy)
            return True
        made = create_object(cursor, self._contents, place)
        if made is not None and self._session_role:
            made.owner = self._session_role
            self._contents().has_owners = True
        return made is not None

    def _alter(self, cursor: SqlCursor, place: str) -> bool:
        """Read an ALTER statement."""
        cursor.expect("ALTER")
        if cursor.accept("USER", "MAPPING"):
            return False
        if cursor.accept_any("ROLE", "USER"):
            return self._set_role(cursor, place)
        if cursor.accept("DATABASE"):
            database = self._builder.get_database(cursor.read_name())
            if cursor.accept("OWNER", "TO"):
                database.owner = cursor.read_name()
            return True
        if cursor.accept("DEFAULT", "PRIVILEGES"):
            return True  # of future objects
        named = read_object_name(cursor)
        if named is None:
            return False
        if cursor.accept("OWNER", "TO"):
            owned = self._contents().get_object(*named, place)
            owned.owner = cursor.read_name()
            self._contents().has_owners = True
        elif named[0] == "table":
            self._alter_table(cursor, named, place)
        return True

    def _alter_table(
        self, cursor: SqlCursor, named: tuple[str, str, str], place: str
    ) -> None:
        """Read row security and identity columns of a table."""
        if cursor.accept("ENABLE", "ROW", "LEVEL"):
            self._contents().get_object(*named, place).row_security = True
        elif cursor.accept("FORCE", "ROW", "LEVEL"):
            self._contents().get_object(*named, place).force_row_security = True
        elif cursor.accept("ALTER", "COLUMN") and cursor.contains("ADD", "GENERATED"):
            cursor.skip_to("IDENTITY")
            cursor.expect("(", "SEQUENCE", "NAME")
            names = cursor.read_names()
            contents = self._contents()
            made = contents.get_object(
                "sequence", join_names(*names), names[0] if names[1:] else "", place
            )
            made.owner_of = contents.get_object(*named, place)

    def _set_role(self, cursor: SqlCursor, place: str, *, login: bool = False) -> bool:
        """Read the attributes of a role; a new role has the defaults of CREATE ROLE."""
        name = cursor.read_name()
        known = self._builder.roles.get(name)
        role = known or Role(name, login=login, place=place)
        flags: dict[str, bool] = {}
        if cursor.accept("IN", "DATABASE") or cursor.accept_any("SET", "RESET"):
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

    def _grant(self, cursor: SqlCursor, place: str) -> bool:
        """Read a GRANT or REVOKE of privileges or roles."""
        if not cursor.contains("ON"):
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
            owned = self._builder.get_database(name)
        else:
            contents = self._contents()
            contents.has_grants = True
            owned = contents.get_object(kind, name, schema)
            if kind == "schema":
                contents.get_schema(schema)
        owned.changes += changes
        return True

    def _set(self, cursor: SqlCursor, place: str) -> bool:
        """Read `SET SESSION AUTHORIZATION`: the owner of what is created next."""
        if not cursor.accept("SET", "SESSION", "AUTHORIZATION"):
            return False
        token = cursor.advance()
        name = token.text
        if token.kind is TokenKind.STRING:
            name = name[1:-1].replace("''", "'")
        elif token.kind is TokenKind.QUOTED:
            name = name[1:-1].replace('""', '"')
        self._session_role = "" if token.keyword == "DEFAULT" else name
        return True

    def _reset(self, cursor: SqlCursor, place: str) -> bool:
        """Read `RESET SESSION AUTHORIZATION`."""
        if cursor.accept("RESET", "SESSION", "AUTHORIZATION"):
            self._session_role = ""
        return False

"""Format and parse PostgreSQL identifiers, identity ids and resource ids.

Identity: `postgres:HOST/DATABASE/role/NAME`. Resource: `postgres:HOST/DATABASE/KIND/NAME`
with the name as SQL spells it.
"""

import re
from dataclasses import dataclass

PLATFORM = "postgres"
PREFIX = f"{PLATFORM}:"
DEFAULT_PORT = "5432"
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PART = re.compile(r'"(?:[^"]|"")*"|[^".]+')
_ESCAPED = re.compile(r"%([0-9A-F]{2})")
_RESERVED = re.compile(r"[%/\s\x00-\x1f\x7f]")


def quote_sql_identifier(name: str) -> str:
    """Format a name as an SQL identifier: quoted unless it is plain lower case.

    Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html, 4.1.1
    """
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def join_qualified_sql_name(*names: str) -> str:
    """Format a qualified name: `schema.table`."""
    return ".".join(map(quote_sql_identifier, names))


def split_qualified_sql_name(text: str) -> tuple[str, ...]:
    """Split a qualified SQL name; unquoted parts fold to lower case.

    Returns:
        The names; empty if the text is no such name.
    """
    names: list[str] = []
    at = 0
    for each in _PART.finditer(text):
        if each.start() != at:
            return ()
        part = each[0]
        quoted = part.startswith('"')
        names.append(part[1:-1].replace('""', '"') if quoted else part.strip().lower())
        at = each.end() + 1
        if each.end() < len(text) and text[each.end()] != ".":
            return ()
    return tuple(names) if at == len(text) + 1 and all(names) else ()


def normalise_postgres_host(host: str, port: str = "") -> str:
    """Return the name of a server: lower case, with a port other than 5432.

    A socket directory and no host at all mean this machine: `localhost`.
    Source: https://www.postgresql.org/docs/current/libpq-connect.html, "host"
    """
    local = not host or host.startswith(("/", "@"))
    name = "localhost" if local else host.lower().rstrip(".")
    return name if port in ("", DEFAULT_PORT) else f"{name}:{port}"


def _escape_id_part(part: str) -> str:
    """Escape the characters that an id may not hold inside a part."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


def _unescape_id_part(part: str) -> str:
    """Return a part of an id as it was before `_escape_id_part`."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), part)


def build_postgres_role_id(host: str, database: str, role: str) -> str:
    """Build the id of a role in a database; without one where none is known."""
    parts = (host, database, "role", role) if database else (host, "role", role)
    return PREFIX + "/".join(map(_escape_id_part, parts))


def build_postgres_object_id(host: str, database: str, kind: str, name: str) -> str:
    """Build the id of an object."""
    return f"{PREFIX}{_escape_id_part(host)}/{_escape_id_part(database)}/{kind}/{name}"


@dataclass(frozen=True, slots=True)
class RoleId:
    """Parsed id of a role.

    Attributes:
        database: Empty where the id names none.
    """

    host: str
    database: str
    role: str


def parse_postgres_role_id(text: str) -> RoleId | None:
    """Parse the id of a role; None for any other text."""
    if not text.startswith(PREFIX):
        return None
    parts = [_unescape_id_part(part) for part in text.removeprefix(PREFIX).split("/")]
    if len(parts) == 3 and parts[1] == "role" and all(parts):
        return RoleId(parts[0], "", parts[2])
    if len(parts) == 4 and parts[2] == "role" and all(parts):
        return RoleId(parts[0], parts[1], parts[3])
    return None


@dataclass(frozen=True, slots=True)
class ResourceName:
    """Parsed id of an object.

    Attributes:
        column: Name of a column of the table `name`; empty for a whole object.
    """

    host: str
    database: str
    kind: str
    name: str
    column: str = ""

    def __str__(self) -> str:
        if not self.column:
            return build_postgres_object_id(
                self.host, self.database, self.kind, self.name
            )
        name = f"{self.name}.{quote_sql_identifier(self.column)}"
        return build_postgres_object_id(self.host, self.database, "column", name)


def parse_postgres_object_id(text: str) -> ResourceName | None:
    """Parse `postgres:HOST/DATABASE/KIND/NAME`; None for any other text."""
    parts = text.removeprefix(PREFIX).split("/", 3)
    if not text.startswith(PREFIX) or len(parts) != 4 or not all(parts):
        return None
    host, database = _unescape_id_part(parts[0]), _unescape_id_part(parts[1])
    return parse_user_written_object_name(host, database, parts[2], parts[3])


def parse_user_written_object_name(
    host: str, database: str, kind: str, written: str
) -> ResourceName | None:
    """Build the name of an object as a user wrote it; None where it is no SQL name."""
    if kind == "role":
        return ResourceName(host, database, kind, _unescape_id_part(written))
    if kind == "function":
        head, mark, arguments = written.partition("(")
        names = split_qualified_sql_name(head)
        name = join_qualified_sql_name(*names) + mark + arguments
        return ResourceName(host, database, kind, name) if names else None
    names = split_qualified_sql_name(written)
    if not names:
        return None
    if kind == "column":
        table, column = names[:-1], names[-1]
        if not table:
            return None
        return ResourceName(
            host, database, "table", join_qualified_sql_name(*table), column
        )
    return ResourceName(host, database, kind, join_qualified_sql_name(*names))

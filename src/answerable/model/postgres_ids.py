"""Spell PostgreSQL identifiers and the ids of roles.

Identity: `postgres:HOST/DATABASE/role/NAME`.
"""

import re

PREFIX = "postgres:"
DEFAULT_PORT = "5432"
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_RESERVED = re.compile(r"[%/\s\x00-\x1f\x7f]")


def quote_identifier(name: str) -> str:
    """Spell a name as an SQL identifier: quoted unless it is plain lower case.

    Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html, 4.1.1
    """
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace('"', '""') + '"'


def join_names(*names: str) -> str:
    """Spell a qualified name: `schema.table`."""
    return ".".join(map(quote_identifier, names))


def normalise_host(host: str, port: str = "") -> str:
    """Return the name of a server: lower case, with a port other than 5432.

    A socket directory and no host at all mean this machine: `localhost`.
    Source: https://www.postgresql.org/docs/current/libpq-connect.html, "host"
    """
    local = not host or host.startswith(("/", "@"))
    name = "localhost" if local else host.lower().rstrip(".")
    return name if port in ("", DEFAULT_PORT) else f"{name}:{port}"


def _escape(part: str) -> str:
    """Escape the characters that an id may not hold inside a part."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


def build_role_id(host: str, database: str, role: str) -> str:
    """Build the id of a role in a database; without one where none is known."""
    parts = (host, database, "role", role) if database else (host, "role", role)
    return PREFIX + "/".join(map(_escape, parts))

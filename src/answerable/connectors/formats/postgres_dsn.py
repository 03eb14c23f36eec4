"""Find the PostgreSQL role that a connection string or the PG variables name.

Sources: https://www.postgresql.org/docs/current/libpq-connect.html, "Connection Strings",
https://www.postgresql.org/docs/current/libpq-envars.html
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

from answerable.connectors.formats.platform_identity import PlatformIdentity
from answerable.model.postgres_ids import (
    build_postgres_role_id,
    normalise_postgres_host,
)

_UNCLEAR = frozenset("*${}<>")  # wildcards, references and placeholders
_SCHEMES = ("postgres", "postgresql")
_KEYWORD = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']+)")
_PASSWORD_VARIABLE = "PGPASSWORD"  # noqa: S105 - the variable's name
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
}


def parse_dsn_role(text: str) -> PlatformIdentity | None:
    """Parse a connection URI or keyword string; None where it names no single role.

    Variants of the scheme (`postgresql+psycopg`, `jdbc:postgresql`) are read, too.
    """
    scheme, mark, rest = text.strip().removeprefix("jdbc:").partition("://")
    if not mark:
        settings = {
            name: _unquote_value(value) for name, value in _KEYWORD.findall(text)
        }
        known = {"dbname", "user"} <= settings.keys() and "host" in settings
        return build_postgres_role(settings) if known else None
    if scheme.lower().partition("+")[0] not in _SCHEMES:
        return None
    head, _, query = rest.partition("?")
    authority, _, database = head.partition("/")
    userinfo, _, place = authority.rpartition("@")
    host, _, port = place.rpartition(":") if ":" in place else (place, "", "")
    settings = {
        "user": unquote(userinfo.partition(":")[0]),
        "host": unquote(host.strip("[]")),
        "port": port,
        "dbname": unquote(database),
    }
    stated = {name: values[-1] for name, values in parse_qs(query).items()}
    named = {name: stated[name] for name in settings.keys() & stated.keys()}
    return build_postgres_role(settings | named)


def find_variable_role(variables: Mapping[str, str]) -> PlatformIdentity | None:
    """Find the role that PGHOST, PGUSER and PGDATABASE name, next to PGPASSWORD."""
    if not variables.get(_PASSWORD_VARIABLE):
        return None
    return build_postgres_role(
        {name: variables.get(variable, "") for name, variable in _VARIABLES.items()}
    )


def is_role_password(variable: str) -> bool:
    """Return whether a variable holds the password of the PG variables."""
    return variable == _PASSWORD_VARIABLE


def build_postgres_role(settings: Mapping[str, str]) -> PlatformIdentity | None:
    """Build the role of connection settings; None where they name no single one.

    The database is the role's name by default. A reference or several hosts name none.
    """
    user, host = settings.get("user", ""), settings.get("host", "")
    database = settings.get("dbname", "") or user
    port = settings.get("port", "")
    texts = (user, host, database, port)
    unclear = any(not _UNCLEAR.isdisjoint(text) for text in texts)
    if not user or unclear or "," in host or not all(map(str.isprintable, texts)):
        return None
    key = build_postgres_role_id(normalise_postgres_host(host, port), database, user)
    return PlatformIdentity(key, "postgres-role", user)


def _unquote_value(value: str) -> str:
    """Return the value of a keyword string without its quotes."""
    if value.startswith("'"):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value

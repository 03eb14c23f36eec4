"""Parse the action and resource of a question in PostgreSQL's format."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.postgres_ids import (
    PREFIX,
    ResourceName,
    join_qualified_sql_name,
    parse_postgres_object_id,
    parse_user_written_object_name,
    split_qualified_sql_name,
)
from answerable.reach.postgres.catalogue import DatabaseObject
from answerable.reach.postgres.privileges import (
    OWNER_ACTIONS,
    PRIVILEGES,
    ROLE_ACTIONS,
    list_privileges_of_object_kind,
    normalise_privilege_name,
)
from answerable.reach.postgres.server_index import PostgresServer

_ALIASES = {
    "view": "table",
    "materialized view": "table",
    "foreign table": "table",
    "procedure": "function",
    "routine": "function",
    "domain": "type",
}
_ROLE = "role"
_EXAMPLE = "as table:public.orders, schema:public, or postgres:HOST/DATABASE/table/NAME"
Servers = Mapping[str, PostgresServer]


def parse_privilege_or_owner_right(text: str) -> str:
    """Parse a privilege (`SELECT`) or owner's right (`DROP`) to its standard name.

    Raises:
        UsageError: PostgreSQL has no such privilege.
    """
    action = normalise_privilege_name(text)
    known = sorted(
        {*OWNER_ACTIONS, *ROLE_ACTIONS, "MAINTAIN"}.union(*PRIVILEGES.values())
    )
    if action in known:
        return action
    close = get_close_matches(action, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    raise UsageError(f"PostgreSQL has no privilege {text[:80]!r}", hint)


def parse_object_argument(servers: Servers, action: str, text: str) -> ResourceName:
    """Parse a resource: an id, `KIND:NAME`, or the name of a known object.

    Raises:
        UsageError: It is no such name, or no object of its kind takes the action.
    """
    if text.startswith(PREFIX):
        found = parse_postgres_object_id(text)
        if found is None or found.kind not in (*PRIVILEGES, _ROLE):
            raise UsageError(f"not a PostgreSQL resource (got {text[:80]!r})", _EXAMPLE)
        named = [found]
    else:
        kind, mark, written = text.partition(":")
        kind = _ALIASES.get(kind.lower(), kind.lower())
        if mark and kind in (*PRIVILEGES, _ROLE):
            named = list(_list_name_in_each_database(servers, kind, written))
        else:
            named = list(_find_objects_by_name(servers, action, text))
            if not named:
                named = list(_list_name_in_each_database(servers, "table", text))
    known = [
        each for each in (_complete_object_name(servers, one) for one in named) if each
    ]
    chosen = known or named
    if len(chosen) > 1:
        raise AmbiguousError(
            f"{text[:80]!r} matches several objects", tuple(map(str, chosen))
        )
    if not chosen:
        raise UsageError(f"no PostgreSQL object is called {text[:80]!r}", _EXAMPLE)
    check_action_on_object_kind(servers, action, chosen[0])
    return chosen[0]


def check_action_on_object_kind(
    servers: Servers, action: str, resource: ResourceName
) -> None:
    """Check that objects of the resource's kind take the action.

    Raises:
        UsageError: They do not; the hint lists the actions that they take.
    """
    server = servers.get(resource.host)
    kind = "column" if resource.column else resource.kind
    known = list_actions_on_object_kind(kind, server.version if server else 0)
    if action not in known:
        raise UsageError(
            f"a {kind} has no privilege {action}", f"known: {', '.join(known)}"
        )


def list_actions_on_object_kind(kind: str, version: int) -> tuple[str, ...]:
    """List the actions of a kind of object."""
    if kind == _ROLE:
        return ROLE_ACTIONS
    privileges = list_privileges_of_object_kind(kind, version)
    return privileges if kind == "column" else (*privileges, *OWNER_ACTIONS)


def _list_name_in_each_database(
    servers: Servers, kind: str, written: str
) -> Iterator[ResourceName]:
    """Yield a name in each described database."""
    for server in servers.values():
        databases = tuple(server.contents)
        if kind == "database":
            databases = split_qualified_sql_name(written)[:1]
        for database in databases:
            named = parse_user_written_object_name(server.host, database, kind, written)
            if named is not None:
                yield named


def _complete_object_name(servers: Servers, named: ResourceName) -> ResourceName | None:
    """Return a name in the format of the catalogue; None where no source has it.

    A function may be named with its argument types alone, or without arguments.
    """
    server = servers.get(named.host)
    if server is None:
        return None
    if named.kind == _ROLE:
        return named if server.get_role(named.name) else None
    if server.get_object(named.database, named.kind, named.name):
        return named
    index = server.contents.get(named.database)
    if named.kind != "function" or index is None:
        return None
    same = [
        each.name
        for each in index.list_objects_of_kind("function")
        if _matches_function_signature(each.name, named.name)
    ]
    return replace(named, name=same[0]) if len(same) == 1 else None


def _matches_function_signature(signature: str, written: str) -> bool:
    """Return whether a user's spelling means a function: `f`, `f(integer)`."""
    head, _, arguments = signature.partition("(")
    name, mark, types = written.partition("(")
    if head != name:
        return False
    if not mark:
        return True
    listed = [part.strip() for part in arguments.rstrip(")").split(",")]
    inputs = [part for part in listed if part and not part.startswith("OUT ")]
    wanted = [part.strip() for part in types.rstrip(")").split(",") if part.strip()]
    return len(inputs) == len(wanted) and all(
        full == each or full.endswith(f" {each}")
        for full, each in zip(inputs, wanted, strict=True)
    )


def _find_objects_by_name(
    servers: Servers, action: str, text: str
) -> Iterator[ResourceName]:
    """Yield the objects of a name whose kind takes the action, and columns."""
    names = split_qualified_sql_name(text.partition("(")[0])
    for server in servers.values():
        for database, index in server.contents.items():
            for made in index.objects.values():
                column = _match_object_or_column_name(made, names, text)
                kind = "column" if column else made.kind
                actions = list_actions_on_object_kind(kind, server.version)
                if column is not None and action in actions:
                    yield ResourceName(
                        server.host, database, made.kind, made.name, column
                    )
        for made in server.databases.values():
            if made.name == join_qualified_sql_name(
                *names
            ) and action in list_actions_on_object_kind("database", 0):
                yield ResourceName(server.host, names[0], "database", made.name)


def _match_object_or_column_name(
    made: DatabaseObject, names: tuple[str, ...], text: str
) -> str | None:
    """Return the column that a name means in an object, empty for the object itself."""
    if made.kind == "function":
        return "" if _matches_function_signature(made.name, text) else None
    written = join_qualified_sql_name(*names)
    if made.name in (written, text):
        return ""
    of_table = names[1:] and made.kind == "table"
    if of_table and made.name == join_qualified_sql_name(*names[:-1]):
        known = made.columns is None or names[-1] in made.columns
        return names[-1] if known else None
    return None

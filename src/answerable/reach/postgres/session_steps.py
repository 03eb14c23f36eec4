"""Follow the steps from one session to others: SET ROLE, GRANT of a role, CONNECT."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.postgres_ids import build_postgres_role_id, quote_sql_identifier
from answerable.reach.condition_formula import FALSE, TRUE, Formula, build_atom
from answerable.reach.platform import DeterminingStatement, PathHop
from answerable.reach.postgres.catalogue import Membership
from answerable.reach.postgres.privilege_check import (
    ALLOW,
    Session,
    decide_connect_privilege,
    list_membership_statements,
)
from answerable.reach.postgres.server_index import GRANT_OPTIONS_SINCE

SERVER_ACCESS = "postgres:server-access"
SERVER_VERSION = "postgres:server-version"
SET_ROLE, GRANT_ROLE, CONNECT = "SET ROLE", "GRANT ROLE", "CONNECT"
# "could be used to gain superuser-level access", predefined-roles.
_SERVER_ROLES = (
    "pg_execute_server_program",
    "pg_write_server_files",
    "pg_read_server_files",
)


@dataclass(frozen=True, slots=True)
class SessionPath:
    """Session with the steps to it."""

    session: Session
    hops: tuple[PathHop, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """Step from a session to another.

    Attributes:
        database: Database of the new session; empty for the same one.
    """

    via: str
    role: str
    formula: Formula = TRUE
    determining: tuple[DeterminingStatement, ...] = ()
    database: str = ""


def iterate_reachable_sessions(start: Session) -> Iterator[SessionPath]:
    """Yield a session, then those that it can become, nearest first.

    A session whose steps are unconditional comes before one of the same role with
    conditions.
    """
    seen = {(start.database, start.role)}
    waiting = deque([SessionPath(start)])
    conditional: deque[SessionPath] = deque()
    while waiting or conditional:
        path = (waiting or conditional).popleft()
        key = (path.session.database, path.session.role)
        if path.hops and key in seen:
            continue
        seen.add(key)
        yield path
        for step in _list_steps_of_session(path.session):
            session = replace(
                path.session,
                role=step.role,
                database=step.database or path.session.database,
            )
            if (session.database, session.role) in seen:
                continue
            hop = PathHop(
                get_role_id_of_session(path.session),
                step.via,
                get_role_id_of_session(session),
                step.formula,
                step.determining,
            )
            sure = all(each.formula == TRUE for each in (*path.hops, hop))
            (waiting if sure else conditional).append(
                SessionPath(session, (*path.hops, hop))
            )


def get_role_id_of_session(session: Session) -> str:
    """Return the id of the role of a session."""
    return build_postgres_role_id(session.server.host, session.database, session.role)


def _list_steps_of_session(session: Session) -> Iterator[_Step]:
    """Yield what a role can become: other databases, SET ROLE, grants to itself."""
    yield from _list_connectable_databases(session)
    role = session.server.get_role(session.role)
    if role is not None and role.superuser:
        return  # has the privileges of all roles
    settable = session.server.list_roles_settable_with_set_role(
        session.database, session.role
    )
    for name, path in settable.items():
        yield _Step(SET_ROLE, name, determining=list_membership_statements(path))
    yield from _list_roles_grantable_to_self(session)
    yield from _list_superusers_by_host_access(session)


def _list_connectable_databases(session: Session) -> Iterator[_Step]:
    """Yield the other databases that the user of a new session can connect to."""
    user = session.server.get_role(session.user)
    if session.role != session.user or (user is not None and not user.login):
        return
    for database in session.server.contents:
        if database != session.database:
            decision = decide_connect_privilege(replace(session, database=database))
            if decision.formula != FALSE:
                yield _Step(
                    CONNECT,
                    session.role,
                    decision.formula,
                    decision.determining,
                    database,
                )


def _list_roles_grantable_to_self(session: Session) -> Iterator[_Step]:
    """Yield the roles that a session can grant to itself.

    ADMIN OPTION allows it; before version 16, CREATEROLE does for every role that is no
    superuser: release notes of PostgreSQL 16, E.4.2.
    """
    server, database = session.server, session.database
    granted = server.version >= GRANT_OPTIONS_SINCE
    closure = (
        server.list_roles_inherited_from if granted else server.list_roles_with_member
    )
    for member, path in closure(database, session.role).items():
        for each in server.list_memberships_of_role(database, member):
            if each.admin:
                found = list_membership_statements((*path, each))
                yield _Step(GRANT_ROLE, each.role, determining=found)
    role = server.get_role(session.role)
    if role is None or not role.create_role or granted:
        return
    formula = TRUE
    if not server.version:
        before = (str(GRANT_OPTIONS_SINCE),)
        formula = build_atom(SERVER_VERSION, "NumericLessThan", before)
    name = quote_sql_identifier(role.name)
    attribute = DeterminingStatement(
        "attribute", f"role {name}", f"ALTER ROLE {name} CREATEROLE", ALLOW
    )
    for other in server.roles.values():
        if not other.superuser and other.name != session.role:
            yield _Step(GRANT_ROLE, other.name, formula, (attribute,))


def _list_superusers_by_host_access(session: Session) -> Iterator[_Step]:
    """Yield the superusers that a role with access to the server's host can become.

    Source: https://www.postgresql.org/docs/current/predefined-roles.html
    """
    server = session.server
    inherited = server.list_roles_inherited_from(session.database, session.role)
    for name in _SERVER_ROLES:
        if name in inherited:
            path: tuple[Membership, ...] = inherited[name]
            formula = build_atom(SERVER_ACCESS, "Allows", (name,))
            for role in server.roles.values():
                if role.superuser:
                    found = list_membership_statements(path)
                    yield _Step(name, role.name, formula, found)

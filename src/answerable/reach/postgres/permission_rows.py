"""List what identities can do on PostgreSQL: a privilege and an object a row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from answerable.model.postgres_ids import (
    ResourceName,
    build_postgres_object_id,
    parse_postgres_role_id,
    quote_sql_identifier,
)
from answerable.reach.condition_formula import FALSE, TRUE, Formula, conjoin_hops
from answerable.reach.platform import Answer, Question, SubjectIdentity
from answerable.reach.postgres.answer_building import (
    FoundAnswer,
    build_answer_at_path_end,
)
from answerable.reach.postgres.call_parsing import list_actions_on_object_kind
from answerable.reach.postgres.catalogue import DatabaseObject
from answerable.reach.postgres.object_action_evaluation import (
    iterate_session_paths,
    open_role_session,
)
from answerable.reach.postgres.privilege_check import Session, decide_privilege
from answerable.reach.postgres.server_index import PostgresServer
from answerable.reach.postgres.session_steps import CONNECT, SessionPath

# Conditions of the rows so far, by action and resource.
ListedRows = dict[tuple[str, str], set[Formula]]


@dataclass(frozen=True, slots=True)
class PermissionGlobs:
    """Globs that select the rows of a list; letters of an action fold."""

    action: str
    resource: str

    def matches_action(self, action: str) -> bool:
        """Return whether an action matches."""
        return fnmatchcase(action, self.action.upper())

    def matches_resource(self, resource: ResourceName) -> bool:
        """Return whether a resource matches, by its id, `KIND:NAME` or name."""
        key = str(resource)
        kind, _, name = key.split("/", 2)[2].partition("/")
        spellings = (key, f"{kind}:{name}", name)
        return any(fnmatchcase(each, self.resource) for each in spellings)


def iterate_permission_rows(
    servers: Mapping[str, PostgresServer], question: Question
) -> Iterator[Answer]:
    """Yield what the identities of a question can do, a privilege and object a row."""
    globs = PermissionGlobs(question.action, question.resource)
    listed: ListedRows = {}
    for start in question.identities:
        parsed = parse_postgres_role_id(start.identity)
        server = servers.get(parsed.host) if parsed else None
        session = (
            open_role_session(server, start.identity, direct=question.direct)
            if server
            else None
        )
        if session is None:
            continue
        for path in iterate_session_paths(session, direct=question.direct):
            yield from _list_permission_rows_of_session(start, path, globs, listed)


def _list_permission_rows_of_session(
    start: SubjectIdentity,
    path: SessionPath,
    globs: PermissionGlobs,
    listed: ListedRows,
) -> Iterator[Answer]:
    """Yield the rows of one session, without those that an earlier row includes."""
    session = path.session
    leading = [hop.formula for hop in (*start.hops, *path.hops)]
    role = session.server.get_role(session.role)
    if role is not None and role.superuser:
        row = _list_row_of_superuser(start, path, globs, listed, leading)
        yield from row
        return
    for resource, target in _list_objects_and_columns(session):
        if not globs.matches_resource(resource):
            continue
        kind = "column" if resource.column else resource.kind
        for action in list_actions_on_object_kind(kind, session.server.version):
            key = (action, str(resource))
            whole = (action, str(ResourceName(*_get_object_of_column(resource))))
            if action == CONNECT and session.role != session.user:
                continue  # SET ROLE comes after it
            if not globs.matches_action(action) or any(
                TRUE in listed.get(each, ()) for each in (key, whole)
            ):
                continue
            decision = decide_privilege(session, action, target, resource.column)
            formula = conjoin_hops(*leading, decision.formula)
            if formula == FALSE or formula in listed.setdefault(key, set()):
                continue
            listed[key].add(formula)
            found = FoundAnswer(path, formula, decision)
            yield build_answer_at_path_end(
                start, found, action, str(resource), decision.assuming
            )


def _get_object_of_column(resource: ResourceName) -> tuple[str, str, str, str]:
    """Return the table of a column, or the object itself."""
    return resource.host, resource.database, resource.kind, resource.name


def _list_row_of_superuser(
    start: SubjectIdentity,
    path: SessionPath,
    globs: PermissionGlobs,
    listed: ListedRows,
    leading: list[Formula],
) -> Iterator[Answer]:
    """Yield the one row of a superuser, which covers every object of the database."""
    session = path.session
    pattern = build_postgres_object_id(session.server.host, session.database, "*", "*")
    key = ("*", pattern)
    decision = decide_privilege(session, "USAGE", DatabaseObject("schema", "*"))
    formula = conjoin_hops(*leading, decision.formula)
    if formula in listed.setdefault(key, set()):
        return
    listed[key].add(formula)
    action = globs.action.upper()
    resource = pattern if globs.resource == "*" else globs.resource
    yield build_answer_at_path_end(
        start, FoundAnswer(path, formula, decision), action, resource, decision.assuming
    )


def _list_objects_and_columns(
    session: Session,
) -> Iterator[tuple[ResourceName, DatabaseObject]]:
    """Yield the objects of a session's database, columns with grants of their own."""
    server, database = session.server, session.database
    own = server.get_object(database, "database", quote_sql_identifier(database))
    index = server.contents.get(database)
    of_database = [own] if own else []
    for made in (*of_database, *(index.objects.values() if index else ())):
        resource = ResourceName(server.host, database, made.kind, made.name)
        yield resource, made
        for column in sorted({grant.column for grant in made.grants} - {""}):
            named = ResourceName(server.host, database, made.kind, made.name, column)
            yield named, made

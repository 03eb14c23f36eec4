"""Evaluate one call on a PostgreSQL object for the identities of a question."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.model.postgres_ids import (
    ResourceName,
    build_postgres_role_id,
    parse_postgres_role_id,
    quote_sql_identifier,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    build_atom,
    conjoin_hops,
    disjoin,
)
from answerable.reach.platform import (
    Answer,
    Question,
    SubjectIdentity,
    UnknownSubject,
)
from answerable.reach.postgres.answer_building import (
    COLUMNS,
    SOURCE,
    FoundAnswer,
    build_answer_at_path_end,
    build_not_known_answer,
)
from answerable.reach.postgres.privilege_check import (
    PrivilegeDecision,
    Session,
    decide_privilege,
    list_membership_statements,
)
from answerable.reach.postgres.privileges import PRIVILEGES
from answerable.reach.postgres.server_index import PostgresServer
from answerable.reach.postgres.session_steps import (
    CONNECT,
    SessionPath,
    iterate_reachable_sessions,
)


def open_role_session(
    server: PostgresServer, identity: str, *, direct: bool
) -> Session | None:
    """Open the session of an identity; None for an id of another form."""
    parsed = parse_postgres_role_id(identity)
    if parsed is None:
        return None
    return Session(server, parsed.database, parsed.role, parsed.role, not direct)


def evaluate_object_action(
    server: PostgresServer | None, question: Question, resource: ResourceName
) -> Answer:
    """Evaluate one call for the identities of a question; the best answer of all."""
    missing = _explain_uncollected_resource(server, resource)
    if server is None or missing is not None:
        return build_not_known_answer(question, [missing] if missing else [])
    best: tuple[tuple[int, int, int], SubjectIdentity, FoundAnswer] | None = None
    unknown: list[UnknownSubject] = []
    assuming: dict[str, None] = {}
    for start in question.identities:
        session = open_role_session(server, start.identity, direct=question.direct)
        parsed = parse_postgres_role_id(start.identity)
        if session is None or parsed is None or parsed.host != server.host:
            continue
        found = _evaluate_call_for_identity(session, question, resource, assuming)
        formula = conjoin_hops(*(hop.formula for hop in start.hops), found.formula)
        found = replace(found, formula=formula)
        rank = _rank_found_answer(found)
        if best is None or rank > best[0]:
            best = (rank, start, found)
        if start.unknown and found.formula == FALSE:
            unknown.append(start.unknown)
    if best is None:
        return build_not_known_answer(
            question, [e.unknown for e in question.identities if e.unknown]
        )
    if best[2].formula == FALSE and unknown:
        return build_not_known_answer(question, unknown)
    _, start, found = best
    words = found.decision.assuming if found.formula != FALSE else tuple(assuming)
    return build_answer_at_path_end(start, found, question.action, str(resource), words)


def _rank_found_answer(found: FoundAnswer) -> tuple[int, int, int]:
    """Rank answers: always before only-if before never, fewer assumptions, shorter."""
    certain = 2 if found.formula == TRUE else int(found.formula != FALSE)
    return certain, -len(found.decision.assuming), -len(found.path.hops)


def _evaluate_call_for_identity(
    session: Session,
    question: Question,
    resource: ResourceName,
    assuming: dict[str, None],
) -> FoundAnswer:
    """Evaluate a call for one identity, itself and as the roles that it can become."""
    best: FoundAnswer | None = None
    direct = question.direct or question.action == CONNECT
    for path in iterate_session_paths(session, direct=direct):
        at = path.session
        if (
            resource.kind not in ("role", "database")
            and at.database != resource.database
        ):
            continue
        decision = _decide_call_for_session(at, question.action, resource)
        assuming |= dict.fromkeys(decision.assuming)
        parts: tuple[tuple[ResourceName, PrivilegeDecision], ...] = ()
        if decision.formula == FALSE:
            parts = tuple(_list_permitted_columns(at, question.action, resource))
            decision = _join_column_decisions(parts) if parts else decision
        formula = conjoin_hops(*(hop.formula for hop in path.hops), decision.formula)
        found = FoundAnswer(path, formula, decision, parts)
        if best is None or _rank_found_answer(found) > _rank_found_answer(best):
            best = found
        if formula == TRUE and not decision.assuming:
            break
    return best or FoundAnswer(SessionPath(session), FALSE, PrivilegeDecision(FALSE))


def iterate_session_paths(session: Session, *, direct: bool) -> Iterable[SessionPath]:
    """Yield the session, and unless it is asked alone, those that it can become."""
    return (SessionPath(session),) if direct else iterate_reachable_sessions(session)


def _decide_call_for_session(
    session: Session, action: str, resource: ResourceName
) -> PrivilegeDecision:
    """Decide a call for one session, without its steps."""
    server = session.server
    if resource.kind == "role":
        return _decide_role_membership(session, action, resource.name)
    target = server.get_object(session.database, resource.kind, resource.name)
    if target is None:
        return PrivilegeDecision(FALSE)
    return decide_privilege(session, action, target, resource.column)


def _list_permitted_columns(
    session: Session, action: str, resource: ResourceName
) -> Iterator[tuple[ResourceName, PrivilegeDecision]]:
    """Yield the columns of a table on which a session has the privilege."""
    server = session.server
    target = server.get_object(session.database, resource.kind, resource.name)
    if target is None or resource.column or action not in PRIVILEGES["column"]:
        return
    for column in sorted({grant.column for grant in target.grants} - {""}):
        decision = decide_privilege(session, action, target, column)
        if decision.formula != FALSE:
            yield replace(resource, column=column), decision


def _join_column_decisions(
    parts: tuple[tuple[ResourceName, PrivilegeDecision], ...],
) -> PrivilegeDecision:
    """Join the decisions on columns to one on the table: only for these columns."""
    columns = tuple(str(column) for column, _ in parts)
    decisions = [decision for _, decision in parts]
    rows = disjoin(*(each.formula for each in decisions))
    return PrivilegeDecision(
        formula=conjoin_hops(build_atom(COLUMNS, "Matches", columns), rows),
        determining=tuple(dict.fromkeys(d for e in decisions for d in e.determining)),
        assuming=tuple(dict.fromkeys(w for e in decisions for w in e.assuming)),
    )


def _decide_role_membership(
    session: Session, action: str, role: str
) -> PrivilegeDecision:
    """Decide pg_has_role: MEMBER, USAGE (inherits its privileges) or SET (SET ROLE).

    Source: https://www.postgresql.org/docs/current/functions-info.html
    """
    server = session.server
    own = server.get_role(session.role)
    if own is not None and own.superuser:
        return PrivilegeDecision(TRUE)
    closures = {
        "MEMBER": server.list_roles_with_member,
        "USAGE": server.list_roles_inherited_from,
        "SET": server.list_roles_settable_with_set_role,
    }
    path = closures[action](session.database, session.role).get(role)
    if path is None:
        return PrivilegeDecision(FALSE)
    return PrivilegeDecision(TRUE, list_membership_statements(path))


def _explain_uncollected_resource(
    server: PostgresServer | None, resource: ResourceName
) -> UnknownSubject | None:
    """Explain why nothing is known about a resource; None where it was collected."""
    key = str(resource)
    if server is None:
        return UnknownSubject(
            key, f"no scan describes the server {resource.host}", SOURCE
        )
    if resource.kind == "role":
        if not server.has_roles or server.get_role(resource.name) is None:
            what = f"the scan of {server.host} contains no role {resource.name}"
            return UnknownSubject(key, what, SOURCE, absent=server.has_roles)
        return None
    if resource.kind != "database" and resource.database not in server.contents:
        what = f"database {resource.database} of {server.host} was not scanned"
        return UnknownSubject(key, what, SOURCE)
    found = server.get_object(resource.database, resource.kind, resource.name)
    name = f"{resource.kind} {resource.name}"
    if found is None:
        what = f"the scan of {server.host} contains no {name}"
        return UnknownSubject(key, what, SOURCE)
    columns = found.columns
    if resource.column and columns is not None and resource.column not in columns:
        what = f"{name} has no column {quote_sql_identifier(resource.column)}"
        return UnknownSubject(key, what, SOURCE)
    return None


def list_roles_as_callers(
    server: PostgresServer, database: str
) -> list[SubjectIdentity]:
    """List every role of a server as a caller in a database."""
    return [
        SubjectIdentity(key, IdentityId(key))
        for name in sorted(server.roles)
        if not name.startswith("pg_")
        for key in (build_postgres_role_id(server.host, database, name),)
    ]

"""Decide one privilege of a role on an object, with the grants that decide it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from answerable.model.postgres_ids import quote_sql_identifier
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
)
from answerable.reach.platform import DeterminingStatement
from answerable.reach.postgres.catalogue import PUBLIC, DatabaseObject, Membership
from answerable.reach.postgres.privileges import OWNER_ACTIONS
from answerable.reach.postgres.row_security import evaluate_row_security_policies
from answerable.reach.postgres.server_index import PostgresServer

UNREAD = "answerable:unread-statement"
ALLOW, DENY = "allow", "deny"
# Coverage words: data that an answer assumes.
ROLES, SCHEMAS, DATABASE_GRANTS = "roles", "schemas", "database-grants"
OWNERS, GRANTS = "owners", "grants"
DEFINER_FUNCTIONS, VIEWS = "security-definer-functions", "views"
_KINDS_IN_SCHEMAS = ("table", "sequence", "function", "type")
_VIEW_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Privileges of predefined roles on every object of a kind:
# https://www.postgresql.org/docs/current/predefined-roles.html
_PREDEFINED: dict[tuple[str, str], str] = {
    ("table", "SELECT"): "pg_read_all_data",
    ("sequence", "SELECT"): "pg_read_all_data",
    ("table", "INSERT"): "pg_write_all_data",
    ("table", "UPDATE"): "pg_write_all_data",
    ("table", "DELETE"): "pg_write_all_data",
    ("sequence", "UPDATE"): "pg_write_all_data",
    ("table", "MAINTAIN"): "pg_maintain",
}


@dataclass(frozen=True, slots=True)
class PrivilegeDecision:
    """Decision on one privilege.

    Attributes:
        assuming: Coverage words of missing data that could change it.
        missing: What is not known at all; empty where the decision is known.
    """

    formula: Formula
    determining: tuple[DeterminingStatement, ...] = ()
    assuming: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Session in a database, and the role whose privileges it uses now.

    Attributes:
        role: Current role.
        user: Role that opened the session.
        may_grant: Count a privilege that the role can grant to itself as the owner.
    """

    server: PostgresServer
    database: str
    role: str
    user: str
    may_grant: bool = False

    def list_roles_with_inherited_privileges(self) -> dict[str, tuple[Membership, ...]]:
        """Return the roles whose privileges the current role has."""
        return self.server.list_roles_inherited_from(self.database, self.role)


def decide_privilege(
    session: Session, privilege: str, target: DatabaseObject, column: str = ""
) -> PrivilegeDecision:
    """Decide a privilege on an object, or on one column of a table.

    An object in a schema needs USAGE on the schema, and a session needs CONNECT on its
    database.
    """
    parts = [_decide_privilege_on_object(session, privilege, target, column)]
    server, database = session.server, session.database
    if target.kind in _KINDS_IN_SCHEMAS and target.schema:
        name = quote_sql_identifier(target.schema)
        parts.append(
            _decide_privilege_on_container(session, "USAGE", "schema", name, SCHEMAS)
        )
    if target.kind != "database" and _needs_connect_privilege(session):
        parts.append(decide_connect_privilege(replace(session, role=session.user)))
    decision = _conjoin_decisions(parts)
    index = server.contents.get(database)
    unread = (*server.unread, *(index.contents.unread if index else ()))
    if unread and not _is_current_role_superuser(session):
        open_atom = build_atom(UNREAD, "Statement", unread[:3])
        change = conjoin if decision.formula != FALSE else disjoin
        return replace(decision, formula=change(decision.formula, open_atom))
    return decision


def decide_connect_privilege(session: Session) -> PrivilegeDecision:
    """Decide whether a role may open a session in a database."""
    name = quote_sql_identifier(session.database)
    return _decide_privilege_on_container(
        session, "CONNECT", "database", name, DATABASE_GRANTS
    )


def _conjoin_decisions(parts: list[PrivilegeDecision]) -> PrivilegeDecision:
    """Join the decisions on a target, its schema and its database: all must hold."""
    denied = [part for part in parts if part.formula == FALSE]
    if denied:
        sure = [part for part in denied if not part.assuming]
        return sure[0] if sure else denied[0]
    return PrivilegeDecision(
        formula=conjoin(*(part.formula for part in parts)),
        determining=tuple(dict.fromkeys(d for p in parts for d in p.determining)),
        assuming=tuple(dict.fromkeys(word for p in parts for word in p.assuming)),
    )


def _needs_connect_privilege(session: Session) -> bool:
    """Return whether the session's user opens the session: a role that may log in."""
    user = session.server.get_role(session.user)
    return user is None or user.login


def _is_current_role_superuser(session: Session) -> bool:
    """Return whether the current role is a superuser; the attribute is not inherited."""
    role = session.server.get_role(session.role)
    return role is not None and role.superuser


def _decide_privilege_on_container(
    session: Session, privilege: str, kind: str, name: str, word: str
) -> PrivilegeDecision:
    """Decide a privilege on the schema or database of a target.

    An object that the source does not describe is assumed to let the session pass.
    """
    found = session.server.get_object(session.database, kind, name)
    if found is None or (not found.owner and not found.grants):
        assumed = () if _is_current_role_superuser(session) else (word,)
        return PrivilegeDecision(TRUE, assuming=assumed)
    return _decide_privilege_on_object(session, privilege, found)


def _decide_privilege_on_object(
    session: Session, privilege: str, target: DatabaseObject, column: str = ""
) -> PrivilegeDecision:
    """Decide a privilege on one object alone."""
    superuser = _is_current_role_superuser(session)
    if superuser:
        return PrivilegeDecision(TRUE, (_build_superuser_statement(session),))
    assuming = _list_assumptions_on_object(session, target)
    inherited = session.list_roles_with_inherited_privileges()
    if privilege in OWNER_ACTIONS:
        found = _find_membership_in_owner(session, privilege, target)
    else:
        found = _find_grant_of_privilege(session, privilege, target, column)
    if found is None and session.may_grant:
        found = _find_membership_in_owner(session, privilege, target)
    if found is None:
        rights = _list_code_with_owner_rights(session, privilege, target, column)
        return PrivilegeDecision(FALSE, (), (*assuming, *rights))
    formula = TRUE
    if target.kind == "table" and _is_restricted_by_row_security(session, target):
        formula = evaluate_row_security_policies(target, privilege, inherited)
        if formula != TRUE:
            found = (*found, *_list_row_security_statements(target, formula))
    return PrivilegeDecision(formula, found, assuming)


def _list_assumptions_on_object(
    session: Session, target: DatabaseObject
) -> tuple[str, ...]:
    """List the data on an object that its source left out."""
    index = session.server.contents.get(session.database)
    contents = index.contents if index else None
    words = []
    if not session.server.has_roles:
        words.append(ROLES)
    if contents is not None and target.kind != "database" and not contents.has_grants:
        words.append(GRANTS)
    if not target.owner:
        words.append(OWNERS)
    return tuple(words)


def _find_grant_of_privilege(
    session: Session, privilege: str, target: DatabaseObject, column: str
) -> tuple[DeterminingStatement, ...] | None:
    """Find the grant that gives a privilege, by the fewest memberships."""
    inherited = session.list_roles_with_inherited_privileges()
    best: tuple[DeterminingStatement, ...] | None = None
    for grant in target.grants:
        if privilege not in grant.privileges or grant.column not in ("", column):
            continue
        path = () if grant.grantee == PUBLIC else inherited.get(grant.grantee)
        if path is not None and (best is None or len(path) + 1 < len(best)):
            name = f"{target.kind} {target.name}"
            named = DeterminingStatement("grant", name, grant.statement, ALLOW)
            best = (*list_membership_statements(path), named)
    if best is not None:
        return best
    predefined = _PREDEFINED.get((target.kind, privilege), "")
    for name in (predefined, *_list_predefined_schema_roles(target, privilege)):
        if name in inherited:
            named = DeterminingStatement(
                "role", name, f"{privilege} on every object", ALLOW
            )
            return (*list_membership_statements(inherited[name]), named)
    return None


def _list_predefined_schema_roles(
    target: DatabaseObject, privilege: str
) -> tuple[str, ...]:
    """Return the predefined roles with USAGE on every schema."""
    if (target.kind, privilege) != ("schema", "USAGE"):
        return ()
    return ("pg_read_all_data", "pg_write_all_data")


def _find_membership_in_owner(
    session: Session, privilege: str, target: DatabaseObject
) -> tuple[DeterminingStatement, ...] | None:
    """Find the membership that makes a role the owner.

    The owner of a schema may drop the objects in it:
    https://www.postgresql.org/docs/current/sql-droptable.html
    """
    owned = [target]
    schema = session.server.get_object(
        session.database, "schema", quote_sql_identifier(target.schema)
    )
    if privilege == "DROP" and schema is not None and target.kind != "schema":
        owned.append(schema)
    inherited = session.list_roles_with_inherited_privileges()
    for each in owned:
        if each.owner in inherited:
            name = f"{each.kind} {each.name}"
            statement = f"OWNER {quote_sql_identifier(each.owner)}"
            named = DeterminingStatement("owner", name, statement, ALLOW)
            return (*list_membership_statements(inherited[each.owner]), named)
    return None


def list_membership_statements(
    path: Iterable[Membership],
) -> tuple[DeterminingStatement, ...]:
    """List the determining statements of a chain of memberships."""
    return tuple(map(_build_membership_statement, path))


def _build_membership_statement(membership: Membership) -> DeterminingStatement:
    """Build the determining statement of a membership."""
    name = quote_sql_identifier(membership.role)
    return DeterminingStatement("role", name, membership.statement, ALLOW)


def _build_superuser_statement(session: Session) -> DeterminingStatement:
    """Build the determining statement of a superuser."""
    name = quote_sql_identifier(session.role)
    return DeterminingStatement(
        "attribute", f"role {name}", f"ALTER ROLE {name} SUPERUSER", ALLOW
    )


def _is_restricted_by_row_security(session: Session, table: DatabaseObject) -> bool:
    """Return whether row security restricts the current role on a table."""
    role = session.server.get_role(session.role)
    if not table.row_security or (role is not None and role.bypass_rls):
        return False
    if table.owner in session.list_roles_with_inherited_privileges():
        return table.force_row_security and not session.may_grant
    return True


def _list_row_security_statements(
    table: DatabaseObject, formula: Formula
) -> Iterator[DeterminingStatement]:
    """Yield the row policies that an answer depends on; one word for none at all."""
    name = f"table {table.name}"
    if formula == FALSE:
        statement = "ENABLE ROW LEVEL SECURITY, and no policy applies"
        yield DeterminingStatement("policy", name, statement, DENY)
    used = {value for one in formula for atom in one for value in atom.values}
    for value in sorted(used):
        statement = f"POLICY {value.partition(': ')[0]}"
        yield DeterminingStatement("policy", name, statement, ALLOW)


def _list_code_with_owner_rights(
    session: Session, privilege: str, target: DatabaseObject, column: str
) -> tuple[str, ...]:
    """List the kinds of code that could give the privilege with its owner's rights.

    A SECURITY DEFINER function, or a view, that the role may use and whose owner has the
    privilege: the text of its body decides, and is not evaluated.
    """
    if target.kind not in ("table", "sequence") or privilege in OWNER_ACTIONS:
        return ()
    words = set()
    for word, owner in list_owners_of_usable_code(session):
        owned = replace(session, role=owner, user=owner)
        owner_role = session.server.get_role(owner)
        if (owner_role and owner_role.superuser) or _find_grant_of_privilege(
            owned, privilege, target, column
        ):
            words.add(word)
    return tuple(sorted(words))


def list_owners_of_usable_code(session: Session) -> tuple[tuple[str, str], ...]:
    """List (kind of code, owner) of the code that runs with another role's rights."""
    server = session.server
    key = (session.database, session.role)
    if key not in server.usable_owners:
        index = server.contents.get(session.database)
        found: dict[tuple[str, str], None] = {}
        for made in index.objects.values() if index else ():
            word = DEFINER_FUNCTIONS if made.kind == "function" else VIEWS
            if (
                made.owner_rights
                and made.owner not in (session.role, "")
                and (word, made.owner) not in found
                and _can_use_function_or_view(session, made)
            ):
                found[word, made.owner] = None
        server.usable_owners[key] = tuple(found)
    return server.usable_owners[key]


def _can_use_function_or_view(session: Session, made: DatabaseObject) -> bool:
    """Return whether a role may use a function or a view in its schema."""
    uses = ("EXECUTE",) if made.kind == "function" else _VIEW_PRIVILEGES
    schema = session.server.get_object(
        session.database, "schema", quote_sql_identifier(made.schema)
    )
    if schema is not None and not _find_grant_of_privilege(
        session, "USAGE", schema, ""
    ):
        return False
    return any(_find_grant_of_privilege(session, each, made, "") for each in uses)

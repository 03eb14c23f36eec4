"""Reference for PostgreSQL privileges: one question at a time, written to be read.

Written from the documentation (https://www.postgresql.org/docs/current/), a rule per
function, each with its page. It shares the types of the catalogue with the engine, and
no rule.
"""

from collections.abc import Iterator

from answerable.reach.postgres.catalogue import (
    PUBLIC,
    Catalogue,
    DatabaseObject,
    Membership,
    Role,
)

# predefined-roles: the privileges that each of these roles has on every object.
PREDEFINED = {
    "pg_read_all_data": {
        "table": {"SELECT"},
        "sequence": {"SELECT"},
        "schema": {"USAGE"},
    },
    "pg_write_all_data": {
        "table": {"INSERT", "UPDATE", "DELETE"},
        "sequence": {"UPDATE"},
        "schema": {"USAGE"},
    },
    "pg_maintain": {"table": {"MAINTAIN"}},
}
WITH_SCHEMA = ("table", "sequence", "function", "type")


def role_of(catalogue: Catalogue, name: str) -> Role:
    """Return a role; predefined roles are not listed in a dump, and have no attribute."""
    for role in catalogue.roles or ():
        if role.name == name:
            return role
    return Role(name)


def memberships_of(
    catalogue: Catalogue, database: str, member: str
) -> Iterator[Membership]:
    """Yield the direct memberships of a role.

    predefined-roles: "The pg_database_owner role has one implicit, situation-dependent
    member, namely the owner of the current database." No grant can make it inherit or not;
    since version 16, where the attribute INHERIT is a default of grants alone, it inherits
    (`roles_is_member_of` of the server). And pg_monitor is a member of three other roles.
    """
    for membership in catalogue.memberships:
        if membership.member == member:
            yield membership
    for each in catalogue.databases:
        if each.name == database and each.owner == member:
            inherit = True if catalogue.version >= 16 else None
            yield Membership("pg_database_owner", member, inherit)
    if member == "pg_monitor":
        for role in (
            "pg_read_all_settings",
            "pg_read_all_stats",
            "pg_stat_scan_tables",
        ):
            yield Membership(role, member)


def inherits(catalogue: Catalogue, membership: Membership) -> bool:
    """Return whether a member has the privileges of the role without SET ROLE.

    sql-grant: "If INHERIT is set to TRUE, the member role inherits the privileges of the
    granted role. [...] If omitted, it defaults to the INHERIT attribute of the member
    role." Before version 16 the attribute alone decides (role-membership).
    """
    if membership.inherit is not None:
        return membership.inherit
    return role_of(catalogue, membership.member).inherit


def has_usage(
    catalogue: Catalogue,
    database: str,
    role: str,
    wanted: str,
    seen: tuple[str, ...] = (),
) -> bool:
    """Return whether a role has the privileges of another: pg_has_role(..., 'USAGE').

    role-membership: privileges are inherited along a chain of grants that inherit. A
    superuser has all privileges (role-attributes).
    """
    if role == wanted or (role_of(catalogue, role).superuser and not seen):
        return True
    return any(
        has_usage(catalogue, database, each.role, wanted, (*seen, role))
        for each in memberships_of(catalogue, database, role)
        if inherits(catalogue, each) and each.role not in (*seen, role)
    )


def may_set_role(
    catalogue: Catalogue,
    database: str,
    role: str,
    wanted: str,
    seen: tuple[str, ...] = (),
) -> bool:
    """Return whether `SET ROLE` is allowed: pg_has_role(..., 'SET').

    sql-set-role: "The current session user must have the SET option for the specified
    role, either directly or indirectly via a chain of memberships with the SET option.
    (If the session user is a superuser, any role can be selected.)"
    """
    if role == wanted or (role_of(catalogue, role).superuser and not seen):
        return True
    return any(
        may_set_role(catalogue, database, each.role, wanted, (*seen, role))
        for each in memberships_of(catalogue, database, role)
        if each.set_role and each.role not in (*seen, role)
    )


def has_privilege(
    catalogue: Catalogue,
    database: str,
    role: str,
    privilege: str,
    target: DatabaseObject,
    column: str = "",
) -> bool:
    """Return whether a role has a privilege: has_table_privilege and its like.

    ddl-priv: privileges come from grants to the role, to roles that it inherits from and
    to PUBLIC; a privilege on a table holds for all its columns.
    """
    if role_of(catalogue, role).superuser:
        return True
    for grant in target.grants:
        if privilege in grant.privileges and grant.column in ("", column):
            if grant.grantee == PUBLIC:
                return True
            if has_usage(catalogue, database, role, grant.grantee):
                return True
    return any(
        privilege in rights.get(target.kind, ())
        and has_usage(catalogue, database, role, name)
        for name, rights in PREDEFINED.items()
    )


def owns(
    catalogue: Catalogue, database: str, role: str, target: DatabaseObject
) -> bool:
    """Return whether a role may alter or drop an object.

    ddl-priv: "The right to modify or destroy an object is inherent in being the object's
    owner [...] can be inherited by members of the owning role". sql-droptable: the owner
    of the schema may drop, too; that is left to the caller.
    """
    if role_of(catalogue, role).superuser:
        return True
    return bool(target.owner) and has_usage(catalogue, database, role, target.owner)


def row_security_applies(
    catalogue: Catalogue, database: str, role: str, target: DatabaseObject
) -> bool:
    """Return whether row security restricts a role on a table.

    ddl-rowsecurity: "Superusers and roles with the BYPASSRLS attribute always bypass the
    row security system. Table owners normally bypass row security as well, though a table
    owner can choose to be subject to row security with ALTER TABLE ... FORCE ROW LEVEL
    SECURITY."
    """
    attributes = role_of(catalogue, role)
    if not target.row_security or attributes.superuser or attributes.bypass_rls:
        return False
    owner = bool(target.owner) and has_usage(catalogue, database, role, target.owner)
    return target.force_row_security or not owner


def rows_are_open(
    catalogue: Catalogue,
    database: str,
    role: str,
    privilege: str,
    target: DatabaseObject,
) -> str:
    """Return `all`, `some` or `none`: the rows that row security leaves to a role.

    ddl-rowsecurity: "If no policy exists for the table, a default-deny policy is used";
    TRUNCATE and REFERENCES "are not subject to row security". sql-createpolicy: permissive
    policies are combined with OR, restrictive ones with AND, and at least one permissive
    policy is needed.
    """
    if privilege not in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        return "all"
    if not row_security_applies(catalogue, database, role, target):
        return "all"
    answers = [
        _rows_of_part(catalogue, database, role, privilege, target, part)
        for part in PARTS[privilege]
    ]
    for answer in ("none", "some"):
        if answer in answers:
            return answer
    return "all"


# sql-createpolicy, table "Policies Applied by Command Type": USING is checked against
# existing rows, WITH CHECK against new ones.
PARTS = {
    "SELECT": ("using",),
    "DELETE": ("using",),
    "INSERT": ("check",),
    "UPDATE": ("using", "check"),
}


def _rows_of_part(
    catalogue: Catalogue,
    database: str,
    role: str,
    privilege: str,
    target: DatabaseObject,
    part: str,
) -> str:
    """Return the rows that one kind of expression leaves.

    sql-createpolicy: "if only a USING clause is specified, then that clause will be used
    for both USING and WITH CHECK cases".
    """
    permissive: list[str] = []
    restrictive: list[str] = []
    for policy in target.policies:
        expression = policy.using if part == "using" else policy.check or policy.using
        named = any(
            name == PUBLIC or has_usage(catalogue, database, role, name)
            for name in policy.roles
        )
        if expression and named and policy.command in ("ALL", privilege):
            (permissive if policy.permissive else restrictive).append(expression)
    if not permissive:
        return "none"
    closed = [each for each in restrictive if each != "true"]
    return "all" if "true" in permissive and not closed else "some"


def may_call(
    catalogue: Catalogue,
    database: str,
    role: str,
    privilege: str,
    target: DatabaseObject,
    column: str = "",
) -> str:
    """Return `always`, `only-if` or `never` for a session of the role itself.

    ddl-schemas: objects of a schema need USAGE on it. ddl-priv: CONNECT "allows the
    grantee to connect to the database"; a role that cannot log in has no session of its
    own, and needs no CONNECT.
    """
    if privilege in ("ALTER", "DROP"):
        allowed = owns(catalogue, database, role, target)
    else:
        allowed = has_privilege(catalogue, database, role, privilege, target, column)
    if target.kind in WITH_SCHEMA:
        schema = find(catalogue, database, "schema", target.schema)
        if privilege == "DROP":
            allowed = allowed or owns(catalogue, database, role, schema)
        allowed = allowed and has_privilege(catalogue, database, role, "USAGE", schema)
    if target.kind != "database" and role_of(catalogue, role).login:
        connected = find(catalogue, database, "database", database)
        allowed = allowed and has_privilege(
            catalogue, database, role, "CONNECT", connected
        )
    if not allowed:
        return "never"
    if target.kind != "table":
        return "always"
    rows = rows_are_open(catalogue, database, role, privilege, target)
    return {"all": "always", "some": "only-if", "none": "never"}[rows]


def find(catalogue: Catalogue, database: str, kind: str, name: str) -> DatabaseObject:
    """Return an object of a database, with the names of tests: plain lower case."""
    (contents,) = [each for each in catalogue.contents if each.name == database]
    every = catalogue.databases if kind == "database" else contents.objects
    (found,) = [each for each in every if (each.kind, each.name) == (kind, name)]
    return found

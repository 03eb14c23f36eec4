"""Types of a PostgreSQL catalogue: roles, memberships, objects, grants, row policies.

A connector builds a `Catalogue` from each source and stores it in a snapshot; several
sources may describe one server, each a part of it.
"""

from dataclasses import dataclass

PUBLIC = ""  # the grantee PUBLIC: every role


@dataclass(frozen=True, slots=True)
class Role:
    """Role of a server, with its attributes.

    Source: https://www.postgresql.org/docs/current/role-attributes.html
    """

    name: str
    superuser: bool = False
    inherit: bool = True
    create_role: bool = False
    login: bool = False
    bypass_rls: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """Grant of a role to a member.

    Source: https://www.postgresql.org/docs/current/sql-grant.html, "GRANT on Roles"

    Attributes:
        inherit: INHERIT option; None where the grant has none (servers before 16): the
            INHERIT attribute of the member decides.
        set_role: SET option.
        admin: ADMIN option.
        statement: The grant as SQL.
        place: File and line.
    """

    role: str
    member: str
    inherit: bool | None = None
    set_role: bool = True
    admin: bool = False
    statement: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Grant of privileges on an object, or on one of its columns, to a role.

    Attributes:
        grantee: Role name; `PUBLIC` for every role.
        privileges: Privilege names in upper case, sorted.
        column: Column name; empty for the whole object.
        statement: The grant as SQL; the default privileges as words.
        place: File and line; empty for default privileges.
    """

    grantee: str
    privileges: tuple[str, ...]
    column: str = ""
    statement: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """Row security policy of a table.

    Source: https://www.postgresql.org/docs/current/sql-createpolicy.html

    Attributes:
        command: `ALL`, `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
        permissive: False for a restrictive policy.
        roles: Roles that it applies to; `PUBLIC` for every role.
        using: Expression for existing rows; empty for none.
        check: Expression for new rows; empty for none.
    """

    name: str
    command: str = "ALL"
    permissive: bool = True
    roles: tuple[str, ...] = (PUBLIC,)
    using: str = ""
    check: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseObject:
    """Object of a database that has an owner and grants.

    Attributes:
        kind: `table`, `sequence`, `function`, `schema`, `database`, `type`, ...; a view
            is a `table` too.
        name: As SQL spells it: `public.orders`, `s."Odd t"`, `public.f(a integer)`.
        schema: Name of its schema; empty for none.
        owner: Name of its owner; empty where the source does not say.
        grants: Default privileges and grants that are in force.
        columns: Names of its columns; None where the source does not list them.
        owner_rights: True for a view, and for a function that is SECURITY DEFINER: it
            runs with the rights of its owner.
        row_security: True where row level security is enabled.
        force_row_security: True where it applies to the owner, too.
    """

    kind: str
    name: str
    schema: str = ""
    owner: str = ""
    grants: tuple[Grant, ...] = ()
    columns: tuple[str, ...] | None = None
    owner_rights: bool = False
    row_security: bool = False
    force_row_security: bool = False
    policies: tuple[RowPolicy, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """Contents of one database.

    Attributes:
        objects: Its objects, schemas among them.
        has_grants: False where the source has no GRANT or REVOKE at all, as a dump with
            `--no-privileges`.
        has_owners: False where the source names no owner, as one with `--no-owner`.
        unread: Statements on grants or owners that could not be parsed.
    """

    name: str
    objects: tuple[DatabaseObject, ...] = ()
    has_grants: bool = True
    has_owners: bool = True
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Catalogue of one server, as far as one source describes it.

    Attributes:
        host: Name of the server: `HOST`, or `HOST:PORT` for a port other than 5432.
        version: Major version of the server, 0 where not known.
        roles: All roles; None where the source does not list them.
        memberships: Grants of roles.
        databases: The `database` objects themselves.
        contents: Contents of the described databases.
        unread: Statements on roles or memberships that could not be parsed.
    """

    host: str
    version: int = 0
    roles: tuple[Role, ...] | None = None
    memberships: tuple[Membership, ...] = ()
    databases: tuple[DatabaseObject, ...] = ()
    contents: tuple[Database, ...] = ()
    unread: tuple[str, ...] = ()

"""Index one PostgreSQL server: its roles, who inherits from whom, and its objects."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.postgres_ids import PLATFORM, quote_sql_identifier
from answerable.reach.postgres.catalogue import (
    Catalogue,
    Database,
    DatabaseObject,
    Membership,
    Role,
)

DATABASE_OWNER = "pg_database_owner"
GRANT_OPTIONS_SINCE = 16
# https://www.postgresql.org/docs/current/predefined-roles.html
_PREDEFINED_ROLES = (
    "pg_checkpoint",
    "pg_create_subscription",
    DATABASE_OWNER,
    "pg_execute_server_program",
    "pg_maintain",
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_read_server_files",
    "pg_signal_backend",
    "pg_stat_scan_tables",
    "pg_use_reserved_connections",
    "pg_write_all_data",
    "pg_write_server_files",
)
_MONITORED = ("pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")
_MONITOR_MEMBERSHIPS = tuple(
    Membership(role, "pg_monitor", statement=f"GRANT {role} TO pg_monitor")
    for role in _MONITORED
)

MembershipPath = tuple[Membership, ...]


@dataclass(frozen=True, slots=True)
class DatabaseIndex:
    """Contents of one database, with its objects by kind and name."""

    contents: Database
    objects: Mapping[tuple[str, str], DatabaseObject]

    def list_objects_of_kind(self, kind: str) -> Iterator[DatabaseObject]:
        """Yield the objects of a kind."""
        return (each for (of, _), each in self.objects.items() if of == kind)


class PostgresServer:
    """One server, merged from every source that describes it.

    Args:
        catalogues: Catalogues of the server, newest first: each part is taken from the
            first that has it.
    """

    def __init__(self, catalogues: Sequence[Catalogue]) -> None:
        self.host = catalogues[0].host
        self.version = next((c.version for c in catalogues if c.version), 0)
        of_roles = next((c for c in catalogues if c.roles is not None), None)
        self.has_roles = of_roles is not None
        self.roles: dict[str, Role] = {}
        self.unread: tuple[str, ...] = ()
        self._members: dict[str, list[Membership]] = {}
        if of_roles is not None:
            named = {role.name: role for role in of_roles.roles or ()}
            predefined = {name: Role(name) for name in _PREDEFINED_ROLES}
            self.roles = predefined | named
            self.unread = of_roles.unread
            for each in (*of_roles.memberships, *_MONITOR_MEMBERSHIPS):
                self._members.setdefault(each.member, []).append(each)
        self.databases: dict[str, DatabaseObject] = {}
        self.contents: dict[str, DatabaseIndex] = {}
        for catalogue in catalogues:
            for database in catalogue.databases:
                self.databases.setdefault(database.name, database)
            for contents in catalogue.contents:
                if contents.name not in self.contents:
                    self.contents[contents.name] = _index_database_objects(contents)
        self._closures: dict[tuple[str, str, str], dict[str, MembershipPath]] = {}
        self.usable_owners: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}

    def get_role(self, name: str) -> Role | None:
        """Return a role; None where the roles were not collected, or lack it."""
        return self.roles.get(name)

    def get_object(self, database: str, kind: str, name: str) -> DatabaseObject | None:
        """Return an object of a database, or the database itself."""
        if kind == "database":
            return self.databases.get(name)
        index = self.contents.get(database)
        return None if index is None else index.objects.get((kind, name))

    def list_memberships_of_role(
        self, database: str, member: str
    ) -> Iterator[Membership]:
        """Yield the roles that were granted to a role.

        The owner of the current database is a member of pg_database_owner.
        """
        yield from self._members.get(member, ())
        own = self.databases.get(quote_sql_identifier(database))
        if own is not None and own.owner == member:
            # Before version 16, the INHERIT attribute of the member decides.
            inherit = True if self.version >= GRANT_OPTIONS_SINCE else None
            statement = f"owner of database {own.name}"
            yield Membership(DATABASE_OWNER, member, inherit, statement=statement)

    def does_member_inherit_privileges(self, membership: Membership) -> bool:
        """Return whether a member has the role's privileges without SET ROLE.

        Source: https://www.postgresql.org/docs/current/role-membership.html
        """
        if membership.inherit is not None:
            return membership.inherit
        member = self.roles.get(membership.member)
        return member is None or member.inherit

    def list_roles_inherited_from(
        self, database: str, role: str
    ) -> dict[str, MembershipPath]:
        """Return the roles whose privileges a role has, itself first, with the grants."""
        return self._compute_membership_closure(
            "inherit", database, role, self.does_member_inherit_privileges
        )

    def list_roles_settable_with_set_role(
        self, database: str, role: str
    ) -> dict[str, MembershipPath]:
        """Return the roles that a role may become with SET ROLE, itself first.

        Source: https://www.postgresql.org/docs/current/sql-set-role.html
        """
        return self._compute_membership_closure(
            "set", database, role, lambda each: each.set_role
        )

    def list_roles_with_member(
        self, database: str, role: str
    ) -> dict[str, MembershipPath]:
        """Return the roles that a role is a member of, itself first."""
        return self._compute_membership_closure(
            "member", database, role, lambda each: True
        )

    def _compute_membership_closure(
        self,
        name: str,
        database: str,
        role: str,
        follows: Callable[[Membership], bool],
    ) -> dict[str, MembershipPath]:
        """Return the transitive closure over memberships, by shortest path."""
        key = (name, database, role)
        if key not in self._closures:
            found: dict[str, MembershipPath] = {role: ()}
            waiting = deque([role])
            while waiting:
                member = waiting.popleft()
                for each in self.list_memberships_of_role(database, member):
                    if each.role not in found and follows(each):
                        found[each.role] = (*found[member], each)
                        waiting.append(each.role)
            self._closures[key] = found
        return self._closures[key]


def _index_database_objects(contents: Database) -> DatabaseIndex:
    """Index the objects of a database."""
    objects = {(each.kind, each.name): each for each in contents.objects}
    return DatabaseIndex(contents, objects)


def build_server_indexes(
    catalogues: Iterable[PlatformCatalogue],
) -> dict[str, PostgresServer]:
    """Index each server's roles and objects, from a snapshot's catalogues."""
    by_host: dict[str, list[Catalogue]] = {}
    mine = [each for each in catalogues if each.platform == PLATFORM]
    for each in sorted(mine, key=lambda c: (-c.seen.at, c.seen.source)):
        decoded = msgspec.json.decode(each.body, type=Catalogue)
        by_host.setdefault(each.place, []).append(decoded)
    return {host: PostgresServer(found) for host, found in by_host.items()}

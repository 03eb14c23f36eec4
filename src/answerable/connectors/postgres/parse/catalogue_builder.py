"""Collect roles, memberships and objects while the files of one server are read."""

from dataclasses import dataclass, field

from answerable.connectors.postgres.parse.object_builder import ObjectBuilder
from answerable.model.postgres_ids import quote_sql_identifier
from answerable.reach.postgres.catalogue import (
    PUBLIC,
    Catalogue,
    Database,
    DatabaseObject,
    Grant,
    Membership,
    Role,
)

_DATABASE_OWNER = "pg_database_owner"
_PUBLIC_SCHEMA = "public"
# The schema public of a new database belongs to pg_database_owner since version 15, and
# no longer lets PUBLIC create objects: release notes of PostgreSQL 15, E.20.2. A dump
# shows the differences from the state that the version of pg_dump assumes.
_PRIVATE_PUBLIC_SCHEMA = 15


@dataclass(slots=True)
class DatabaseBuilder:
    """Contents of one database while its dump is read; fields as `Database`.

    Attributes:
        pg_dump_version: Major version of pg_dump, 0 where not known.
    """

    name: str
    objects: dict[tuple[str, str], ObjectBuilder] = field(default_factory=dict)
    collected: list[DatabaseObject] = field(default_factory=list)
    has_grants: bool = False
    has_owners: bool = False
    unread: list[str] = field(default_factory=list)
    pg_dump_version: int = 0

    def get_or_add_object(
        self, kind: str, name: str, schema: str = "", place: str = ""
    ) -> ObjectBuilder:
        """Return the object of a name, a new one if none is known yet.

        A dump changes the owner and grants of a sequence with `ALTER TABLE`, too.
        """
        if kind == "table" and ("sequence", name) in self.objects:
            kind = "sequence"
        key = (kind, name)
        if key not in self.objects:
            self.objects[key] = ObjectBuilder(kind, name, schema, place=place)
        if schema == _PUBLIC_SCHEMA:
            self.get_or_add_schema(schema)
        return self.objects[key]

    def get_or_add_schema(self, schema: str) -> ObjectBuilder:
        """Return a schema; `public` exists without a CREATE statement."""
        found = self.get_or_add_object("schema", quote_sql_identifier(schema))
        if schema == _PUBLIC_SCHEMA and found.public_default is None:
            self._set_public_defaults(found)
        return found

    def _set_public_defaults(self, schema: ObjectBuilder) -> None:
        """Set the owner and grants that the schema public has in a new database."""
        words = "default privileges of the schema public"
        both, usage = ("CREATE", "USAGE"), ("USAGE",)
        if self.pg_dump_version >= _PRIVATE_PUBLIC_SCHEMA:
            schema.owner = schema.owner or _DATABASE_OWNER
            schema.public_default = (Grant(PUBLIC, usage, statement=words),)
        elif self.pg_dump_version:
            schema.public_default = (Grant(PUBLIC, both, statement=words),)

    def build(self, version: int) -> Database:
        """Build one database's objects and grants from the collected rows."""
        built = [each.build_object(version) for each in self.objects.values()]
        return Database(
            name=self.name,
            objects=(*self.collected, *built),
            has_grants=self.has_grants,
            has_owners=self.has_owners,
            unread=tuple(self.unread),
        )


@dataclass(slots=True)
class CatalogueBuilder:
    """Catalogue of one server while its files are read; fields as `Catalogue`."""

    host: str
    version: int = 0
    roles: dict[str, Role] = field(default_factory=dict)
    memberships: list[Membership] = field(default_factory=list)
    databases: dict[str, ObjectBuilder] = field(default_factory=dict)
    collected: list[DatabaseObject] = field(default_factory=list)
    contents: dict[str, DatabaseBuilder] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def get_or_add_database(self, name: str) -> ObjectBuilder:
        """Return the `database` object of a name, added on first mention."""
        if name not in self.databases:
            self.databases[name] = ObjectBuilder("database", quote_sql_identifier(name))
        return self.databases[name]

    def get_or_add_contents(self, name: str) -> DatabaseBuilder:
        """Return the builder of a database's objects, added on first mention."""
        return self.contents.setdefault(name, DatabaseBuilder(name))

    def build(self) -> Catalogue:
        """Build the server's catalogue: roles, memberships and databases."""
        built = [each.build_object(self.version) for each in self.databases.values()]
        return Catalogue(
            host=self.host,
            version=self.version,
            roles=tuple(self.roles.values()) or None,
            memberships=tuple(self.memberships),
            databases=(*self.collected, *built),
            contents=tuple(each.build(self.version) for each in self.contents.values()),
            unread=tuple(self.unread),
        )

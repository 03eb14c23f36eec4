"""Collect the statements on one object, and build it with the grants in force."""

from dataclasses import dataclass, field, replace

from answerable.reach.postgres.catalogue import (
    DatabaseObject,
    Grant,
    RowPolicy,
)
from answerable.reach.postgres.privileges import (
    get_default_privileges,
    list_privileges_of_object_kind,
)


@dataclass(frozen=True, slots=True)
class GrantChange:
    """GRANT or REVOKE on one object or column.

    Attributes:
        privileges: Privileges; empty for ALL.
    """

    revoke: bool
    grantee: str
    privileges: tuple[str, ...]
    column: str
    statement: str
    place: str


@dataclass(slots=True)
class ObjectBuilder:
    """Object of a dump while its statements are read; fields as `DatabaseObject`."""

    kind: str
    name: str
    schema: str = ""
    owner: str = ""
    columns: tuple[str, ...] | None = None
    owner_rights: bool = False
    row_security: bool = False
    force_row_security: bool = False
    public_default: tuple[Grant, ...] | None = None
    owner_of: "ObjectBuilder | None" = None
    policies: list[RowPolicy] = field(default_factory=list)
    changes: list[GrantChange] = field(default_factory=list)
    place: str = ""

    def build_object(self, version: int) -> DatabaseObject:
        """Build the object: default privileges, then every GRANT and REVOKE in order."""
        owner = self.owner or (self.owner_of.owner if self.owner_of else "")
        grants = list(get_default_privileges(self.kind, owner, version))
        grants += self.public_default or ()
        for change in self.changes:
            grants = self._apply_grant_change(grants, change, version)
        return DatabaseObject(
            kind=self.kind,
            name=self.name,
            schema=self.schema,
            owner=owner,
            grants=tuple(grants),
            columns=self.columns,
            owner_rights=self.owner_rights,
            row_security=self.row_security,
            force_row_security=self.force_row_security,
            policies=tuple(self.policies),
            place=self.place,
        )

    def _apply_grant_change(
        self, grants: list[Grant], change: GrantChange, version: int
    ) -> list[Grant]:
        """Return the grants after one GRANT or REVOKE.

        "When revoking privileges on a table, the corresponding column privileges (if
        any) are automatically revoked on each column of the table, as well."
        https://www.postgresql.org/docs/current/sql-revoke.html
        """
        kind = "column" if change.column else self.kind
        words = change.privileges or list_privileges_of_object_kind(kind, version)
        if not change.revoke:
            new = Grant(
                grantee=change.grantee,
                privileges=tuple(sorted(words)),
                column=change.column,
                statement=change.statement,
                place=change.place,
            )
            return [*grants, new]
        kept = []
        for grant in grants:
            about = change.column in ("", grant.column)
            if grant.grantee == change.grantee and about:
                left = tuple(w for w in grant.privileges if w not in words)
                grant = replace(grant, privileges=left)
            kept.append(grant)
        return [grant for grant in kept if grant.privileges]

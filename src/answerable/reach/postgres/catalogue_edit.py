"""Remove grants from catalogues (command `what-if`)."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from answerable.model.errors import UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.postgres_ids import (
    PLATFORM,
    quote_sql_identifier,
)
from answerable.reach.platform import (
    PolicyEdit,
)
from answerable.reach.postgres.catalogue import Catalogue, DatabaseObject
from answerable.reach.statement_removal import StatementRemoval

_HINT = "`answerable can SUBJECT ACTION RESOURCE -o json` prints policy and statement"


def remove_grants_from_catalogues(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit
) -> tuple[PlatformCatalogue, ...]:
    """Remove the statements of an edit, as answers print them.

    A statement is written alone, or as `POLICY#STATEMENT`.

    Raises:
        UsageError: A statement is unknown, or the edit is of another kind.
    """
    if edit.file or edit.policies:
        raise UsageError(
            "for PostgreSQL, only single grants can be removed (expected "
            "--without STATEMENT)",
            _HINT,
        )
    removal = StatementRemoval(edit.statements, lambda text: " ".join(text.split()))
    edited = removal.edit_catalogues(
        catalogues,
        PLATFORM,
        lambda body: _remove_statements_from_catalogue(body, removal),
    )
    removal.require_all_found("no such statement", _HINT)
    return edited


def _includes(removal: StatementRemoval, policy: str, statement: str) -> bool:
    """Return whether an edit removes a grant, by either of its spellings."""
    return removal.includes(statement, f"{policy}#{statement}")


def _remove_statements_from_catalogue(body: str, removal: StatementRemoval) -> str:
    """Return the JSON of a catalogue without the statements."""
    catalogue = msgspec.json.decode(body, type=Catalogue)
    memberships = tuple(
        each
        for each in catalogue.memberships
        if not _includes(removal, quote_sql_identifier(each.role), each.statement)
    )
    roles = catalogue.roles and tuple(
        replace(
            role,
            superuser=role.superuser
            and not _is_role_attribute_removed(removal, role.name, "SUPERUSER"),
            create_role=role.create_role
            and not _is_role_attribute_removed(removal, role.name, "CREATEROLE"),
        )
        for role in catalogue.roles
    )
    edited = replace(
        catalogue,
        roles=roles,
        memberships=memberships,
        databases=tuple(
            _remove_grants_of_object(each, removal) for each in catalogue.databases
        ),
        contents=tuple(
            replace(
                contents,
                objects=tuple(
                    _remove_grants_of_object(each, removal) for each in contents.objects
                ),
            )
            for contents in catalogue.contents
        ),
    )
    return msgspec.json.encode(edited).decode()


def _is_role_attribute_removed(
    removal: StatementRemoval, role: str, attribute: str
) -> bool:
    """Return whether an attribute of a role is to be removed."""
    name = quote_sql_identifier(role)
    return _includes(removal, f"role {name}", f"ALTER ROLE {name} {attribute}")


def _remove_grants_of_object(
    made: DatabaseObject, removal: StatementRemoval
) -> DatabaseObject:
    """Return an object without the grants and row policies."""
    name = f"{made.kind} {made.name}"
    grants = tuple(g for g in made.grants if not _includes(removal, name, g.statement))
    policies = tuple(
        p for p in made.policies if not _includes(removal, name, f"POLICY {p.name}")
    )
    return replace(made, grants=grants, policies=policies)

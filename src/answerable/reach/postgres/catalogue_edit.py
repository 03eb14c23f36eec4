"""Remove grants from catalogues (command `what-if`)."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

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
    removal = _Removal({" ".join(text.split()) for text in edit.statements})
    edited = tuple(
        replace(each, body=_remove_statements_from_catalogue(each.body, removal))
        if each.platform == PLATFORM
        else each
        for each in catalogues
    )
    for text in removal.wanted - removal.found:
        close = get_close_matches(text, removal.known, n=1)
        raise UsageError(
            f"no such statement (got {text[:200]!r})",
            f"did you mean {close[0]!r}?" if close else _HINT,
        )
    return edited


class _Removal:
    """Statements to remove, and those that were found.

    Attributes:
        known: Every statement that could be removed.
    """

    def __init__(self, wanted: set[str]) -> None:
        self.wanted = wanted
        self.found: set[str] = set()
        self.known: dict[str, None] = {}

    def includes_statement(self, policy: str, statement: str) -> bool:
        """Return whether the edit removes this grant, and note that it exists."""
        spellings = {statement, f"{policy}#{statement}"}
        self.known |= dict.fromkeys(sorted(spellings))
        self.found |= spellings & self.wanted
        return not spellings.isdisjoint(self.wanted)


def _remove_statements_from_catalogue(body: str, removal: _Removal) -> str:
    """Return the JSON of a catalogue without the statements."""
    catalogue = msgspec.json.decode(body, type=Catalogue)
    memberships = tuple(
        each
        for each in catalogue.memberships
        if not removal.includes_statement(
            quote_sql_identifier(each.role), each.statement
        )
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


def _is_role_attribute_removed(removal: _Removal, role: str, attribute: str) -> bool:
    """Return whether an attribute of a role is to be removed."""
    name = quote_sql_identifier(role)
    return removal.includes_statement(f"role {name}", f"ALTER ROLE {name} {attribute}")


def _remove_grants_of_object(made: DatabaseObject, removal: _Removal) -> DatabaseObject:
    """Return an object without the grants and row policies."""
    name = f"{made.kind} {made.name}"
    grants = tuple(
        g for g in made.grants if not removal.includes_statement(name, g.statement)
    )
    policies = tuple(
        p
        for p in made.policies
        if not removal.includes_statement(name, f"POLICY {p.name}")
    )
    return replace(made, grants=grants, policies=policies)

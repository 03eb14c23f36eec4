"""Remove statements from catalogues (command `what-if`)."""

from collections.abc import Iterable

import msgspec

from answerable.model.errors import UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.organization_index import PLATFORM
from answerable.reach.github.statement_removal import (
    build_removal,
    remove_from_organization,
)
from answerable.reach.platform import (
    PolicyEdit,
)
from answerable.reach.statement_removal import StatementRemoval

_HINT = "`answerable can SUBJECT ACTION RESOURCE -o json` prints the statements"


def remove_statements(
    catalogues: Iterable[PlatformCatalogue], edit: PolicyEdit
) -> tuple[PlatformCatalogue, ...]:
    """Remove the statements of an edit, as answers print them.

    Raises:
        UsageError: A statement is unknown, or the edit is of another kind.
    """
    if edit.file or edit.policies:
        raise UsageError(
            "for GitHub, only single grants and rules can be removed (expected "
            "--without STATEMENT)",
            _HINT,
        )
    removal = build_removal(edit.statements)
    edited = removal.edit_catalogues(
        catalogues, PLATFORM, lambda body: _remove_from_body(body, removal)
    )
    removal.require_all_found("no such statement", _HINT)
    return edited


def _remove_from_body(body: str, removal: StatementRemoval) -> str:
    """Return the JSON of an organization without the statements."""
    organization = msgspec.json.decode(body, type=GithubOrganization)
    edited = remove_from_organization(organization, removal)
    return msgspec.json.encode(edited).decode()

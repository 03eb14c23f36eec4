"""Remove statements from catalogues (command `what-if`)."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

import msgspec

from answerable.model.errors import UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.reach.github.catalogue import GithubOrganization
from answerable.reach.github.organization_index import PLATFORM
from answerable.reach.github.statement_removal import (
    StatementRemoval,
    remove_from_organization,
)
from answerable.reach.platform import (
    PolicyEdit,
)

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
    removal = StatementRemoval(edit.statements)
    edited = tuple(
        replace(each, body=_remove_from_body(each.body, removal))
        if each.platform == PLATFORM
        else each
        for each in catalogues
    )
    for text in removal.wanted.keys() - removal.found:
        close = get_close_matches(text, removal.known, n=1)
        raise UsageError(
            f"no such statement (got {text[:200]!r})",
            f"did you mean {close[0]!r}?" if close else _HINT,
        )
    return edited


def _remove_from_body(body: str, removal: StatementRemoval) -> str:
    """Return the JSON of an organization without the statements."""
    organization = msgspec.json.decode(body, type=GithubOrganization)
    edited = remove_from_organization(organization, removal)
    return msgspec.json.encode(edited).decode()

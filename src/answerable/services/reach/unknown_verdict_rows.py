"""Build output rows for `not-known` verdicts, with the scan that would resolve them."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from answerable.inventory.name_resolution import ENTITY_KINDS, resolve_entity_by_name
from answerable.model.errors import AnswerableError
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import format_command
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import PermissionPlatform, UnknownSubject

if TYPE_CHECKING:
    from answerable.model.documents.not_known import (
        SearchScopeItem,
        UncollectedSubjectItem,
    )


def build_unknown_reason_items(
    inventory: Inventory, unknown: Iterable[UnknownSubject]
) -> "list[UncollectedSubjectItem]":
    """Build the reasons of a `not-known` verdict, with the most similar scanned id."""
    return [
        {
            "id": each.id,
            "because": each.because
            + (_suggest_scanned_id(inventory, each.id) if each.absent else ""),
            "source": each.source,
        }
        for each in unknown
    ]


def _suggest_scanned_id(inventory: Inventory, key: str) -> str:
    """Return the scanned id that is most similar."""
    try:
        resolve_entity_by_name(inventory, key, ENTITY_KINDS)
    except AnswerableError as error:
        return f"; {error.hint}" if error.hint.startswith("did you mean") else ""
    return ""


def describe_search_scope(
    opened: OpenPlatforms, platform: PermissionPlatform
) -> "SearchScopeItem":
    """Describe the identities and accounts that a search over all identities covers."""
    scope = opened.describe_scope(platform)
    missing = Counter(
        (each.kind or "identity", each.subject.source) for each in scope.unknown
    )
    return {
        "identities": scope.identities,
        "accounts": list(scope.accounts),
        "platforms": [platform.name] if scope.identities else [],
        "source": scope.source,
        "not_evaluated": [
            {"kind": kind, "count": count, "source": source}
            for (kind, source), count in sorted(missing.items())
        ],
    }


def suggest_scan_command(unknown: Iterable[UnknownSubject]) -> str:
    """Suggest the scan command that would supply missing data; empty if none would."""
    unknown = list(unknown)
    if not unknown:
        return ""
    # Importing every connector takes a while; most answers need none.
    from answerable.connectors.registry import CONNECTORS

    sources = dict.fromkeys(each.source for each in unknown)
    scanned = {each.name for each in CONNECTORS}
    known = [f"{each}:FILE" for each in sources if each in scanned]
    return format_command("scan", *known) if known else ""

"""Build output rows for `not-known` verdicts, with the scan that would resolve them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from answerable.inventory.name_resolution import ENTITY_KINDS, resolve_entity
from answerable.model.documents.core import ReachItem
from answerable.model.documents.not_known import SearchScopeItem, UncollectedSubjectItem
from answerable.model.errors import AnswerableError
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import format_command
from answerable.reach.answer_items import build_path_item
from answerable.reach.formula import Verdict
from answerable.reach.platform import PathHop, UnknownSubject
from answerable.reach.subject_identities import SubjectIdentities
from answerable.reach.unknown_subjects import AWS, explain_unscanned_platform
from answerable.services.reach.compiled_graph import load_summary
from answerable.services.reach.query_context import QueryContext


def build_unknown_items(
    inventory: Inventory, unknown: Iterable[UnknownSubject]
) -> list[UncollectedSubjectItem]:
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
    """Return the scanned id whose spelling is nearest."""
    try:
        resolve_entity(inventory, key, ENTITY_KINDS)
    except AnswerableError as error:
        return f"; {error.hint}" if error.hint.startswith("did you mean") else ""
    return ""


def build_unknown_row(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    unknown: UnknownSubject,
    hops: Sequence[PathHop] = (),
) -> ReachItem:
    """Build an output row of `reach` or `who-can` with a `not-known` verdict."""
    return {
        "subject": subject,
        "action": action,
        "resource": resource,
        "verdict": Verdict.NOT_KNOWN.value,
        "conditions": [],
        "admin": False,
        "determining": [],
        "path": [build_path_item(hop) for hop in hops],
        "assuming": [],
        "unknown": build_unknown_items(inventory, [unknown]),
    }


def build_unknown_rows(
    query: QueryContext,
    identities: SubjectIdentities,
    subject: str,
    action: str,
    resource: str,
) -> list[ReachItem]:
    """Build an output row for each identity of a subject without permission data."""
    inventory = query.inventory
    rows = [
        build_unknown_row(inventory, subject, action, resource, each.unknown, each.hops)
        for each in identities.starts
        if each.unknown
    ]
    return rows + [
        build_unknown_row(inventory, subject, action, resource, each)
        for each in identities.apart
    ]


def list_identities_not_collected(query: QueryContext) -> list[UnknownSubject]:
    """List the AWS identities whose permissions were not collected.

    Without a scanned account and a named identity, one pattern represents all of
    them.
    """
    found = load_summary(query.inventory, query.graph).unknown
    of_aws = [each.subject for each in found if each.subject.source == AWS]
    every = explain_unscanned_platform(query.compiled_accounts)
    return of_aws if of_aws or every is None else [every]


def describe_search_scope(query: QueryContext) -> SearchScopeItem:
    """Describe the identities, accounts and platforms that an answer covers."""
    summary = load_summary(query.inventory, query.graph)
    missing = Counter(
        (each.kind or "identity", each.subject.source) for each in summary.unknown
    )
    return {
        "identities": summary.collected,
        "accounts": sorted(query.compiled_accounts.collected_accounts - {""}),
        "platforms": [AWS] if summary.collected else [],
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
    scanned = {each.spec.name for each in CONNECTORS}
    known = [f"{each}:FILE" for each in sources if each in scanned]
    return format_command("scan", *known) if known else ""

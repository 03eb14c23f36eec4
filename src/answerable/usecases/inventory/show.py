"""Show one entity with all its relations (command `show`)."""

import re
from difflib import get_close_matches

from answerable.inventory.canonical_ids import parse_iam_principal_arn
from answerable.inventory.name_resolution import (
    resolve_entity_by_name,
    select_similar_names,
)
from answerable.inventory.person_directory import (
    list_merged_ids,
    merge_listed_persons,
)
from answerable.lineage.chain_index import ChainIndex
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AmbiguousError, UnknownNameError, UsageError
from answerable.model.ids import PersonId, convert_s3_uri
from answerable.presentation.command_hints import format_command
from answerable.presentation.entity_links import add_entity_rows
from answerable.presentation.entity_rows import EntityRows, get_id_kind
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_records import SpoolPlaces
from answerable.services.inventory.foreign_edges import add_declared_edges
from answerable.services.lineage import event_links
from answerable.services.lineage.lineage_search import (
    SearchScope,
    hide_invisible_chains,
)
from answerable.services.lineage.pod_links import add_pod_link
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.lineage.trace_id_links import add_trace_id_links
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.store.store import EvidenceStore

_DECISION_PREFIX = re.compile(r"[0-9a-f]{6,31}")
_EXPECTED = "an agent, tool, identity, credential, person, resource, event or decision"


def show_subject(
    store: EvidenceStore,
    scope: SearchScope,
    text: str,
    spool: SpoolPlaces = None,
    *,
    now: int,
) -> Document:
    """Show an agent, tool, identity, credential, person, resource, event or decision.

    Args:
        store: Store of the events.
        scope: Inventory, chains, and the agents whose activity is visible.
        text: Id, ARN, URI or unambiguous name; of a decision also a prefix of its id.
        spool: Spools of decisions that are not shipped yet.
        now: UTC nanoseconds.

    Raises:
        UsageError: The text names nothing.
        AmbiguousError: It names several things; they are listed.
    """
    rows = EntityRows(scope.inventory, text.strip())
    kind = _add_event_or_decision(rows, store, scope, spool) or _add_inventory_entity(
        rows, store, scope, spool
    )
    add_declared_edges(rows, now)
    coverage = build_trace_coverage(scope.inventory, scope.chains, now)
    coverage["not_collected"] = sorted({*coverage["not_collected"], *rows.missing})
    return Document(
        "show", rows.list_rows(), coverage, next=_suggest_next_command(rows, kind)
    )


def _suggest_next_command(rows: EntityRows, kind: str) -> str:
    """Suggest the command that tells more about a subject."""
    match kind:
        case "event":
            return format_command("evidence", "prove", rows.subject)
        case "decision":
            return format_command("decision", rows.subject)
        case "agent" | "identity" | "credential" if rows.is_scanned:
            return format_command("reach", rows.subject)
        case _:
            return format_command("trace", f"--{kind}", rows.subject)


def _add_event_or_decision(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, spool: SpoolPlaces
) -> str:
    """Add the rows of the event or decision with this id; empty if it is no such id."""
    event_id = parse_event_id(rows.subject)
    if event_id is None:
        return ""
    rows.subject = event_id.hex()
    events = event_links.find_visible_event(store, scope, event_id)
    if not events:
        return _add_decision(rows, store, scope, spool)
    # A call that a gateway decided itself is a decision and its event in one.
    is_decision = events[0].event.decision_id == rows.subject
    kind = "decision" if is_decision else "event"
    event_links.add_event_facts_and_chain(rows, events, kind)
    add_trace_id_links(rows, store, scope, events[0].event)
    add_pod_link(rows, store, scope, events[0])
    return kind


def _add_decision(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, spool: SpoolPlaces
) -> str:
    """Add the rows of a decision, by its id or a prefix of it.

    Raises:
        UsageError: There is none, or the reader may not see it.
    """
    waiting = decision_records.read_spool(spool)
    try:
        found = decision_records.find_decision(store, waiting, rows.subject.lower())
        events = event_links.select_visible_events(
            [each.event for each in found], scope
        )
    except AmbiguousError:
        raise
    except UsageError as error:
        raise _build_unknown_error(rows.subject, error.hint) from None
    if not events:
        raise _build_unknown_error(rows.subject, "")
    rows.subject = events[0].event.decision_id
    event_links.add_event_facts_and_chain(rows, events, "decision")
    add_trace_id_links(rows, store, scope, events[0].event)
    add_pod_link(rows, store, scope, events[0])
    return "decision"


def _add_inventory_entity(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, spool: SpoolPlaces
) -> str:
    """Add the rows of the thing with this id or name, and return its kind."""
    try:
        kind, rows.subject = _resolve_subject(store, scope, rows.subject)
    except AmbiguousError:
        raise
    except UsageError:
        is_prefix = _DECISION_PREFIX.fullmatch(rows.subject.lower()) is not None
        if not is_prefix or scope.visible_agents is not None:
            raise  # prefixes could be enumerated
        return _add_decision(rows, store, scope, spool)
    if kind == "person":
        _merge_person(rows)
    add_entity_rows(rows, kind)
    event_links.add_activity_rows(rows, store, scope, kind)
    return kind


def _merge_person(rows: EntityRows) -> None:
    """Make the subject the person that any of its stated ids leads to."""
    inventory = rows.inventory
    key, others = list_merged_ids(inventory, PersonId(rows.subject))
    if others:
        rows.subject, rows.merged_ids = key, others
        rows.person = merge_listed_persons(inventory, key, (key, *others))


def _resolve_subject(
    store: EvidenceStore, scope: SearchScope, asked: str
) -> tuple[str, str]:
    """Resolve a text to the kind and id of one thing.

    Raises:
        UsageError: It names nothing.
        AmbiguousError: It names several things.
    """
    chains = ChainIndex.wrap_chains(hide_invisible_chains(scope).chains)
    logged = (chains.agents, chains.tools, chains.identities, chains.credentials)
    owners = scope.inventory.owners
    is_logged = any(asked in each.ids for each in logged)
    if is_logged or asked in owners or asked in chains.persons:
        return get_id_kind(asked), asked
    if ":" in asked and get_id_kind(asked) == "identity":
        resource = convert_s3_uri(asked)
        if _is_known_resource(store, scope, resource):
            return "resource", resource
        if parse_iam_principal_arn(asked) is None:
            raise _build_unknown_resource_error(scope, asked)
    found = {key for each in logged for key in each.ids_by_short_name.get(asked, ())}
    found |= {f"person:{asked.lower()}"} & chains.persons
    try:
        found.add(resolve_entity_by_name(scope.inventory, asked))
    except AmbiguousError as error:
        found |= set(error.candidates)
    except UsageError as error:
        # A deleted identity may be known by its owner alone.
        found |= {key for key in owners if key.rpartition("/")[2] == asked}
        if not found:
            return "resource", _resolve_resource_name(scope, asked, error.hint)
    if len(found) > 1:
        raise _build_ambiguous_error(asked, found)
    key = found.pop()
    return get_id_kind(key), key


def _is_known_resource(store: EvidenceStore, scope: SearchScope, resource: str) -> bool:
    """Return whether a scan or a visible event names a resource."""
    if resource in scope.inventory.facts.resources_by_id():
        return True
    return event_links.has_visible_event_on_resource(store, scope, resource)


def _resolve_resource_name(scope: SearchScope, asked: str, hint: str) -> str:
    """Resolve the last part of a scanned resource's id.

    Raises:
        UsageError: No resource is called so.
        AmbiguousError: Several are.
    """
    ids = scope.inventory.facts.resources_by_id()
    found = {key for key in ids if re.split("[:/]", key)[-1] == asked}
    if len(found) > 1:
        raise _build_ambiguous_error(asked, found)
    if not found:
        raise _build_unknown_error(asked, hint)
    return found.pop()


def _build_ambiguous_error(asked: str, found: set[str]) -> AmbiguousError:
    """Build the error for a name of several things."""
    message = f"{asked[:200]!r} matches {len(found)} items (expected one)"
    return AmbiguousError(message, tuple(sorted(found)))


def _build_unknown_resource_error(scope: SearchScope, asked: str) -> UnknownNameError:
    """Build the error for an unknown ARN or URI, with the nearest known resource."""
    names = list(scope.inventory.facts.resources_by_id())
    spelled = convert_s3_uri(asked)
    close = get_close_matches(spelled, select_similar_names(spelled, names), 1, 0.6)
    hint = "no scan and no log contains it; use who-can or can for any resource"
    return _build_unknown_error(asked, f"did you mean {close[0]}?" if close else hint)


def _build_unknown_error(asked: str, hint: str) -> UnknownNameError:
    """Build the error for a text that names nothing."""
    return UnknownNameError(
        f"unknown id or name (got {asked[:200]!r}, expected {_EXPECTED})", hint
    )

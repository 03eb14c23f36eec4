"""Filter events by resource (ARN, `s3://` URI, name) or by event id; suggest names."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from answerable.lineage.chain_index import ChainIndex
from answerable.model.ids import convert_s3_uri
from answerable.model.inventory import Inventory
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import (
    InvestigationFilter,
    suggest_column_values,
)
from answerable.store.resource_days import suggest_resources
from answerable.store.store import EvidenceStore

Entities = Mapping[str, Collection[str]]
_MAX_SUGGESTIONS = 3
_ALL_EVENTS = InvestigationFilter(EventFilter())
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,}")
_STOP_WORDS = frozenset(
    ("arn", "aws", "iam", "agent", "tool", "mcp", "person", "cred", "role", "user")
)
_ACCOUNT_ID = re.compile(r"[0-9]{12}")


def parse_event_id(text: str) -> bytes | None:
    """Parse an event id: 32 hex digits, with or without the dashes of a UUID."""
    digits = text.strip().replace("-", "")
    try:
        number = bytes.fromhex(digits)
    except ValueError:
        return None
    return number if len(number) == 16 and len(digits) == 32 else None


def restrict_to_resource(event_filter: EventFilter, resource: str) -> EventFilter:
    """Restrict a filter to a resource, or to the one event with that id."""
    text = resource.strip()
    if not text:
        return event_filter
    number = parse_event_id(text)
    if number is not None:
        return replace(event_filter, event=number)
    return replace(event_filter, resources=build_resource_patterns(text))


def build_resource_patterns(resource: str) -> list[str]:
    """Return glob patterns; a matching resource fits at least one.

    An ARN or a URI is used as it is, other text matches part of a name. An `s3://` URI
    of a bucket, or one that ends in `/`, matches everything below it.
    """
    typed = resource.strip()
    text = convert_s3_uri(typed)
    if ":" not in text:
        return [f"*{text}*"]
    if _is_bucket_or_prefix(typed):
        return [text, f"{text}/*"]
    return [text]


def _is_bucket_or_prefix(uri: str) -> bool:
    """Return whether an `s3://` URI names a bucket or a prefix."""
    place = uri.removeprefix("s3://")
    globs = "*" in place or "?" in place
    return place != uri and not globs and ("/" not in place or place.endswith("/"))


def suggest_similar_names(
    store: EvidenceStore,
    entities: Entities,
    investigation: InvestigationFilter,
    resources: Iterable[str],
    names: Iterable[tuple[str, str]],
) -> str:
    """Suggest existing names that are similar to a name without a match.

    Args:
        store: Store of the events.
        investigation: Visible events.
        resources: Texts queried as a resource, or in any hop.
        names: Kind and text of each queried person, agent, tool, identity or
            credential.

    Returns:
        One line, empty if nothing is similar.
    """
    said: list[str] = []
    for text in resources:
        for token in _split_name_into_words(text):
            found = [
                f"resource {v}"
                for v in _find_recorded_resources(store, investigation, token)
            ]
            found += _find_entities_containing(entities, token)
            if found:
                said += found[: 2 * _MAX_SUGGESTIONS]
                break
    for kind, text in names:
        own = {kind: entities.get(kind, ())}
        whole = [f"{kind} {text}"] if text in own[kind] else []
        like = (
            _find_entities_containing(ids, token)
            for ids in (own, entities)
            for token in _split_name_into_words(text)
        )
        said += whole or next(filter(None, like), [])[: 2 * _MAX_SUGGESTIONS]
    return f"there is {', '.join(dict.fromkeys(said))}" if said else ""


def _split_name_into_words(text: str) -> Iterator[str]:
    """Split a name into parts: its last segment first, longest part first."""
    last = re.split(r"[/:]", text.rstrip("/*?:"))[-1]
    for part in (last, text):
        tokens = dict.fromkeys(_TOKEN.findall(part))
        yield from sorted(
            (t for t in tokens if _is_significant_name_word(t)),
            key=_sort_key_longest_first,
        )


def _is_significant_name_word(token: str) -> bool:
    """Return whether a part of a name is neither a stop word nor an account id."""
    return token.lower() not in _STOP_WORDS and not _ACCOUNT_ID.fullmatch(token)


def _sort_key_longest_first(token: str) -> int:
    """Return a sort key that puts longer texts first."""
    return -len(token)


def _find_recorded_resources(
    store: EvidenceStore, investigation: InvestigationFilter, token: str
) -> list[str]:
    """Find recorded resources that contain a word, most used first."""
    if investigation == _ALL_EVENTS:
        found = suggest_resources(store, token, _MAX_SUGGESTIONS)
        if found is not None:
            return found
    return suggest_column_values(
        store,
        "resource",
        token,
        replace(investigation, filter=EventFilter()),
        _MAX_SUGGESTIONS,
    )


def collect_entities(inventory: Inventory, chains: ChainIndex) -> Entities:
    """Collect the ids of all entities by kind, from the snapshot and the audit logs."""
    facts = inventory.facts
    return {
        "agent": {*inventory.agents, *chains.agents.ids},
        "identity": {*(each.id for each in facts.identities), *chains.identities.ids},
        "credential": {*inventory.credentials, *chains.credentials.ids} - {""},
        "tool": {*(tool.id for tool in facts.tools), *chains.tools.ids},
        "person": {*inventory.persons, *chains.persons},
    }


def _find_entities_containing(entities: Entities, token: str) -> list[str]:
    """Find entities whose id contains a word, with their kind."""
    folded = token.lower()
    found = []
    for kind, ids in entities.items():
        like = sorted(key for key in ids if folded in key.lower())
        found += [f"{kind} {key}" for key in like[:_MAX_SUGGESTIONS]]
    return found

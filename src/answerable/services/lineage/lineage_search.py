"""Search events joined with their chain (person to identity), newest first, by page."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from answerable.lineage.chain_index import (
    ChainIndex,
    find_chain_valid_at,
    list_searchable_texts,
)
from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.lineage.search_query import SearchQuery
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import ChainRow, HopStatus, LineageChain
from answerable.presentation.time_input import parse_time
from answerable.services.lineage import name_predicates, name_resolution
from answerable.services.lineage.resource_filter import (
    parse_event_id,
    restrict_to_resource,
)
from answerable.store.chain_tables import JointInterval
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter

PAGE_SIZE = 50
# Ways to divide words between chain and event.
_MOST_PARTS = 32

VisibleAgents = Collection[str] | None
Test = Callable[[LineageChain], bool]


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Inventory, chains and visibility that a search runs over.

    Attributes:
        visible_agents: Agents and identities whose events are visible; None for all.
    """

    inventory: Inventory
    chains: Sequence[ChainTimeline]
    visible_agents: VisibleAgents = None


@dataclass(frozen=True, slots=True)
class SearchNames:
    """Names of a query, in the form of `name_resolution.Named`."""

    person: str
    agent: str
    tool: str
    identity: str
    credential: str


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """Events in one span of time.

    Attributes:
        at: Start of the span, UTC nanoseconds.
        events: Number of events by outcome.
    """

    at: int
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EventHistogram:
    """Histogram of events over time.

    Attributes:
        bars: Spans with events, oldest first.
        width: Length of a span, nanoseconds.
        since: Start of the first span, UTC nanoseconds.
        until: End of the last span.
    """

    bars: Sequence[HistogramBar]
    width: int
    since: int
    until: int
    total: int


def build_event_filter(
    scope: SearchScope, query: SearchQuery, *, now: int
) -> InvestigationFilter:
    """Convert a lineage search (`person:`, `agent:`...) to a store filter.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is invalid.
    """
    since, until = parse_time_range(query, now)
    return build_search_filter(scope, query, since=since, until=until)


def parse_time_range(query: SearchQuery, now: int) -> tuple[int, int]:
    """Parse the time range of a search, UTC nanoseconds; 0 for no limit.

    Raises:
        UsageError: A time is invalid, or the range is empty.
    """
    since, until = (
        parse_time(query.get_field_value(field), now, f"{field}:")
        if query.get_field_value(field)
        else 0
        for field in ("since", "until")
    )
    if since and until and since >= until:
        raise UsageError(
            "the time range is empty (expected since: before until:)",
            "give a time range such as since:7d until:1d",
        )
    return since, until


def build_search_filter(
    scope: SearchScope, query: SearchQuery, *, since: int, until: int
) -> InvestigationFilter:
    """Convert the fields and words of a search to a store filter.

    Args:
        scope: Inventory, chains and visibility.
        query: Search, whose own time range is ignored.
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    number = next(filter(None, map(parse_event_id, query.words)), None)
    query = replace(query, words=tuple(w for w in query.words if not parse_event_id(w)))
    equal = [
        (f, query.get_field_value(f))
        for f in ("source", "outcome", "run")
        if query.get_field_value(f)
    ]
    asked = EventFilter(
        actions=[query.get_field_value("action")]
        if query.get_field_value("action")
        else [],
        since=since,
        until=until,
        event=number or b"",
    )
    return InvestigationFilter(
        restrict_to_resource(asked, query.get_field_value("resource")),
        _build_filter_alternatives(scope, query),
        equal,
    )


def join_events_with_chains(
    events: Sequence[AuditEvent], scope: SearchScope
) -> Iterator[ChainRow]:
    """Join audit events with their delegation chains; compute a missing chain."""
    joints = {name_resolution.get_event_chain_key(event) for event in events}
    stitched = ChainIndex.wrap_chains(scope.chains).chains_by_key
    known = {joint: stitched[joint] for joint in joints if joint in stitched}
    new = [joint for joint in joints if joint not in known]
    if new:
        from answerable.lineage.chain_stitching import derive_lineage_chains

        derived = derive_lineage_chains(new, ())
        known |= {each.chain_key: each.chains for each in derived}
    for event in events:
        chain = find_chain_valid_at(
            known[name_resolution.get_event_chain_key(event)], event.event_time
        )
        yield ChainRow(event, chain)


def is_chain_visible(chain: LineageChain, visible_agents: VisibleAgents) -> bool:
    """Return whether the caller may see the events of a chain."""
    if visible_agents is None:
        return True
    return any(
        each in visible_agents for each in (*chain.agent_path, *chain.identity_path)
    )


def hide_invisible_chains(scope: SearchScope) -> SearchScope:
    """Remove chains that the caller may not see, so that no suggestion names them."""
    if scope.visible_agents is None:
        return scope
    told = (
        ChainTimeline(
            each.chain_key,
            tuple(c for c in each.chains if is_chain_visible(c, scope.visible_agents)),
        )
        for each in scope.chains
    )
    return replace(
        scope, chains=ChainIndex.wrap_chains(each for each in told if each.chains)
    )


def _build_filter_alternatives(
    scope: SearchScope, query: SearchQuery
) -> list[EventAlternative]:
    """Build the alternatives of a filter: by actor, or by touched resource."""
    scope = hide_invisible_chains(scope)
    asked = SearchNames(*(query.get_field_value(f) for f in name_resolution.FIELDS))
    identity = asked.identity
    others = replace(asked, identity="")
    beside = _build_chain_predicates(scope, others, query)
    if not identity:
        return split_filter_by_words(
            _select_chains_by_id(scope, others), beside, query.words
        )
    by_name = _build_chain_predicates(scope, asked, query)
    parts = split_filter_by_words(
        _select_chains_by_id(scope, asked), by_name, query.words
    )
    exact = name_predicates.get_exact_value(identity)
    if exact is None and not name_predicates.is_glob(identity):
        about = name_resolution.resolve_identity(
            scope.inventory, scope.chains, identity
        )
        touched = split_filter_by_words(
            _select_chains_by_id(scope, others), beside, query.words
        )
        parts += [replace(part, about=about) for part in touched]
    return parts


def _select_chains_by_id(
    scope: SearchScope, names: SearchNames
) -> Sequence[ChainTimeline]:
    """Select the chains that contain a requested id."""
    chains = scope.chains
    if scope.visible_agents is not None or not isinstance(chains, ChainIndex):
        return chains  # made for this query only: scanning them is cheaper
    required = name_resolution.list_required_ids(scope.inventory, chains, names)
    if not required:
        return chains
    found = chains.find_chains_by_ids(required)
    return min((found[each] for each in required), key=len)


def _build_chain_predicates(
    scope: SearchScope, names: SearchNames, query: SearchQuery
) -> list[Test]:
    """Build the predicates for chains: names, hop status and visibility."""
    tests = name_resolution.build_chain_predicates(scope.inventory, scope.chains, names)
    if query.get_field_value("status"):
        tests.append(_build_hop_status_predicate(query.get_field_value("status")))
    if scope.visible_agents is not None:
        tests.append(lambda chain: is_chain_visible(chain, scope.visible_agents))
    return tests


def _build_hop_status_predicate(text: str) -> Test:
    """Build a predicate for the status of one hop (`HOP=STATUS`) or of any hop."""
    hop, _, status = text.rpartition("=")
    wanted_status = HopStatus(status)
    if hop:
        return lambda chain: get_hop_statuses(chain)[hop] is wanted_status
    return lambda chain: wanted_status in get_hop_statuses(chain).values()


def get_hop_statuses(chain: LineageChain) -> Mapping[str, HopStatus]:
    """Return the status of each hop from person to identity, by name."""
    return {
        "person": chain.person.status,
        "agent": chain.agent.status,
        "tool": chain.tool.status,
        "identity": chain.identity.status,
    }


def split_filter_by_words(
    chains: Sequence[ChainTimeline], tests: Sequence[Test], words: Sequence[str]
) -> list[EventAlternative]:
    """Split a filter by the search words that a chain contains; events match others."""
    if not tests and not words:
        return [EventAlternative()]
    holds = [_build_chain_word_predicate(word) for word in words]
    if not tests:
        chains = _select_chains_with_any_word(chains, words)
    keys: dict[frozenset[int], list[JointInterval]] = defaultdict(list)
    for each in chains:
        for chain in each.chains:
            for test in tests:
                if not test(chain):
                    break
            else:
                held = (
                    frozenset(n for n, h in enumerate(holds) if h(chain))
                    if holds
                    else frozenset()
                )
                _append_chain_interval(keys[held], each.chain_key, chain)
    if not tests:
        keys.pop(frozenset(), None)
    if len(keys) > _MOST_PARTS:
        raise UsageError(
            f"the words match too many combinations of hops (got {len(keys)}, expected at most "
            f"{_MOST_PARTS})",
            "put the field before each word: action:*Delete* resource:*warehouse*",
        )
    parts = [
        EventAlternative(found, _list_unmatched_words(words, held))
        for held, found in keys.items()
    ]
    return parts if tests else [EventAlternative(words=words), *parts]


def _select_chains_with_any_word(
    chains: Sequence[ChainTimeline], words: Sequence[str]
) -> Sequence[ChainTimeline]:
    """Select the chains that contain at least one of some words."""
    if not isinstance(chains, ChainIndex) or any(map(name_predicates.is_glob, words)):
        return chains
    return chains.find_chains_with_any_word(words)


def _append_chain_interval(
    keys: list[JointInterval], chain_key: SourcedChainKey, chain: LineageChain
) -> None:
    """Append the interval of a chain, or extend the previous one if adjacent."""
    if keys and keys[-1][0] is chain_key and keys[-1][2] == chain.valid_from:
        keys[-1] = (chain_key, keys[-1][1], chain.valid_to)
    else:
        keys.append((chain_key, chain.valid_from, chain.valid_to))


def _list_unmatched_words(
    words: Sequence[str], matched: frozenset[int]
) -> tuple[str, ...]:
    """Return the words that a chain did not match, which the event has to match."""
    return tuple(word for n, word in enumerate(words) if n not in matched)


def _build_chain_word_predicate(word: str) -> Test:
    """Build a predicate that selects the chains that contain a word or pattern."""
    folded = word.lower()
    if not name_predicates.is_glob(word):
        return lambda chain: any(
            folded in value.lower() for value in list_searchable_texts(chain)
        )
    import re2  # slow to import, and few searches have a word with a wildcard

    spelled = "".join({"*": ".*", "?": "."}.get(c) or re2.escape(c) for c in word)
    pattern = re2.compile(f"(?is).*{spelled}.*")

    @cache
    def holds(value: str) -> bool:
        return pattern.fullmatch(value) is not None

    return lambda chain: any(holds(value) for value in list_searchable_texts(chain))

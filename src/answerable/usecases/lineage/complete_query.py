"""Complete a lineage search query while it is typed: fields and values."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.search_query import (
    CHOICES,
    FIELDS,
    HOPS,
    SearchQuery,
    format_query_value,
)
from answerable.model.lineage import LineageChain
from answerable.services.lineage.lineage_search import (
    SearchScope,
    Test,
    is_chain_visible,
    split_filter_by_words,
)
from answerable.services.lineage.name_resolution import FIELDS as FIELDS_OF_NAMES
from answerable.services.lineage.resource_filter import (
    Entities,
    collect_entities,
    suggest_similar_names,
)
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import (
    InvestigationFilter,
    suggest_column_values,
)
from answerable.store.store import EvidenceStore

MOST = 20
_MAX_QUERY_LENGTH = 200
_IN_EVENTS = ("action", "resource", "source", "run")
_SPANS = ("1h", "1d", "7d", "30d", "90d")
_FIELD_HELP = {
    "person": "person responsible for the event",
    "agent": "agent, or an agent that it ran inside",
    "tool": "called tool",
    "identity": "acting identity, or the identity acted on",
    "credential": "credential that proved the identity",
    "action": "action of the event",
    "resource": "resource of the event",
    "source": "log that recorded the event",
    "outcome": "outcome of the event",
    "run": "run of an agent",
    "status": "status of a hop",
    "since": "events since this time",
    "until": "events until this time",
}


@dataclass(frozen=True, slots=True)
class QueryCompletion:
    """One completion of a query.

    Attributes:
        says: Explanation of the completion.
    """

    text: str
    says: str


def complete_query(
    store: EvidenceStore, scope: SearchScope, text: str
) -> list[QueryCompletion]:
    """Complete the last term of a query; at most twenty proposals."""
    head, token = _split_last_word(text)
    if len(token) > _MAX_QUERY_LENGTH:
        return []
    field, colon, word = token.partition(":")
    field = field.lower()
    if not colon or field not in FIELDS:
        return list(_complete_field_name(head, token))
    values = list(_complete_field_value(store, scope, field, word.strip('"')))
    return [
        QueryCompletion(
            f"{head}{field}:{format_query_value(value.removeprefix(f'{field}:'))}",
            _FIELD_HELP[field],
        )
        for value in values[:MOST]
    ]


def suggest_alternatives(
    store: EvidenceStore, scope: SearchScope, query: SearchQuery
) -> str:
    """Suggest visible names similar to the ones without a match."""
    only = scope.visible_agents
    tests: list[Test] = []
    known: Entities = {}
    if only is None:
        known = collect_entities(scope.inventory, ChainIndex.wrap_chains(scope.chains))
    else:
        tests = [lambda chain: is_chain_visible(chain, only)]
    among = InvestigationFilter(
        EventFilter(), split_filter_by_words(scope.chains, tests, ())
    )
    named = (
        (f, query.get_field_value(f))
        for f in FIELDS_OF_NAMES
        if query.get_field_value(f)
    )
    return suggest_similar_names(
        store, known, among, [query.get_field_value("resource"), *query.words], named
    )


def find_logged_values(
    store: EvidenceStore, scope: SearchScope, field: str, word: str, limit: int = MOST
) -> list[str]:
    """Find values of a column of visible events that contain a word, most frequent first.

    Args:
        field: `action`, `resource`, `source` or `run`.
    """
    only = scope.visible_agents
    tests = [] if only is None else [lambda chain: is_chain_visible(chain, only)]
    wanted = InvestigationFilter(
        EventFilter(), split_filter_by_words(scope.chains, tests, ())
    )
    return suggest_column_values(store, field, word, wanted, limit)


def _split_last_word(text: str) -> tuple[str, str]:
    """Split off the last term of a query; an open quote continues it."""
    quoted, start = False, 0
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter.isspace() and not quoted:
            start = at + 1
    return text[:start], text[start:]


def _complete_field_name(head: str, token: str) -> Iterator[QueryCompletion]:
    """Propose field names that begin with the typed text."""
    for field in FIELDS:
        if field.startswith(token.lower()):
            yield QueryCompletion(f"{head}{field}:", _FIELD_HELP[field])


def _complete_field_value(
    store: EvidenceStore, scope: SearchScope, field: str, word: str
) -> Iterable[str]:
    """Propose values of a field that match the typed text."""
    folded = word.lower()
    if field in CHOICES:
        finer = [f"{hop}=missing" for hop in HOPS] if field == "status" else []
        choices = (*CHOICES[field], *finer)
        return [each for each in choices if each.startswith(folded)]
    if field in ("since", "until"):
        return [each for each in _SPANS if each.startswith(folded)]
    if field in _IN_EVENTS:
        return find_logged_values(store, scope, field, word)
    counts = Counter(
        value
        for chain in _iter_all_chains(scope.chains)
        if is_chain_visible(chain, scope.visible_agents)
        for value in set(_list_field_values(chain, field))
        if value
    )
    held = [value for value in counts if folded in value.lower()]
    return sorted(held, key=lambda value: (-counts[value], value))


def _iter_all_chains(chains: Iterable[ChainTimeline]) -> Iterator[LineageChain]:
    """Yield every lineage chain of all credentials over time."""
    for each in chains:
        yield from each.chains


def _list_field_values(chain: LineageChain, field: str) -> tuple[str, ...]:
    """List a chain's values of a field such as `agent` or `credential`."""
    match field:
        case "person":
            return (chain.person.value,)
        case "agent":
            return chain.agent_path
        case "tool":
            return (chain.tool.value,)
        case "identity":
            return chain.identity_path
        case _:
            return (*chain.credential_path, chain.key.credential)

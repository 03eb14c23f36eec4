"""Completion of a lineage query while it is typed: fields and existing values."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from answerable.lineage.chain_index import Chains
from answerable.lineage.search_query import CHOICES, FIELDS, HOPS, Query, spelled
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.lineage import Chain
from answerable.services.lineage.name_resolution import FIELDS as FIELDS_OF_NAMES
from answerable.services.lineage.resource_filter import Entities, entities_of, offers
from answerable.services.lineage.row_search import Scene, Test, may_tell, ways
from answerable.store.chain_queries import Filter
from answerable.store.investigation_queries import Wanted, values_like
from answerable.store.store import Store

MOST = 20
_LONGEST = 200
_IN_EVENTS = ("action", "resource", "source", "run")
_SPANS = ("1h", "1d", "7d", "30d", "90d")
_ASKS = {
    "person": "who answers for it",
    "agent": "the agent, or one that it ran inside",
    "tool": "the tool it called",
    "identity": "who acted, or what was done to it",
    "credential": "what proved who acted",
    "action": "what was done",
    "resource": "what it was done to",
    "source": "the log that says so",
    "outcome": "how it ended",
    "run": "one run of an agent",
    "status": "how a hop is known",
    "since": "from then",
    "until": "until then",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """One completion of a query.

    Attributes:
        says: Explanation of the completion.
    """

    text: str
    says: str


def completed(store: Store, scene: Scene, text: str) -> list[Proposal]:
    """Complete the last word of a query; at most twenty proposals."""
    head, token = _last(text)
    if len(token) > _LONGEST:
        return []
    field, colon, word = token.partition(":")
    field = field.lower()
    if not colon or field not in FIELDS:
        return list(_fields(head, token))
    values = list(_values(store, scene, field, word.strip('"')))
    return [
        Proposal(
            f"{head}{field}:{spelled(value.removeprefix(f'{field}:'))}", _ASKS[field]
        )
        for value in values[:MOST]
    ]


def alike(store: Store, scene: Scene, query: Query) -> str:
    """Suggest visible names that are spelled like the ones without a match."""
    only = scene.only
    tests: list[Test] = []
    known: Entities = {}
    if only is None:
        known = entities_of(scene.inventory, Chains.of(scene.chains))
    else:
        tests = [lambda chain: may_tell(chain, only)]
    among = Wanted(Filter(), ways(scene.chains, tests, ()))
    named = ((f, query.get(f)) for f in FIELDS_OF_NAMES if query.get(f))
    return offers(store, known, among, [query.get("resource"), *query.words], named)


def _last(text: str) -> tuple[str, str]:
    """Split off the last word; an open quote continues it."""
    quoted, start = False, 0
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter.isspace() and not quoted:
            start = at + 1
    return text[:start], text[start:]


def _fields(head: str, token: str) -> Iterator[Proposal]:
    for field in FIELDS:
        if field.startswith(token.lower()):
            yield Proposal(f"{head}{field}:", _ASKS[field])


def _values(store: Store, scene: Scene, field: str, word: str) -> Iterable[str]:
    folded = word.lower()
    if field in CHOICES:
        finer = [f"{hop}=missing" for hop in HOPS] if field == "status" else []
        choices = (*CHOICES[field], *finer)
        return [each for each in choices if each.startswith(folded)]
    if field in ("since", "until"):
        return [each for each in _SPANS if each.startswith(folded)]
    if field in _IN_EVENTS:
        only = scene.only
        tests = [] if only is None else [lambda chain: may_tell(chain, only)]
        wanted = Wanted(Filter(), ways(scene.chains, tests, ()))
        return values_like(store, field, word, wanted, MOST)
    counts = Counter(
        value
        for chain in _chains(scene.chains)
        if may_tell(chain, scene.only)
        for value in set(_of(chain, field))
        if value
    )
    held = [value for value in counts if folded in value.lower()]
    return sorted(held, key=lambda value: (-counts[value], value))


def _chains(chains: Iterable[JointChains]) -> Iterator[Chain]:
    for each in chains:
        yield from each.chains


def _of(chain: Chain, field: str) -> tuple[str, ...]:
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

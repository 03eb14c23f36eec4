"""Index the chains of all events by agent, tool, identity, credential and person."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.lineage.substring_index import SubstringIndex
from answerable.model.lineage import LineageChain

_MAX_PASSES = 2


class ChainIndex(tuple[ChainTimeline, ...]):
    """All stitched chains, with cached lookups."""

    _passes = 0

    @classmethod
    def wrap_chains(cls, chains: Iterable[ChainTimeline]) -> "ChainIndex":
        """Index chains for lookup by key and name; keep an index as it is."""
        return chains if isinstance(chains, cls) else cls(chains)

    def build_lookups_used_by_previous(self, previous: "ChainIndex") -> None:
        """Build in advance the lookup tables that the previous index needed."""
        for name in list(vars(previous)):
            getattr(self, name)

    @cached_property
    def chains_by_key(self) -> Mapping[SourcedChainKey, tuple[LineageChain, ...]]:
        """Return the chains of each chain key."""
        return {each.chain_key: each.chains for each in self}

    @cached_property
    def agents(self) -> "ShortNameIndex":
        """Return the agents on any chain."""
        return ShortNameIndex(
            agent for e in self for c in e.chains for agent in c.agent_path
        )

    @cached_property
    def identities(self) -> "ShortNameIndex":
        """Return the identities on any chain."""
        return ShortNameIndex(
            name for e in self for c in e.chains for name in c.identity_path
        )

    @cached_property
    def credentials(self) -> "ShortNameIndex":
        """Return the credentials on any chain."""
        return ShortNameIndex(
            key for e in self for c in e.chains for key in c.credential_path
        )

    @cached_property
    def tools(self) -> "ShortNameIndex":
        """Return the tools of all chains."""
        return ShortNameIndex(
            c.tool.value for e in self for c in e.chains if c.tool.value
        )

    @cached_property
    def chains_by_id(self) -> Mapping[str, tuple[ChainTimeline, ...]]:
        """Return the chains by agent, tool, identity or credential id."""
        found: dict[str, dict[SourcedChainKey, ChainTimeline]] = defaultdict(dict)
        for each in self:
            for chain in each.chains:
                for key in _list_entity_ids_of_chain(chain):
                    found[key][each.chain_key] = each
        return {key: tuple(joints.values()) for key, joints in found.items()}

    def find_chains_by_ids(
        self, ids: Collection[str]
    ) -> Mapping[str, Sequence[ChainTimeline]]:
        """Return the chains of each of some ids, in one pass for the first questions.

        A process that asks more builds the lookup table of all ids.
        """
        if "chains_by_id" in vars(self) or self._passes >= _MAX_PASSES:
            return {key: self.chains_by_id.get(key, ()) for key in ids}
        self._passes += 1
        found: dict[str, dict[SourcedChainKey, ChainTimeline]] = {}
        wanted = frozenset(ids)
        for each in self:
            for chain in each.chains:
                for key in wanted.intersection(_list_entity_ids_of_chain(chain)):
                    found.setdefault(key, {})[each.chain_key] = each
        return {key: tuple(found.get(key, {}).values()) for key in wanted}

    def find_chains_with_any_word(
        self, words: Iterable[str]
    ) -> tuple[ChainTimeline, ...]:
        """Return the chains that may contain one of some words."""
        texts, places = self._chains_by_searchable_text
        found: set[int] = set()
        for word in words:
            for number in texts.find_texts_with_substring(word):
                found.update(places[number])
        return tuple(self[place] for place in sorted(found))

    @cached_property
    def _chains_by_searchable_text(
        self,
    ) -> tuple[SubstringIndex, Sequence[Sequence[int]]]:
        """Return each distinct text, and the chains that contain it."""
        found: dict[str, dict[int, None]] = defaultdict(dict)
        for place, each in enumerate(self):
            for chain in each.chains:
                for text in list_searchable_texts(chain):
                    found[text][place] = None
        return SubstringIndex(found), [tuple(places) for places in found.values()]

    @cached_property
    def persons(self) -> frozenset[str]:
        """Return the persons of all chains."""
        values = (c.person.value for e in self for c in e.chains)
        return frozenset(value for value in values if value)

    @cached_property
    def sources(self) -> frozenset[str]:
        """Return the log sources of all chains."""
        return frozenset(each.chain_key.source for each in self)


def find_chain_valid_at(chains: Sequence[LineageChain], at: int) -> LineageChain:
    """Return the chain that is valid at a time, UTC nanoseconds."""
    starts = [chain.valid_from for chain in chains]
    return chains[max(0, bisect_right(starts, at) - 1)]


def list_searchable_texts(chain: LineageChain) -> Iterator[str]:
    """List the texts of a chain that a word search looks at."""
    yield chain.person.value
    yield from chain.agent_path
    yield chain.tool.value
    yield chain.identity.value
    yield from chain.identity_path
    yield from chain.credential_path
    yield chain.key.credential


def _list_entity_ids_of_chain(chain: LineageChain) -> Iterator[str]:
    """Yield the ids of a chain: agents, tool, identities and credentials."""
    yield from chain.agent_path
    yield chain.tool.value
    yield from chain.identity_path
    yield from chain.credential_path
    yield chain.key.credential


class ShortNameIndex:
    """Ids with their short names."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)

    @cached_property
    def ids_by_short_name(self) -> Mapping[str, frozenset[str]]:
        """Return the full ids by short name."""
        found: dict[str, set[str]] = defaultdict(set)
        for each in self.ids:
            for spelling in list_short_names(each):
                found[spelling].add(each)
        return {spelling: frozenset(ids) for spelling, ids in found.items()}


def list_short_names(key: str) -> tuple[str, ...]:
    """List short names of an id: after the colon, the kind and the path."""
    tail = key.rpartition(":")[2]
    return (tail, tail.partition("/")[2], tail.rpartition("/")[2])

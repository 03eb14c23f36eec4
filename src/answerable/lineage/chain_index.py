"""Index over the stitched chains of all events; lookups are cached."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from answerable.lineage.stitch_inputs import Joint, JointChains
from answerable.lineage.text_index import Texts
from answerable.model.lineage import Chain


class Chains(tuple[JointChains, ...]):
    """All stitched chains, with cached lookups."""

    @classmethod
    def of(cls, chains: Iterable[JointChains]) -> "Chains":
        """Wrap chains in an index; an index is returned as it is."""
        return chains if isinstance(chains, cls) else cls(chains)

    def follow(self, before: "Chains") -> None:
        """Build the lookups that the previous index had built."""
        for name in list(vars(before)):
            getattr(self, name)

    @cached_property
    def by_joint(self) -> Mapping[Joint, tuple[Chain, ...]]:
        """Chains of each joint."""
        return {each.joint: each.chains for each in self}

    @cached_property
    def agents(self) -> "Names":
        """Agents on any agent path."""
        return Names(agent for e in self for c in e.chains for agent in c.agent_path)

    @cached_property
    def identities(self) -> "Names":
        """Identities on any identity path."""
        return Names(name for e in self for c in e.chains for name in c.identity_path)

    @cached_property
    def credentials(self) -> "Names":
        """Credentials on any credential path."""
        return Names(key for e in self for c in e.chains for key in c.credential_path)

    @cached_property
    def tools(self) -> "Names":
        """Tools of all chains."""
        return Names(c.tool.value for e in self for c in e.chains if c.tool.value)

    @cached_property
    def standing_in(self) -> Mapping[str, tuple[JointChains, ...]]:
        """Chains by the ids they hold: agent, tool, identity or credential."""
        found: dict[str, dict[Joint, JointChains]] = defaultdict(dict)
        for each in self:
            for chain in each.chains:
                for key in _ids(chain):
                    found[key][each.joint] = each
        return {key: tuple(joints.values()) for key, joints in found.items()}

    def speaking(self, words: Iterable[str]) -> tuple[JointChains, ...]:
        """Return a small superset of the chains that hold one of some words."""
        texts, places = self._words
        found: set[int] = set()
        for word in words:
            for number in texts.holding(word):
                found.update(places[number])
        return tuple(self[place] for place in sorted(found))

    @cached_property
    def _words(self) -> tuple[Texts, Sequence[Sequence[int]]]:
        """Each distinct text of the chains, and the chains that hold it."""
        found: dict[str, dict[int, None]] = defaultdict(dict)
        for place, each in enumerate(self):
            for chain in each.chains:
                for text in texts_of(chain):
                    found[text][place] = None
        return Texts(found), [tuple(places) for places in found.values()]

    @cached_property
    def persons(self) -> frozenset[str]:
        """Persons of all chains."""
        values = (c.person.value for e in self for c in e.chains)
        return frozenset(value for value in values if value)

    @cached_property
    def sources(self) -> frozenset[str]:
        """Logs of all chains."""
        return frozenset(each.joint.source for each in self)


def texts_of(chain: Chain) -> Iterator[str]:
    """List the texts of a chain that a word search looks at."""
    yield chain.person.value
    yield from chain.agent_path
    yield chain.tool.value
    yield chain.identity.value
    yield from chain.identity_path
    yield from chain.credential_path
    yield chain.key.credential


def _ids(chain: Chain) -> Iterator[str]:
    yield from chain.agent_path
    yield chain.tool.value
    yield from chain.identity_path
    yield from chain.credential_path
    yield chain.key.credential


class Names:
    """Ids with their short names."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)

    @cached_property
    def by_spelling(self) -> Mapping[str, frozenset[str]]:
        """Ids by short name."""
        found: dict[str, set[str]] = defaultdict(set)
        for each in self.ids:
            for spelling in spellings(each):
                found[spelling].add(each)
        return {spelling: frozenset(ids) for spelling, ids in found.items()}


def spellings(key: str) -> tuple[str, ...]:
    """List short names of an id: after the colon, the kind and the path."""
    tail = key.rpartition(":")[2]
    return (tail, tail.partition("/")[2], tail.rpartition("/")[2])

"""Chains behind events, with what is looked up in them again and again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from answerable.flows.texts import Texts
from answerable.lineage.joints import Joint, JointChains
from answerable.model.lineage import Chain


class Chains(tuple[JointChains, ...]):
    """All chains, as they were stitched. What is found in them is kept."""

    @classmethod
    def of(cls, chains: Iterable[JointChains]) -> "Chains":
        """Give chains with what is looked up in them; the same ones where they have it."""
        return chains if isinstance(chains, cls) else cls(chains)

    def follow(self, before: "Chains") -> None:
        """Find now what was looked up in the chains before these."""
        for name in list(vars(before)):
            getattr(self, name)

    @cached_property
    def by_joint(self) -> Mapping[Joint, tuple[Chain, ...]]:
        """The chains of each joint."""
        return {each.joint: each.chains for each in self}

    @cached_property
    def agents(self) -> "Names":
        """Every agent on a path."""
        return Names(agent for e in self for c in e.chains for agent in c.agent_path)

    @cached_property
    def identities(self) -> "Names":
        """Every identity on a path."""
        return Names(name for e in self for c in e.chains for name in c.identity_path)

    @cached_property
    def credentials(self) -> "Names":
        """Every credential on a path."""
        return Names(key for e in self for c in e.chains for key in c.credential_path)

    @cached_property
    def tools(self) -> "Names":
        """Every tool."""
        return Names(c.tool.value for e in self for c in e.chains if c.tool.value)

    @cached_property
    def standing_in(self) -> Mapping[str, tuple[JointChains, ...]]:
        """Those of which a chain holds an id: of agent, tool, identity or credential."""
        found: dict[str, dict[Joint, JointChains]] = defaultdict(dict)
        for each in self:
            for chain in each.chains:
                for key in _ids(chain):
                    found[key][each.joint] = each
        return {key: tuple(joints.values()) for key, joints in found.items()}

    def speaking(self, words: Iterable[str]) -> tuple[JointChains, ...]:
        """Give those of which a chain may hold one of some words, and few others."""
        texts, places = self._words
        found: set[int] = set()
        for word in words:
            for number in texts.holding(word):
                found.update(places[number])
        return tuple(self[place] for place in sorted(found))

    @cached_property
    def _words(self) -> tuple[Texts, Sequence[Sequence[int]]]:
        """Every text of every chain once, and which chains it stands in."""
        found: dict[str, dict[int, None]] = defaultdict(dict)
        for place, each in enumerate(self):
            for chain in each.chains:
                for text in texts_of(chain):
                    found[text][place] = None
        return Texts(found), [tuple(places) for places in found.values()]

    @cached_property
    def persons(self) -> frozenset[str]:
        """Every person."""
        values = (c.person.value for e in self for c in e.chains)
        return frozenset(value for value in values if value)

    @cached_property
    def sources(self) -> frozenset[str]:
        """Every log."""
        return frozenset(each.joint.source for each in self)


def texts_of(chain: Chain) -> Iterator[str]:
    """Give what of a chain a word may stand in."""
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
    """Ids, and what each is called for short.

    Attributes:
        ids: The ids.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)

    @cached_property
    def by_spelling(self) -> Mapping[str, frozenset[str]]:
        """The ids that are called so for short."""
        found: dict[str, set[str]] = defaultdict(set)
        for each in self.ids:
            for spelling in spellings(each):
                found[spelling].add(each)
        return {spelling: frozenset(ids) for spelling, ids in found.items()}


def spellings(key: str) -> tuple[str, ...]:
    """Short names of an id: after the colon, after the kind, and after the path."""
    tail = key.rpartition(":")[2]
    return (tail, tail.partition("/")[2], tail.rpartition("/")[2])

"""Exposure of every identity: administrator, public, externally assumable.

Computed from the closure over all actors; paths are searched only for the identities
that are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.evaluation.trust import Entry
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Hop, Towards, towards
from answerable.reach.formula import FALSE, TRUE, Verdict
from answerable.reach.queries import entry_hop

_ANYONE = "*"


class Gravity(StrEnum):
    """Grade of exposure, the gravest first."""

    PUBLIC_ADMIN = "public administrators"
    EXTERNAL_ADMIN = "externally assumable administrators"
    PUBLIC = "public"
    ADMIN = "administrators"
    EXTERNAL = "externally assumable"
    BECOMES = "becomes others"
    NOTHING = "no more than its own permissions"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Exposure of one identity.

    Attributes:
        identity: Id of the identity.
        admin: Verdict on being or becoming an administrator.
        public: Verdict on its trust policy admitting anyone.
        external: Verdict on its trust policy admitting a named outside principal.
        becomes: Other identities it can become, as a bitset of the closure.
        entered_by: Outside principals that its trust policy admits.
    """

    identity: IdentityId
    admin: Verdict
    public: Verdict
    external: Verdict
    becomes: int
    entered_by: tuple[str, ...]

    @property
    def gravity(self) -> Gravity:
        """Grade of the exposure."""
        admin = self.admin is not Verdict.NEVER
        if self.public is not Verdict.NEVER:
            return Gravity.PUBLIC_ADMIN if admin else Gravity.PUBLIC
        if self.external is not Verdict.NEVER:
            return Gravity.EXTERNAL_ADMIN if admin else Gravity.EXTERNAL
        if admin:
            return Gravity.ADMIN
        return Gravity.BECOMES if self.becomes else Gravity.NOTHING

    @property
    def is_certain(self) -> bool:
        """Tell whether the exposure is unconditional."""
        return Verdict.ALWAYS in (self.admin, self.public, self.external)


@dataclass(eq=False, slots=True)
class EstateExposure:
    """Exposure of all identities of a graph, from its closure.

    Attributes:
        admins: Actors that are or reach an administrator.
    """

    graph: Graph
    whole: Whole = field(init=False)
    admins: Verdicts = field(init=False)
    _are_admins: Verdicts = field(init=False)
    _entries: dict[IdentityId, tuple[Entry, ...]] = field(default_factory=dict)
    _towards: Towards | None = None

    def __post_init__(self) -> None:
        """Find administrators, and the roles that outside principals may enter."""
        graph = self.graph
        self.whole = whole = whole_of(graph)
        numbers = range(whole.size)
        own = gathered((n for n in numbers if graph.admin(whole.node(n))), whole.size)
        self._are_admins = Verdicts(own, own)
        self.admins = Verdicts(whole.sure.towards(own), whole.some.towards(own))
        for role in graph.estate.open_roles:
            found = tuple(
                each for each in graph.outsiders(role) if each.answer.formula != FALSE
            )
            if found:
                self._entries[role] = found

    def identities(self) -> Iterator[Exposure]:
        """List the exposure of every identity."""
        whole = self.whole
        for name in self.graph.estate.principals:
            number = whole.number(self.graph.start(name))
            own = self._nodes_of(number)
            entries = self._entries.get(name, ())
            yield Exposure(
                identity=name,
                admin=_verdict(self.admins, 1 << number),
                public=_entered(e for e in entries if e.principal == _ANYONE),
                external=_entered(e for e in entries if e.principal != _ANYONE),
                becomes=whole.some.beyond[number] & ~own,
                entered_by=tuple(dict.fromkeys(each.principal for each in entries)),
            )

    def _nodes_of(self, number: int) -> int:
        """Return the actors of one identity, with and without gained permissions."""
        return self.whole.actors.index.with_gains(1 << number)

    def becomes(self, found: Exposure) -> list[IdentityId]:
        """List the identities that one can become, administrators first."""
        numbers = positions(found.becomes)
        numbers.sort(key=lambda n: not self._are_admins.some >> n & 1)
        names = (self.whole.node(number).identity for number in numbers)
        return [each for each in dict.fromkeys(names) if each != found.identity]

    def path(self, found: Exposure) -> tuple[Hop, ...]:
        """Return the path of an exposure: to an administrator, else from outside."""
        if found.admin is not Verdict.NEVER:
            if self._towards is None:
                self._towards = towards(self.graph, (), self._are_admins)
            way = self._towards.way(self.graph.start(found.identity))
            return way.hops if way is not None else ()
        for each in self._entries.get(found.identity, ()):
            hop = entry_hop(each, found.identity)
            return (replace(hop, origin=each.principal),)
        return ()


def _entered(entries: Iterable[Entry]) -> Verdict:
    formulas = [each.answer.formula for each in entries]
    if TRUE in formulas:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if formulas else Verdict.NEVER


def _verdict(held: Verdicts, actors: int) -> Verdict:
    if held.sure & actors:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if held.some & actors else Verdict.NEVER

"""One service's actions on its resources, for every actor: cells of a table.

An actor's actions fall into cells that the same statements speak of; each cell has one
answer per resource. Actors that the same statements speak of share their cells.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from answerable.model.policy import Effect, Layer
from answerable.reach.bits.cells import atoms_of
from answerable.reach.bits.ground import Ground
from answerable.reach.bits.holders import Index, Part
from answerable.reach.bits.meaning import applying
from answerable.reach.bits.planes import NONE, Actions, Plane, gathered, positions, span
from answerable.reach.bits.rights import Verdicts
from answerable.reach.bits.sums import (
    ALLOW,
    ALLOWING,
    BOUNDARY,
    DENY,
    DENYING,
    UNREAD,
    VOICED,
    Kind,
    Sum,
    Sums,
)
from answerable.reach.bits.voices import DENIED, DIRECT, Naming
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.control import is_everything
from answerable.reach.estate.principals import Principal
from answerable.reach.estate.services import RCP_SERVICES, binds_rcps
from answerable.reach.verdict.context import NOTHING

_MANY = 16
_READ = False, False, False


class Said(NamedTuple):
    """What statements of one kind say for some actors.

    Attributes:
        kind: Where they stand; limits have numbers from 0.
        actions: Of which actions of the service.
        part: To which resources, for whom.
        atoms: What may stay open.
        spares: The place of what is said to everyone and not to these actors, if any.
    """

    kind: int
    actions: int
    part: Part
    atoms: frozenset[object]
    spares: int = -1


class Cell(NamedTuple):
    """Actions of a service that have the same answers.

    Attributes:
        actions: Which, as bits within the service.
        verdicts: On which of its resources.
    """

    actions: int
    verdicts: Verdicts


Numbers = tuple[int, ...]


@dataclass(eq=False, slots=True)
class Table:
    """The cells of one service.

    Attributes:
        service: Its prefix, or `*` for the calls of all services that name no resource.
        actions: All actions, numbered.
        index: The actors; those in its scope count.
        naming: Who is named how.
        ground: The service's resources.
        able: The actions, as bits within the service, that can act on any of them.
        fences: Denies of resource control policies, by account.
        unfenced: Resources over which some of these were not read.
        start: The number of its first action.
        by_actor: The cells of each actor that may do anything at all.
    """

    service: str
    actions: Actions
    index: Index
    naming: Naming
    ground: Ground
    able: int
    fences: dict[str, tuple[Clause, ...]]
    unfenced: int
    by_actor: dict[int, tuple[Cell, ...]] = field(default_factory=dict)
    start: int = 0
    _all: int = 0
    _sums: Sums = field(init=False)
    _spoken: dict[tuple[str, ...], int] = field(default_factory=dict)
    _said: list[Said] = field(default_factory=list)
    _kinds: dict[str, Kind] = field(default_factory=dict)
    _sparing: set[int] = field(default_factory=set)
    _at: dict[tuple[object, ...], int] = field(default_factory=dict)
    _partitions: dict[tuple[Numbers, bool], list[tuple[int, Numbers]]] = field(
        default_factory=dict
    )
    _verdicts: dict[tuple[Numbers, Kind], Verdicts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Collect what is said, and sum it up for each actor."""
        everything = 0, len(self.actions.names)
        self.start, stop = self.actions.blocks.get(self.service, everything)
        self._all = span(0, stop - self.start)
        self._sums = Sums(self.service, self.ground)
        self._own()
        self._limits()
        self._voices()
        self._unheard()
        self._turn_round()
        allowed = self.index.unread[Layer.IDENTITY] & self.index.scope
        for said in self._said:
            if said.kind in ALLOWING:
                allowed |= said.part.actors
        of: dict[int, list[int]] = {actor: [] for actor in positions(allowed)}
        for number, said in enumerate(self._said):
            for actor in positions(said.part.actors & allowed):
                of[actor].append(number)
        shared: dict[tuple[Numbers, Kind], tuple[Cell, ...]] = {}
        for actor, numbers in of.items():
            principal = self.index.actors[actor]
            key = tuple(numbers), self._kind_of(actor, principal)
            cells = shared.get(key)
            if cells is None:
                cells = shared[key] = tuple(self._cells(*key))
            if cells:
                self.by_actor[actor] = cells
        for scratch in (
            self._spoken,
            self._at,
            self._partitions,
            self._verdicts,
            self._said,
        ):
            scratch.clear()

    def _kind_of(self, actor: int, principal: Principal) -> Kind:
        account = principal.identity.account
        if not principal.gaps:  # most were read whole
            kind = self._kinds.get(account)
            if kind is None:
                kind = self._kinds[account] = self._kind(account, *_READ)
            return kind
        layers = Layer.IDENTITY, Layer.BOUNDARY, None
        unread = (bool(self.index.unread[at] >> actor & 1) for at in layers)
        return self._kind(account, *unread)

    def _kind(self, account: str, *unread: bool) -> Kind:
        return Kind(account if account in self.ground.owners else "", *unread)

    def _bits(self, clause: Clause) -> int:
        """Return the actions that a statement speaks of, of those that count."""
        patterns = clause.not_actions or clause.actions
        found = self._spoken.get(patterns)
        if found is None:
            found = 0
            for pattern in patterns:
                found |= self.actions.bits(pattern) >> self.start
            self._spoken[patterns] = found
        return self.able & (~found if clause.not_actions else found)

    def _note(
        self, kind: int, clause: Clause, actors: int, within: int, but: int = 0
    ) -> None:
        actors &= self.index.scope
        actions = self._bits(clause) & ~but if actors else 0
        if not actions:
            return
        for part in applying(clause, self.ground.space, NOTHING, self.index, actors):
            plane = part.plane.within(within)
            if plane.maybe:
                here = Part(part.actors, plane, part.odd & within)
                is_open = plane.maybe != plane.sure
                atoms = frozenset(atoms_of(clause)) if is_open else frozenset()
                self._add(Said(kind, actions, here, atoms))

    def _add(self, said: Said) -> None:
        """Note what is said together with the like."""
        key = said.kind, said.actions, said.part.actors
        at = self._at.get(key)
        if at is None:
            self._at[key] = len(self._said)
            self._said.append(said)
            return
        held = self._said[at]
        part = Part(
            said.part.actors,
            held.part.plane | said.part.plane,
            held.part.odd | said.part.odd,
        )
        self._said[at] = held._replace(part=part, atoms=held.atoms | said.atoms)

    def _own(self) -> None:
        everything = self.ground.texts.all
        index = self.index
        for kind, held in ((ALLOW, index.identity), (BOUNDARY, index.boundary)):
            for clause in held.of(self.service):
                deny = clause.effect is Effect.DENY
                self._note(
                    DENY if deny else kind, clause, held.actors[clause], everything
                )
        self._must(BOUNDARY, index.bounded)

    def _must(self, kind: int, actors: int, plane: Plane = NONE) -> None:
        """Note what holds for all actions of some actors, if only that it must."""
        actors &= self.index.scope
        if actors:
            self._add(Said(kind, self.able, Part(actors, plane), frozenset()))

    def _limits(self) -> None:
        everything = self.ground.texts.all
        for number, (limit, actors) in enumerate(self.index.limits.items()):
            binds = not any(map(is_everything, limit.grants))
            if binds:
                self._must(number, actors, Plane(0, everything if limit.gaps else 0))
            for grant in limit.grants:
                deny = grant.clause.effect is Effect.DENY
                if deny or binds:
                    kind = DENY if deny else number
                    self._note(kind, grant.clause, actors, everything)

    def _voices(self) -> None:
        for clause, resources in self.ground.spoken:
            deny = clause.effect is Effect.DENY
            for name in self.naming.of(clause):
                kind = VOICED - (DENIED if deny else name.how)
                if name.is_open:
                    self._say_open(kind, clause, name.actors, resources, odd=name.odd)
                else:
                    self._note(kind, clause, name.actors, resources)
        bound = self.service in RCP_SERVICES
        names = self.actions.names[self.start :][: self._all.bit_length()]
        free = gathered(
            (n for n, name in enumerate(names) if not binds_rcps(name)), len(names)
        )
        anyone = self.index.all & ~self.index.linked
        for account, clauses in self.fences.items() if bound else ():
            within = self.ground.owners.get(account, 0)
            for clause in clauses if within else ():
                self._note(DENY, clause, anyone, within, free)
        anyone &= self.index.scope
        if bound and self.unfenced and anyone:
            part = Part(anyone, Plane(0, self.unfenced))
            self._add(Said(UNREAD, self.able & ~free, part, frozenset()))

    def _unheard(self) -> None:
        """Note that a policy that was not read, or not collected, may let anyone in."""
        keys = self.ground.keys if self.service == "kms" else 0
        lost = self.ground.unread | (self.ground.missing & keys)
        if lost:
            self._must(VOICED - DIRECT, self.index.all, Plane(0, lost))

    def _turn_round(self) -> None:
        """Say to everyone what is said to all but a few, and note whom it spares.

        Many resources that each deny all but their own readers would otherwise be noted
        one by one for everybody.
        """
        scope = self.index.scope
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, said in enumerate(self._said):
            if 2 * said.part.actors.bit_count() > scope.bit_count():
                alike[said.kind, said.actions].append(place)
        for places in alike.values():
            self._spare(scope, self._apart(places))

    def _apart(self, places: list[int]) -> list[int]:
        """Pick what speaks of resources that nothing else picked speaks of."""
        picked, met = [], 0
        for place in places:
            part = self._said[place].part
            if not met & part.plane.maybe and not part.odd:
                met |= part.plane.maybe
                picked.append(place)
        return picked

    def _spare(self, scope: int, places: list[int]) -> None:
        """Say once, to everyone, what stands at some places."""
        if len(places) < _MANY:
            return
        many = [self._said[place] for place in places]
        base = NONE
        for said in many:
            base |= said.part.plane
        atoms = frozenset[object]().union(*(said.atoms for said in many))
        whole = len(self._said)
        self._said.append(many[0]._replace(part=Part(scope, base), atoms=atoms))
        for place, said in zip(places, many, strict=True):
            few = Part(scope & ~said.part.actors, said.part.plane)
            self._said[place] = said._replace(part=few, atoms=frozenset(), spares=whole)
            self._sparing.add(place)

    def _say_open(
        self, kind: int, clause: Clause, actors: int, resources: int, *, odd: bool
    ) -> None:
        """Note what is said to whoever may be meant; nobody knows for sure."""
        actors &= self.index.scope
        actions = self._bits(clause) if actors else 0
        if not actions:
            return
        atoms = frozenset([*atoms_of(clause), "named"])
        for part in applying(clause, self.ground.space, NOTHING, self.index, actors):
            may = part.plane.within(resources).maybe
            if may:
                strange = may if odd else part.odd & may
                here = Part(part.actors, Plane(0, may), strange)
                self._add(Said(kind, actions, here, atoms))

    def _cells(self, numbers: Numbers, kind: Kind) -> Iterator[Cell]:
        found: dict[Verdicts, int] = {}
        for actions, some in self._partition(numbers, unread=kind.may_allow):
            verdicts = self._verdicts.get((some, kind))
            if verdicts is None:
                verdicts = self._verdicts[some, kind] = self._sums.verdicts(
                    self._sum(some), kind
                )
            if verdicts.some | verdicts.doubt:
                found[verdicts] = found.get(verdicts, 0) | actions
        for verdicts, actions in found.items():
            yield Cell(actions, verdicts)

    def _partition(
        self, numbers: Numbers, *, unread: bool
    ) -> list[tuple[int, Numbers]]:
        """Part the actions that may be allowed by the statements that speak of them."""
        found = self._partitions.get((numbers, unread))
        if found is not None:
            return found
        said = self._said
        universe = self.able if unread else 0
        for number in numbers:
            if said[number].kind in ALLOWING:
                universe |= said[number].actions
        cells: dict[int, Numbers] = {universe: ()} if universe else {}
        always: list[int] = []
        for number in numbers:
            actions = said[number].actions & universe
            if actions == universe:
                always.append(number)
            elif actions:
                new: dict[int, Numbers] = {}
                for cell, spoken in cells.items():
                    inside, outside = cell & actions, cell & ~actions
                    if inside:
                        new[inside] = (*spoken, number)
                    if outside:
                        new[outside] = spoken
                cells = new
        found = [(cell, (*always, *spoken)) for cell, spoken in cells.items()]
        self._partitions[numbers, unread] = found
        return found

    def _sum(self, numbers: Numbers) -> Sum:
        """Unite what statements say, by their kind."""
        sure: dict[int, int] = {}
        maybe: dict[int, int] = {}
        odd = 0
        allow: set[object] = set()
        deny: set[object] = set()
        spared: dict[int, int] = {}
        for number in self._sparing.intersection(numbers):
            _, _, part, _, spares = self._said[number]
            spared[spares] = spared.get(spares, 0) | part.plane.maybe
        for number in numbers:
            kind, _, part, atoms, spares = self._said[number]
            if spares >= 0:
                continue
            _, (yes, may), strange = part
            if number in spared:
                kept = ~spared[number]
                yes, may = yes & kept, may & kept
            sure[kind] = sure.get(kind, 0) | yes
            maybe[kind] = maybe.get(kind, 0) | may
            odd |= strange
            if atoms:
                (deny if kind in DENYING else allow).update(atoms)
        return Sum(sure, maybe, odd, clash=not allow.isdisjoint(deny))

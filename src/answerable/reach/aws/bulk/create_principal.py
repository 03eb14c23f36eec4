"""Creation of unrestricted identities as escalation steps, for every actor."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Realm
from answerable.reach.aws.bulk.equivalence_classes import MET, NEVER_MET, OPEN, Kin, met
from answerable.reach.aws.escalation_rules.registry import (
    LAUNCHES,
    MAKES,
    Make,
    Need,
    On,
)
from answerable.reach.aws.paths.created_identities import (
    at_one_name,
    launched,
    leads_to,
)
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.formula import TRUE


@dataclass(eq=False, slots=True)
class Making:
    """Identities that an actor can create, and groups that it can join."""

    realm: Realm
    _by_name: dict[Make, Kin] = field(default_factory=dict)
    _by_launch: Kin = field(init=False)
    _able: int = 0
    _made: dict[tuple[int, int], Verdicts] = field(default_factory=dict)
    _met: dict[tuple[object, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build equivalence classes over all actions that creation rules need."""
        launching = [n for launch in LAUNCHES for n in (*launch.needs, *launch.also)]
        every = [need.action.lower() for need in launching] + [PASS_ROLE.lower()]
        for make in MAKES:
            create = make.create.action.lower()
            needs = [create, *(n.action.lower() for n in make.widen + make.enter)]
            self._by_name[make] = Kin(self.realm, needs, [create])
            self._able |= self._by_name[make].able
            if make.on is On.ROLE:
                self._by_launch = Kin(self.realm, [*needs, *every], [create])

    def row(self, actor: int, kin: int) -> Verdicts:
        """Compute the row of an actor, with `kin` as representative of its class."""
        if not self._able >> kin & 1:
            return NEVER
        # Kin make the same, but what is yet to be made does not make itself.
        base, plain = self.realm.index.base[actor], self.realm.plain
        key = kin, max(base, plain - 1)
        found = self._made.get(key)
        if found is None:
            others = [make for make in MAKES if make.on is not On.GROUP]
            found = self._made[key] = self._making(actor, kin, others)
        groups = [make for make in MAKES if make.on is On.GROUP]
        own = self._making(actor, kin, groups)
        return Verdicts(found.sure | own.sure, found.some | own.some)

    def _making(self, actor: int, kin: int, makes: Iterable[Make]) -> Verdicts:
        realm = self.realm
        node, principal = realm.nodes[actor], realm.index.actors[actor]
        sure = some = 0
        for make in makes:
            if not self._by_name[make].able >> kin & 1:
                continue
            to = leads_to(realm.graph, node, principal, make)
            how = self._how(kin, make, to) if to else NEVER_MET
            if to and how != NEVER_MET:
                bit = 1 << realm.numbers[Node(to.identity, to.extra)]
                some |= bit
                sure |= bit if how == MET else 0
        return Verdicts(sure, some)

    def _how(self, actor: int, make: Make, to: Node) -> int:
        kin = self._by_name[make].of(actor)
        how = self._met.get((make, kin))
        if how is None:
            calls = product([make.create], make.widen, make.enter)
            how = max(self._at_one_name(actor, make, needs) for needs in calls)
            self._met[make, kin] = how
        if make.on is not On.ROLE or how == MET:
            return how
        # Launching something under the new role helps where assuming it does not.
        ready = self._met.get((make, "ready", kin))
        if ready is None:
            pairs = product([make.create], make.widen)
            ready = max(self._at_one_name(actor, make, needs) for needs in pairs)
            self._met[make, "ready", kin] = ready
        return max(how, self._launched(actor, make, to)) if ready > how else how

    def _at_one_name(self, actor: int, make: Make, needs: tuple[Need, ...]) -> int:
        estate, principal = self.realm.graph.estate, self.realm.index.actors[actor]
        found = at_one_name(estate, principal, make, needs)
        return met(found.answers) if found else NEVER_MET

    def _launched(self, actor: int, make: Make, to: Node) -> int:
        key = make, "launched", self._by_launch.of(actor)
        found = self._met.get(key)
        if found is None:
            estate, principal = self.realm.graph.estate, self.realm.index.actors[actor]
            formulas = [
                edge.formula
                for launch in LAUNCHES
                if not launch.changes
                for edge in launched(estate, principal, make, launch, to)
            ]
            found = max((MET if f == TRUE else OPEN for f in formulas), default=0)
            self._met[key] = found
        return found

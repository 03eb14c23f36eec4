"""Everybody's effective permissions: every action on every resource of the snapshot.

One table a service, and one for the calls that name no resource. What a table leaves in
doubt is judged by the exact engine when asked about.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from answerable.model.catalogue import ResourceTypeEntry
from answerable.model.ids import IdentityId
from answerable.reach.bits.ground import Ground, fences_unread, make_ground
from answerable.reach.bits.holders import Index
from answerable.reach.bits.planes import Actions, Texts, gathered, positions
from answerable.reach.bits.table import Cell, Table
from answerable.reach.bits.voices import Naming
from answerable.reach.bits.ways import Realm
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.protected import OWNER_ONLY
from answerable.reach.estate.services import NO_PERMISSION
from answerable.reach.patterns.matrix import type_patterns
from answerable.reach.verdict.formula import Verdict, verdict
from answerable.reach.verdict.single import abroad, ask

_NAMELESS = "*"


@dataclass(eq=False, slots=True)
class Sweep:
    """The tables of a realm.

    Attributes:
        realm: The actors; its identities count.
        actions: All actions of the catalogue.
        tables: By service that has resources, and `*`.
    """

    realm: Realm
    actions: Actions = field(init=False)
    tables: dict[str, Table] = field(default_factory=dict)
    _naming: Naming = field(init=False)
    _masks: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill the tables."""
        realm, estate = self.realm, self.estate
        self.actions = Actions(estate.catalogue)
        # What identities gain on the way is no concern here: half the bits of a set.
        index = Index(realm.index.actors[: realm.plain])
        self._naming = Naming(index, estate.given)
        by_service: dict[str, list[str]] = defaultdict(list)
        for resource in sorted(estate.resources):
            by_service[resource.split(":", 3)[2]].append(resource)
        self._fill(_NAMELESS, make_ground(estate, [_NAMELESS]), index)
        for service in sorted(set(by_service) & set(self.actions.blocks)):
            self._fill(service, make_ground(estate, by_service[service]), index)

    @property
    def estate(self) -> Estate:
        """What is swept."""
        return self.realm.graph.estate

    def verdict(self, principal: IdentityId, action: str, resource: str) -> Verdict:
        """Say what the table says of one principal, action and resource."""
        folded = action.lower()
        service = folded.partition(":")[0]
        table = self.tables.get(_NAMELESS if resource == _NAMELESS else service)
        place = table.ground.texts.number.get(resource) if table else None
        number = self.actions.number.get(folded)
        if table is None or place is None or number is None:
            return self._exactly(principal, action, resource)
        if not self.estate.possible(action, resource):
            return Verdict.NEVER
        account = self.estate.principals[principal].identity.account
        if folded in OWNER_ONLY and abroad(self.estate, account, action, resource):
            return Verdict.NEVER
        if folded in NO_PERMISSION:
            free = self.estate.principals[principal].is_free(folded)
            return Verdict.ALWAYS if free else Verdict.NEVER
        actor = self.realm.identities.texts.number[principal]
        number -= table.start
        for cell in table.by_actor.get(actor, ()):
            if cell.actions >> number & 1:
                if cell.verdicts.doubt >> place & 1:
                    return self._exactly(principal, action, resource)
                if cell.verdicts.sure >> place & 1:
                    return Verdict.ALWAYS
                some = cell.verdicts.some >> place & 1
                return Verdict.ONLY_IF if some else Verdict.NEVER
        return Verdict.NEVER

    def granted(self) -> tuple[int, int]:
        """Count what is granted to anybody: triples that are sure, and all that may be.

        A triple is a principal, an action, and a resource that the action can take.
        """
        sure = some = 0
        for service, table in self.tables.items():
            counted: dict[int, tuple[int, int]] = {}
            masks = self._able(service, table.ground.texts)
            for cells in table.by_actor.values():
                found = counted.get(id(cells))
                if found is None:
                    found = counted[id(cells)] = count(cells, masks)
                sure, some = sure + found[0], some + found[1]
        return sure, some

    def _exactly(self, principal: IdentityId, action: str, resource: str) -> Verdict:
        who = self.estate.principals[principal]
        return verdict(ask(self.estate, who, action, resource).formula)

    def _fill(self, service: str, ground: Ground, index: Index) -> None:
        estate = self.estate
        fences: dict[str, tuple[Clause, ...]] = {
            account: tuple(grant.clause for grant in fence.denies)
            for account, fence in estate.fences.items()
        }
        able = 0
        for actions, _ in self._able(service, ground.texts):
            able |= actions
        self.tables[service] = Table(
            service,
            self.actions,
            index,
            self._naming,
            ground,
            able,
            fences,
            fences_unread(estate, ground),
        )
        index.forget()

    def _able(self, service: str, texts: Texts) -> list[tuple[int, int]]:
        """Pair actions with the resources that they can act on."""
        found = self._masks.get(service)
        if found is None:
            pairs = self._pairs(service, texts).items()
            found = self._masks[service] = [pair for pair in pairs if pair[1]]
        return found

    def _pairs(self, service: str, texts: Texts) -> dict[int, int]:
        catalogue = self.estate.catalogue
        if service == _NAMELESS:
            wild = (
                n
                for n, name in enumerate(self.actions.names)
                if (entry := catalogue.action(name)) and entry.wildcard_only
            )
            return {gathered(wild, len(self.actions.names)): 1}
        low, high = self.actions.blocks[service]
        by_types: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number in range(low, high):
            entry = catalogue.action(self.actions.names[number])
            if entry and not entry.wildcard_only:
                by_types[entry.resource_types].append(number - low)
        kinds = catalogue.services[service].resource_types
        of_type = {
            name: _of_type(texts, service, kinds.get(name))
            for name in {name for types in by_types for name in types}
        }
        pairs: dict[int, int] = {}
        for types, numbers in by_types.items():
            resources = 0
            for name in types:
                resources |= of_type[name]
            pairs[gathered(numbers, high - low)] = resources
        return pairs


def _of_type(texts: Texts, service: str, kind: ResourceTypeEntry | None) -> int:
    """Return the resources of a type, as `matrix` tells them."""
    if kind is None or not kind.arn:
        return texts.all
    found = 0
    for parts in type_patterns(kind.arn):
        found |= texts.bits(parts)
    if f"{service}:{kind.name}" == "s3:bucket":
        inside = (n for n in positions(found) if "/" in texts.texts[n].split(":", 5)[5])
        found &= ~gathered(inside, len(texts.texts))
    return found


def count(cells: tuple[Cell, ...], masks: list[tuple[int, int]]) -> tuple[int, int]:
    """Count pairs of an action and a resource it can take: sure ones, and all.

    Args:
        cells: The cells of one actor.
        masks: Pairs (actions, resources): which can act on which.
    """
    sure = some = 0
    for actions, verdicts in cells:
        for able, resources in masks:
            number = (actions & able).bit_count()
            if number:
                sure += number * (verdicts.sure & resources).bit_count()
                maybe = (verdicts.some | verdicts.doubt) & resources
                some += number * maybe.bit_count()
    return sure, some

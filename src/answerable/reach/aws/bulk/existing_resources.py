"""Permissions that escalation rules need on existing resources, for every actor."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from answerable.model.resource import Resource
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Realm, Using
from answerable.reach.aws.bulk.equivalence_classes import MET, NEVER_MET, Kin, met
from answerable.reach.aws.bulk.resource_space import Ground, make_ground
from answerable.reach.aws.compiled.saml_providers import arn_of
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.escalation_rules.registry import (
    LAUNCHES,
    RUNNING,
    Need,
    Running,
)
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.paths.witness_resources import together

_THERE = "{existing}"
Needs = tuple[Need, ...]


class Places(NamedTuple):
    """Resources on which all required permissions are allowed.

    Attributes:
        sure: Always allowed.
        some: Always or conditionally allowed.
    """

    sure: int
    some: int


class Takeable(NamedTuple):
    """Resources that a takeover rule applies to, and the permitted actors."""

    rule: Running
    there: int
    able: int


NOWHERE = Places(0, 0)


@dataclass(eq=False, slots=True)
class Existing:
    """Resources that escalation rules act on, and the permissions of actors there.

    Attributes:
        resources: Sorted by id.
        runs_as: By resource, the number of the identity its code runs as, or None.
    """

    realm: Realm
    resources: list[Resource] = field(init=False)
    runs_as: list[int | None] = field(init=False)
    _ground: Ground = field(init=False)
    _regions: dict[tuple[str, ...], int] = field(init=False)
    _takeable: dict[str, list[Takeable]] = field(default_factory=dict)
    _able: dict[Needs, int] = field(default_factory=dict)
    _speaking: dict[str, Ground] = field(default_factory=dict)
    _named: tuple[Clause, ...] = ()
    _kinds: dict[str, int] = field(default_factory=dict)
    _on: dict[Need, dict[int, Verdicts]] = field(default_factory=dict)
    _kin: dict[Needs, Kin] = field(default_factory=dict)
    _met: dict[tuple[object, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Collect the resources of the kinds that rules act on."""
        estate = self.realm.graph.estate
        kinds = {rule.kind for rule in RUNNING} | {rule.changes for rule in LAUNCHES}
        found = (one for one in estate.running() if one.kind in kinds)
        self.resources = sorted(found, key=lambda one: one.id)
        number = self.realm.identities.texts.number
        self.runs_as = [number.get(one.runs_as) for one in self.resources]
        self._ground = self._heard(
            make_ground(estate, [arn_of(one.id) for one in self.resources])
        )
        self._regions = defaultdict(int)
        by_kind: dict[str, list[int]] = defaultdict(list)
        for place, resource in enumerate(self.resources):
            self._regions[_home(resource.id)] |= 1 << place
            by_kind[resource.kind].append(place)
        size = len(self.resources)
        self._kinds = {kind: gathered(ns, size) for kind, ns in by_kind.items()}

        needs = [need for rule in RUNNING for need in rule.needs]
        needs += [need for launch in LAUNCHES for need in launch.needs]
        actions = {need.action.lower() for need in needs if _THERE in need.resource}
        self._named = tuple(
            clause
            for clause, _ in self._ground.spoken
            if any(map(clause.takes_action, actions))
        )

    def _heard(self, ground: Ground) -> Ground:
        """Drop statements that name no actor of the graph; most admit a service."""
        naming = self.realm.naming
        heard = (c for c in ground.spoken if c[0].not_principals or naming.of(c[0]))
        return replace(ground, spoken=tuple(heard))

    def to(self, realm: Realm) -> "Existing":
        """Return the same resources for the actors of another graph."""
        new = copy(self)
        new.realm = realm
        new._takeable, new._able, new._on, new._kin, new._met = {}, {}, {}, {}, {}
        return new

    def named(self) -> Iterator[tuple[Clause, int]]:
        """List resource policy statements on needed actions, with the actors named."""
        for clause in self._named:
            for name in self.realm.naming.of(clause):
                yield clause, name.actors

    def there(self, kind: str, account: str) -> int:
        """Return the resources of one kind in an account, as a bitset."""
        return self._kinds.get(kind, 0) & self._ground.owners.get(account, 0)

    def takeable(self, account: str) -> list[Takeable]:
        """Pair each takeover rule with the resources that it applies to in an account.

        They are the account's own, and those whose policy may admit other accounts.
        """
        found = self._takeable.get(account)
        if found is None:
            found = self._takeable[account] = [
                Takeable(rule, there, self._having(rule.needs))
                for rule in RUNNING
                if (there := self.there(rule.kind, account) | self._lent(rule))
            ]
        return found

    def _having(self, needs: Needs) -> int:
        """Find the actors that have each permission on some existing resource."""
        found = self._able.get(needs)
        if found is None:
            size = len(self.realm.index.actors)
            found = self.realm.index.scope
            for need in needs:
                if found and _is_there(need):
                    found &= gathered(self._verdicts(need), size)
            self._able[needs] = found
        return found

    def _lent(self, rule: Running) -> int:
        number = self._ground.texts.number
        lent = (number[one] for one in self.realm.graph.lent(rule))
        return gathered(lent, len(self.resources))

    def places(self, actor: int, needs: Needs, there: int) -> Places:
        """Find the resources on which an actor has every required permission."""
        sure = some = there
        for need in needs:
            if _is_there(need):
                verdicts = self._verdicts(need).get(actor, NEVER)
                sure, some = sure & verdicts.sure, some & verdicts.some
            if not some:
                return NOWHERE
        others = tuple(need for need in needs if not _is_there(need))
        return self._beside(actor, others, sure, some) if others else Places(sure, some)

    def _beside(self, actor: int, others: Needs, sure: int, some: int) -> Places:
        """Evaluate the permissions that are not on the resource itself, by region."""
        kin = self._kin.get(others)
        if kin is None:
            actions = [need.action.lower() for need in others]
            kin = self._kin[others] = Kin(self.realm, actions, actions)
        if not kin.able >> actor & 1:
            return NOWHERE
        met_sure = met_some = 0
        for bits, resource in self._samples(some, others):
            key = others, kin.of(actor), resource
            how = self._met.get(key)
            if how is None:
                principal = self.realm.index.actors[actor]
                estate = self.realm.graph.estate
                how = met(together(estate, principal, others, resource))
                self._met[key] = how
            met_some |= bits if how != NEVER_MET else 0
            met_sure |= bits if how == MET else 0
        return Places(sure & met_sure, some & met_some)

    def _samples(
        self, places: int, others: Sequence[Need]
    ) -> Iterator[tuple[int, str]]:
        """Choose one resource per region, account and parent, or all of them."""
        if any(_THERE in need.resource for need in others):
            for place in positions(places):
                yield 1 << place, arn_of(self.resources[place].id)
            return
        for bits in self._regions.values():
            if bits & places:
                first = (bits & -bits).bit_length() - 1
                yield bits, arn_of(self.resources[first].id)

    def _spoken_of(self, action: str) -> Ground:
        """Return the resources with the statements of their policies on one action."""
        found = self._speaking.get(action)
        if found is None:
            spoken = (c for c in self._ground.spoken if c[0].takes_action(action))
            found = replace(self._ground, spoken=tuple(spoken))
            self._speaking[action] = found
        return found

    def _verdicts(self, need: Need) -> dict[int, Verdicts]:
        """Evaluate one required permission for each actor on all resources."""
        found = self._on.get(need)
        if found is None:
            stated = Known({key: (value,) for key, value in need.context})
            ground = self._spoken_of(need.action.lower())
            use = Using(self.realm, need.action, ground, stated, anywhere=True)
            found = self._on[need] = use.verdicts()
        return found


def _is_there(need: Need) -> bool:
    return need.resource == _THERE


def _home(resource: str) -> tuple[str, ...]:
    """Return the parts of an ARN that rule templates use."""
    parts = resource.split(":", 5)
    middle = parts[5].split("/")[1:2] if len(parts) == 6 else []
    return (*parts[1:5], *(middle if parts[2:3] == ["ecs"] else ()))

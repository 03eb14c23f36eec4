"""Find the roles that each principal can use by `iam:PassRole` and a service launch."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import NO_VERDICTS, VerdictBits
from answerable.reach.aws.bulk.equivalence_classes import (
    ALWAYS_ALLOWED,
    ALWAYS_DENIED,
    CONDITIONAL,
    EquivalenceClasses,
    get_worst_required_result,
)
from answerable.reach.aws.bulk.existing_resources import ExistingResources
from answerable.reach.aws.bulk.graph_compiler import CompiledGraph, PassRolePermissions
from answerable.reach.aws.escalation_rules.registry import PASS_ROLE_RULES, PassRoleRule
from answerable.reach.aws.paths.pass_role import evaluate_pass_role_rule_calls


@dataclass(eq=False, slots=True)
class PassRoleSteps:
    """Roles that an actor can pass to a service that runs code under them."""

    realm: CompiledGraph
    existing: ExistingResources
    passing: PassRolePermissions
    _kin: dict[PassRoleRule, EquivalenceClasses] = field(default_factory=dict)
    _met: dict[tuple[PassRoleRule, Hashable], int] = field(default_factory=dict)
    _any: int = 0

    def __post_init__(self) -> None:
        """Unite the roles that trust any service."""
        for trusting in self.realm.serving.values():
            self._any |= trusting.some

    def add_gained_identities(self, actor: int, row: VerdictBits) -> VerdictBits:
        """Add to a row the roles that a principal can pass to a service launch."""
        realm = self.realm
        account = realm.index.actors[actor].identity.account
        near = realm.near.get(account, 0)
        sure, some, _ = row
        if not self._any & near & ~sure or not self.passing.able >> actor & 1:
            return row
        for launch in PASS_ROLE_RULES:
            trusting = realm.serving[launch.service]
            left = trusting.some & near & ~sure
            if not left:
                continue
            passed = self.passing.find_passable_roles(launch.service).get(
                actor, NO_VERDICTS
            )
            left &= passed.some & ~(some & ~(passed.sure & trusting.sure))
            how = (
                self._evaluate_service_launch(actor, launch) if left else ALWAYS_DENIED
            )
            if how != ALWAYS_DENIED:
                some |= left
            if how == ALWAYS_ALLOWED:
                sure |= left & passed.sure & trusting.sure
        return VerdictBits(sure, some)

    def _evaluate_service_launch(self, actor: int, launch: PassRoleRule) -> int:
        """Evaluate whether a principal may launch code: denied to allowed."""
        index = self.realm.index
        account = index.actors[actor].identity.account
        there = (
            self.existing.find_resources_of_kind(launch.changed_resource_kind, account)
            if launch.changed_resource_kind
            else 0
        )
        if there:
            places = self.existing.find_permitted_resources(actor, launch.needs, there)
            if places.sure and not launch.precondition:
                return ALWAYS_ALLOWED
            return CONDITIONAL if places.some else ALWAYS_DENIED
        kin = self._kin.get(launch)
        if kin is None:
            actions = [need.action.lower() for need in launch.needs]
            kin = self._kin[launch] = EquivalenceClasses(self.realm, actions, actions)
        if not kin.able >> actor & 1:
            return ALWAYS_DENIED
        key = launch, kin.get_class_key(actor)
        found = self._met.get(key)
        if found is None:
            answers = evaluate_pass_role_rule_calls(
                self.realm.graph, index.actors[actor], launch
            )
            found = self._met[key] = get_worst_required_result(answers)
        return found

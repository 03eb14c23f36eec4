"""Find the existing resources on which each principal may use an escalation rule."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from answerable.model.resource import Resource
from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.equivalence_classes import (
    ALWAYS_ALLOWED,
    ALWAYS_DENIED,
    EquivalenceClasses,
    get_worst_required_result,
)
from answerable.reach.aws.bulk.graph_compiler import CallVerdicts, CompiledGraph
from answerable.reach.aws.bulk.resource_space import ResourceSpace, build_resource_space
from answerable.reach.aws.compiled.saml_providers import get_takeover_resource_arn
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.escalation_rules.registry import (
    PASS_ROLE_RULES,
    RESOURCE_KINDS,
    TAKEOVER_RULES,
    RequiredPermission,
    TakeoverRule,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.paths.witness_resources import find_witness_resources

_EXISTING = "{existing}"
RequiredPermissions = tuple[RequiredPermission, ...]


class MatchedResources(NamedTuple):
    """Resources on which all required permissions are allowed.

    Attributes:
        sure: Always allowed.
        some: Always or conditionally allowed.
    """

    sure: int
    some: int


class TakeoverTarget(NamedTuple):
    """Resources that a takeover rule applies to, and the permitted actors."""

    rule: TakeoverRule
    there: int
    able: int


NO_RESOURCES = MatchedResources(0, 0)


@dataclass(eq=False, slots=True)
class ExistingResources:
    """Resources that escalation rules act on, and the permissions of actors there.

    Attributes:
        resources: Sorted by id.
        runs_as: By resource, the number of the identity its code runs as, or None.
    """

    realm: CompiledGraph
    resources: list[Resource] = field(init=False)
    runs_as: list[int | None] = field(init=False)
    _ground: ResourceSpace = field(init=False)
    _regions: dict[tuple[str, ...], int] = field(init=False)
    _takeable: dict[str, list[TakeoverTarget]] = field(default_factory=dict)
    _able: dict[RequiredPermissions, int] = field(default_factory=dict)
    _speaking: dict[str, ResourceSpace] = field(default_factory=dict)
    _named: tuple[CompiledStatement, ...] = ()
    _kinds: dict[str, int] = field(default_factory=dict)
    _on: dict[RequiredPermission, dict[int, VerdictBits]] = field(default_factory=dict)
    _kin: dict[RequiredPermissions, EquivalenceClasses] = field(default_factory=dict)
    _met: dict[tuple[object, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Collect the resources of the kinds that rules act on."""
        accounts = self.realm.graph.accounts
        found = (
            one
            for one in accounts.list_takeover_resources()
            if one.kind in RESOURCE_KINDS
        )
        self.resources = sorted(found, key=lambda one: one.id)
        number = self.realm.identities.arn_index.number
        self.runs_as = [number.get(one.runs_as) for one in self.resources]
        self._ground = self._drop_statements_without_known_principal(
            build_resource_space(
                accounts, [get_takeover_resource_arn(one.id) for one in self.resources]
            )
        )
        self._regions = defaultdict(int)
        by_kind: dict[str, list[int]] = defaultdict(list)
        for place, resource in enumerate(self.resources):
            self._regions[_get_arn_template_values(resource.id)] |= 1 << place
            by_kind[resource.kind].append(place)
        size = len(self.resources)
        self._kinds = {kind: build_bitset(ns, size) for kind, ns in by_kind.items()}

        needs = [need for rule in TAKEOVER_RULES for need in rule.needs]
        needs += [need for launch in PASS_ROLE_RULES for need in launch.needs]
        actions = {need.action.lower() for need in needs if _EXISTING in need.resource}
        self._named = tuple(
            clause
            for clause, _ in self._ground.spoken
            if any(map(clause.matches_action, actions))
        )

    def _drop_statements_without_known_principal(
        self, space: ResourceSpace
    ) -> ResourceSpace:
        """Drop policy statements that name no principal of the graph."""
        naming = self.realm.naming
        heard = (
            c
            for c in space.spoken
            if c[0].not_principals or naming.find_named_principals(c[0])
        )
        return replace(space, spoken=tuple(heard))

    def with_principals_of_graph(
        self, compiled_graph: CompiledGraph
    ) -> "ExistingResources":
        """Return a copy of these resources for the principals of another graph."""
        new = copy(self)
        new.realm = compiled_graph
        new._takeable, new._able, new._on, new._kin, new._met = {}, {}, {}, {}, {}
        return new

    def list_named_principals(self) -> Iterator[tuple[CompiledStatement, int]]:
        """List resource policy statements, and the principals that they name."""
        for clause in self._named:
            for name in self.realm.naming.find_named_principals(clause):
                yield clause, name.actors

    def find_resources_of_kind(self, kind: str, account: str) -> int:
        """Return the resources of one kind in an account, as a bitset."""
        return self._kinds.get(kind, 0) & self._ground.owners.get(account, 0)

    def list_takeover_targets(self, account: str) -> list[TakeoverTarget]:
        """Pair each takeover rule with the resources that it applies to in an account.

        They are the account's own, and those whose policy may admit other accounts.
        """
        found = self._takeable.get(account)
        if found is None:
            found = self._takeable[account] = [
                TakeoverTarget(rule, there, self._find_permitted_principals(rule.needs))
                for rule in TAKEOVER_RULES
                if (
                    there := self.find_resources_of_kind(rule.kind, account)
                    | self._find_cross_account_resources(rule)
                )
            ]
        return found

    def _find_permitted_principals(self, permissions: RequiredPermissions) -> int:
        """Find the principals that hold each permission on some existing resource."""
        found = self._able.get(permissions)
        if found is None:
            size = len(self.realm.index.actors)
            found = self.realm.index.scope
            for need in permissions:
                if found and _is_permission_on_existing_resource(need):
                    found &= build_bitset(
                        self._find_resources_per_principal(need), size
                    )
            self._able[permissions] = found
        return found

    def _find_cross_account_resources(self, rule: TakeoverRule) -> int:
        """Find resources that a rule targets and other accounts may use."""
        number = self._ground.arn_index.number
        lent = (
            number[one] for one in self.realm.graph.list_cross_account_resources(rule)
        )
        return build_bitset(lent, len(self.resources))

    def find_permitted_resources(
        self, actor: int, permissions: RequiredPermissions, candidates: int
    ) -> MatchedResources:
        """Find the resources on which a principal has every required permission."""
        sure = some = candidates
        for need in permissions:
            if _is_permission_on_existing_resource(need):
                verdicts = self._find_resources_per_principal(need).get(
                    actor, NO_VERDICTS
                )
                sure, some = sure & verdicts.sure, some & verdicts.some
            if not some:
                return NO_RESOURCES
        others = tuple(
            need
            for need in permissions
            if not _is_permission_on_existing_resource(need)
        )
        return (
            self._evaluate_permissions_elsewhere(actor, others, sure, some)
            if others
            else MatchedResources(sure, some)
        )

    def _evaluate_permissions_elsewhere(
        self, actor: int, permissions: RequiredPermissions, always: int, possibly: int
    ) -> MatchedResources:
        """Evaluate permissions not on the resource itself, once per region."""
        kin = self._kin.get(permissions)
        if kin is None:
            actions = [need.action.lower() for need in permissions]
            kin = self._kin[permissions] = EquivalenceClasses(
                self.realm, actions, actions
            )
        if not kin.able >> actor & 1:
            return NO_RESOURCES
        met_sure = met_some = 0
        for bits, resource in self._choose_representative_resources(
            possibly, permissions
        ):
            key = permissions, kin.get_class_key(actor), resource
            how = self._met.get(key)
            if how is None:
                principal = self.realm.index.actors[actor]
                accounts = self.realm.graph.accounts
                how = get_worst_required_result(
                    find_witness_resources(accounts, principal, permissions, resource)
                )
                self._met[key] = how
            met_some |= bits if how != ALWAYS_DENIED else 0
            met_sure |= bits if how == ALWAYS_ALLOWED else 0
        return MatchedResources(always & met_sure, possibly & met_some)

    def _choose_representative_resources(
        self, resources: int, permissions: Sequence[RequiredPermission]
    ) -> Iterator[tuple[int, str]]:
        """Choose one resource per region, account and parent, or all of them."""
        if any(_EXISTING in need.resource for need in permissions):
            for place in list_positions(resources):
                yield 1 << place, get_takeover_resource_arn(self.resources[place].id)
            return
        for bits in self._regions.values():
            if bits & resources:
                first = (bits & -bits).bit_length() - 1
                yield bits, get_takeover_resource_arn(self.resources[first].id)

    def _select_resource_statements_on_action(self, action: str) -> ResourceSpace:
        """Return the resources with only their policy statements on one action."""
        found = self._speaking.get(action)
        if found is None:
            spoken = (c for c in self._ground.spoken if c[0].matches_action(action))
            found = replace(self._ground, spoken=tuple(spoken))
            self._speaking[action] = found
        return found

    def _find_resources_per_principal(
        self, permission: RequiredPermission
    ) -> dict[int, VerdictBits]:
        """Return, for each principal, the resources where it holds a permission."""
        found = self._on.get(permission)
        if found is None:
            stated = ContextKeys({key: (value,) for key, value in permission.context})
            ground = self._select_resource_statements_on_action(
                permission.action.lower()
            )
            use = CallVerdicts(
                self.realm, permission.action, ground, stated, anywhere=True
            )
            found = self._on[permission] = use.evaluate_all_resources()
        return found


def _is_permission_on_existing_resource(permission: RequiredPermission) -> bool:
    """Return whether a required permission is on the existing resource itself."""
    return permission.resource == _EXISTING


def _get_arn_template_values(resource: str) -> tuple[str, ...]:
    """Return the parts of an ARN that rule templates use."""
    parts = resource.split(":", 5)
    middle = parts[5].split("/")[1:2] if len(parts) == 6 else []
    return (*parts[1:5], *(middle if parts[2:3] == ["ecs"] else ()))

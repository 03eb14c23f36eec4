"""Find the principals that can create a new unrestricted role or user."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product

from answerable.reach.aws.bulk.bitset import NO_VERDICTS, VerdictBits
from answerable.reach.aws.bulk.equivalence_classes import (
    ALWAYS_ALLOWED,
    ALWAYS_DENIED,
    CONDITIONAL,
    EquivalenceClasses,
    get_worst_required_result,
)
from answerable.reach.aws.bulk.graph_compiler import CompiledGraph
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    PASS_ROLE_RULES,
    CreationRule,
    EditTarget,
    RequiredPermission,
)
from answerable.reach.aws.paths.identity_creation import (
    find_best_new_resource_name,
    find_uncreated_identity_node,
    list_create_and_pass_role_edges,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.condition_formula import TRUE


@dataclass(eq=False, slots=True)
class IdentityCreation:
    """Identities that an actor can create, and groups that it can join."""

    realm: CompiledGraph
    _by_name: dict[CreationRule, EquivalenceClasses] = field(default_factory=dict)
    _by_launch: EquivalenceClasses = field(init=False)
    _able: int = 0
    _made: dict[tuple[int, int], VerdictBits] = field(default_factory=dict)
    _met: dict[tuple[object, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build equivalence classes over all actions that creation rules need."""
        launching = [
            n
            for launch in PASS_ROLE_RULES
            for n in (*launch.needs, *launch.new_role_permissions)
        ]
        every = [need.action.lower() for need in launching] + [PASS_ROLE.lower()]
        for make in CREATION_RULES:
            create = make.create.action.lower()
            needs = [
                create,
                *(
                    n.action.lower()
                    for n in make.grant_alternatives + make.become_alternatives
                ),
            ]
            self._by_name[make] = EquivalenceClasses(self.realm, needs, [create])
            self._able |= self._by_name[make].able
            if make.target is EditTarget.ROLE:
                self._by_launch = EquivalenceClasses(
                    self.realm, [*needs, *every], [create]
                )

    def find_creatable_identities(self, actor: int, representative: int) -> VerdictBits:
        """Return the unrestricted identities that a principal can create."""
        if not self._able >> representative & 1:
            return NO_VERDICTS
        # Kin make the same, but what is yet to be made does not make itself.
        base, plain = self.realm.index.base[actor], self.realm.plain
        key = representative, max(base, plain - 1)
        found = self._made.get(key)
        if found is None:
            others = [
                make for make in CREATION_RULES if make.target is not EditTarget.GROUP
            ]
            found = self._made[key] = self._evaluate_creation_rules(
                actor, representative, others
            )
        groups = [make for make in CREATION_RULES if make.target is EditTarget.GROUP]
        own = self._evaluate_creation_rules(actor, representative, groups)
        return VerdictBits(found.sure | own.sure, found.some | own.some)

    def _evaluate_creation_rules(
        self, actor: int, representative: int, rules: Iterable[CreationRule]
    ) -> VerdictBits:
        """Return the identities that a principal can create by some rules."""
        realm = self.realm
        node, principal = realm.nodes[actor], realm.index.actors[actor]
        sure = some = 0
        for make in rules:
            if not self._by_name[make].able >> representative & 1:
                continue
            to = find_uncreated_identity_node(realm.graph, node, principal, make)
            how = (
                self._evaluate_creation_rule(representative, make, to)
                if to
                else ALWAYS_DENIED
            )
            if to and how != ALWAYS_DENIED:
                bit = 1 << realm.numbers[IdentityNode(to.identity, to.extra)]
                some |= bit
                sure |= bit if how == ALWAYS_ALLOWED else 0
        return VerdictBits(sure, some)

    def _evaluate_creation_rule(
        self, actor: int, rule: CreationRule, created: IdentityNode
    ) -> int:
        """Evaluate one creation rule: denied, conditional or allowed."""
        kin = self._by_name[rule].get_class_key(actor)
        how = self._met.get((rule, kin))
        if how is None:
            calls = product(
                [rule.create], rule.grant_alternatives, rule.become_alternatives
            )
            how = max(
                self._evaluate_best_resource_name(actor, rule, needs) for needs in calls
            )
            self._met[rule, kin] = how
        if rule.target is not EditTarget.ROLE or how == ALWAYS_ALLOWED:
            return how
        # Launching something under the new role helps where assuming it does not.
        ready = self._met.get((rule, "ready", kin))
        if ready is None:
            pairs = product([rule.create], rule.grant_alternatives)
            ready = max(
                self._evaluate_best_resource_name(actor, rule, needs) for needs in pairs
            )
            self._met[rule, "ready", kin] = ready
        return (
            max(how, self._evaluate_launches_under_new_role(actor, rule, created))
            if ready > how
            else how
        )

    def _evaluate_best_resource_name(
        self,
        actor: int,
        rule: CreationRule,
        permissions: tuple[RequiredPermission, ...],
    ) -> int:
        """Return the worst verdict of the required calls on the best new name."""
        accounts, principal = self.realm.graph.accounts, self.realm.index.actors[actor]
        found = find_best_new_resource_name(accounts, principal, permissions)
        return get_worst_required_result(found.answers) if found else ALWAYS_DENIED

    def _evaluate_launches_under_new_role(
        self, actor: int, rule: CreationRule, created: IdentityNode
    ) -> int:
        """Evaluate service launches under the created role: the best result."""
        key = rule, "launched", self._by_launch.get_class_key(actor)
        found = self._met.get(key)
        if found is None:
            accounts, principal = (
                self.realm.graph.accounts,
                self.realm.index.actors[actor],
            )
            formulas = [
                edge.formula
                for launch in PASS_ROLE_RULES
                if not launch.changed_resource_kind
                for edge in list_create_and_pass_role_edges(
                    accounts, principal, rule, launch, created
                )
            ]
            found = max(
                (ALWAYS_ALLOWED if f == TRUE else CONDITIONAL for f in formulas),
                default=0,
            )
            self._met[key] = found
        return found

"""Compile an identity graph, and evaluate its edges as bitset rows for all accounts.

The rules are those of `identity_graph`, which lists edges one by one with their proof.
A row holds the unconditional steps and the conditional ones; both are exact: where
conditions could exclude each other, the exact evaluation decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from answerable.model.ids import IdentityId, PolicyId
from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    ArnIndex,
    VerdictBits,
    build_bitset,
)
from answerable.reach.aws.bulk.bulk_evaluation import BulkEvaluation
from answerable.reach.aws.bulk.caller_policies import BulkCall
from answerable.reach.aws.bulk.resource_policies import PrincipalMatcher
from answerable.reach.aws.bulk.resource_space import (
    ResourceSpace,
    build_resource_space,
    without_resource_policies,
)
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    is_customer_managed_policy,
    is_iam_entity,
)
from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    PASS_ROLE_RULES,
    EditEffect,
    EditTarget,
)
from answerable.reach.aws.evaluation.assume_role import (
    evaluate_after_trust_edit,
    evaluate_assume_role,
)
from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    select_session_keys,
)
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.aws.paths.identity_creation import list_creatable_nodes
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.aws.paths.path_step_evaluation import evaluate_path_step_call
from answerable.reach.condition_formula import TRUE, Formula


@dataclass(eq=False, slots=True)
class CompiledGraph:
    """Compiled graph: actors, the resources that steps act on, and masks over them.

    Attributes:
        graph: Graph for the exact evaluation of single steps.
        index: Statements by holder.
        nodes: Graph node of each actor.
        numbers: Actor of each node.
        naming: Principals by the names that policies use.
        identities: Identities as resources of IAM calls.
        trusting: Roles with their trust policies, as resources of `sts:AssumeRole`.
        groups: Groups as resources.
        policies: Customer-managed policies as resources.
        near: Identities by account, root users left out.
        roles: Identities that are roles.
        editable: Roles that IAM calls of their account may change.
        users: Identities that are users, root users left out.
        plain: Number of identities that exist; those not yet created come after.
        widened: Number of the first actor with unrestricted permissions.
        admins: Identities that are administrators.
        members: By group or policy, the identities that an edit of it changes.
        serving: By service, the roles that trust it.
        bounded: Identities whose boundary might be removed; a range.
        bare: First actors without their boundary: with their own policies, and with
            unrestricted ones.
        known: Condition keys known for every call of a hop.
    """

    graph: IdentityGraph
    index: StatementIndex
    nodes: list[IdentityNode]
    numbers: dict[IdentityNode, int]
    naming: PrincipalMatcher
    identities: ResourceSpace
    trusting: ResourceSpace
    groups: ResourceSpace
    policies: ResourceSpace
    near: dict[str, int]
    roles: int
    editable: int
    users: int
    plain: int
    widened: int
    admins: int
    members: dict[EditTarget, list[int]]
    serving: dict[str, VerdictBits]
    bounded: range
    bare: tuple[int, int]
    known: ContextKeys

    @property
    def first_group_node(self) -> int:
        """Number of the first node that represents joining an IAM group."""
        return self.widened + self.plain + 2 * len(self.bounded)

    def map_to_nodes_without_boundary(self, identities: int, kind: int) -> int:
        """Shift bounded identities to their nodes that ignore the boundary."""
        return identities >> self.bounded.start << self.bare[kind]


def compile_graph(graph: IdentityGraph) -> CompiledGraph:
    """Compile an identity graph into numbered nodes, statement index and bitsets."""
    accounts = graph.accounts
    held = accounts.principals
    ids = sorted(held, key=lambda one: not _is_limited_by_boundary(graph, held[one]))
    made = list_creatable_nodes(accounts)
    nodes = [IdentityNode(one) for one in ids] + made
    index = StatementIndex(graph.get_principal(node) for node in nodes)
    wide = [IdentityNode(one, "*") for one in ids]
    widened = index.add_actors(map(graph.get_principal, wide), range(len(ids))).start
    nodes += wide
    bounded, bare = _add_nodes_without_boundary(graph, index, nodes, len(ids))
    index.scope = index.all_principals
    near: dict[str, list[int]] = defaultdict(list)
    roles: list[int] = []
    users: list[int] = []
    for number, principal in enumerate(index.actors[: len(ids)]):
        if is_iam_entity(principal.identity):
            near[principal.identity.account].append(number)
            (roles if principal.is_role else users).append(number)
    policies = {p for one in accounts.principals.values() for p in one.policies}
    policies |= {PolicyId(index.actors[n].boundary_id) for n in bounded}
    size = len(ids)
    trusting = build_resource_space(accounts, ids, use_trust_policies=True)
    groups = build_resource_space(accounts, sorted(accounts.groups))
    edited = build_resource_space(accounts, sorted(policies))
    services = {launch.service for launch in PASS_ROLE_RULES}
    editable = [n for n in roles if not index.actors[n].is_immutable_role]
    return CompiledGraph(
        graph=graph,
        index=index,
        nodes=nodes,
        numbers={node: number for number, node in enumerate(nodes)},
        naming=PrincipalMatcher(index, accounts.given),
        identities=without_resource_policies(trusting),
        trusting=trusting,
        groups=groups,
        policies=edited,
        near={account: build_bitset(ns, size) for account, ns in near.items()},
        roles=build_bitset(roles, size),
        editable=build_bitset(editable, size),
        users=build_bitset(users, size),
        plain=size,
        widened=widened,
        admins=build_bitset(
            (n for n in range(size) if graph.is_administrator(nodes[n])), size
        ),
        members={
            EditTarget.GROUP: _map_edit_targets_to_identities(
                index, groups.arn_index, lambda one: one.groups
            ),
            EditTarget.POLICY: _map_edit_targets_to_identities(
                index, edited.arn_index, lambda one: one.policies
            ),
            EditTarget.BOUNDARY: _map_edit_targets_to_identities(
                index, edited.arn_index, list_editable_boundary_policies
            ),
        },
        serving={
            one: find_service_trusting_roles(graph, trusting.arn_index.number, one)
            for one in services
        },
        bounded=bounded,
        bare=bare,
        known=select_session_keys(accounts.given),
    )


def list_editable_boundary_policies(principal: CompiledPrincipal) -> tuple[str, ...]:
    """Return the principal's boundary policy as a tuple, empty if not editable."""
    bound = principal.boundary_id
    return (bound,) if is_customer_managed_policy(bound) else ()


def _map_edit_targets_to_identities(
    index: StatementIndex,
    arns: ArnIndex,
    list_targets: Callable[[CompiledPrincipal], Iterable[str]],
) -> list[int]:
    """List, for each group or policy, the identities that an edit of it changes."""
    members: list[list[int]] = [[] for _ in arns.texts]
    for identity, actor in enumerate(index.actors[: index.size]):
        for text in list_targets(actor):
            if text in arns.number:
                members[arns.number[text]].append(identity)
    return [build_bitset(found, index.size) for found in members]


def find_service_trusting_roles(
    graph: IdentityGraph,
    number_by_role: Mapping[str, int],
    service: str,
    roles: Iterable[IdentityId] | None = None,
) -> VerdictBits:
    """Find roles whose trust policy admits an AWS service in their account.

    Args:
        graph: The graph.
        number_by_role: Numbers by identity.
        service: Service principal.
        roles: Roles to check; all by default.
    """
    sure = some = 0
    trusting = graph.accounts.by_service.get(service, ())
    for role in trusting if roles is None else set(trusting) & set(roles):
        for entry in graph.list_service_assume_role_entries(role, service):
            some |= 1 << number_by_role[role]
            sure |= (entry.answer.formula == TRUE) << number_by_role[role]
            break
    return VerdictBits(sure, some)


def _is_limited_by_boundary(graph: IdentityGraph, principal: CompiledPrincipal) -> bool:
    """Return whether a permissions boundary really limits a principal."""
    return principal.boundary is not None and not graph.is_administrator(
        IdentityNode(principal.id)
    )


def _add_nodes_without_boundary(
    graph: IdentityGraph, index: StatementIndex, nodes: list[IdentityNode], size: int
) -> tuple[range, tuple[int, int]]:
    """Add identities without their permissions boundary, if any can be removed."""
    index.scope = index.all_principals
    free = (
        edit.action.lower() for edit in EDIT_RULES if edit.effect is EditEffect.FREE
    )
    if not any(map(index.find_holders_of_action_allow, free)):
        return range(0), (len(nodes), len(nodes))
    held = sum(
        _is_limited_by_boundary(graph, index.actors[number]) for number in range(size)
    )
    bounded = range(held)
    starts: list[int] = []
    for extra in ("", "*"):
        bare = [
            IdentityNode(nodes[number].identity, extra, bare=True) for number in bounded
        ]
        starts.append(index.add_actors(map(graph.get_principal, bare), bounded).start)
        nodes += bare
    return bounded, (starts[0], starts[1])


def add_nodes(compiled_graph: CompiledGraph, nodes: Sequence[IdentityNode]) -> range:
    """Add nodes to a compiled graph: identities that gained permissions on a path."""
    base = [compiled_graph.numbers[IdentityNode(node.identity)] for node in nodes]
    added = compiled_graph.index.add_actors(
        map(compiled_graph.graph.get_principal, nodes), base
    )
    for number, node in zip(added, nodes, strict=True):
        compiled_graph.nodes.append(node)
        compiled_graph.numbers[node] = number
    return added


@dataclass(eq=False, slots=True)
class CallVerdicts:
    """Verdicts of one call of a hop, by actor and resource.

    Attributes:
        action: As the service spells it.
        stated: Condition keys that the call itself sets.
        anywhere: Whether resources of other accounts count.
    """

    realm: CompiledGraph
    action: str
    ground: ResourceSpace
    stated: ContextKeys = NO_KEYS
    anywhere: bool = False

    def evaluate_all_resources(self) -> dict[int, VerdictBits]:
        """Return, for each permitted principal, the resources that it may call."""
        realm = self.realm
        known = self.stated.merge_over(realm.known)
        call = BulkCall(self.action.lower(), self.ground.space, known)
        hearing = BulkEvaluation(
            realm.graph.accounts,
            realm.index,
            realm.naming,
            self.ground,
            call,
            self._evaluate_call,
        )
        found: dict[int, VerdictBits] = {}
        for actor in realm.index.list_bitset_members_cached(hearing.actors):
            account = realm.index.actors[actor].identity.account
            within = self.ground.owners.get(account, 0)
            if self.anywhere:
                within = self.ground.arn_index.all
            verdicts = hearing.evaluate_principal_exactly(actor, within)
            if verdicts.some:
                found[actor] = verdicts
        return found

    def _evaluate_call(self, principal: CompiledPrincipal, resource: str) -> Formula:
        """Return the exact formula for one principal and resource."""
        accounts = self.realm.graph.accounts
        return evaluate_path_step_call(
            accounts, principal, self.action, resource, self.stated
        ).formula


@dataclass(eq=False, slots=True)
class PassRolePermissions:
    """Permissions to pass roles to services.

    Attributes:
        able: Actors that may hold an allow of `iam:PassRole`.
    """

    realm: CompiledGraph
    able: int = field(init=False)
    _found: dict[str, dict[int, VerdictBits]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the principals that may pass some role."""
        self.able = self.realm.index.find_holders_of_action_allow(PASS_ROLE.lower())

    def find_passable_roles(self, service: str) -> dict[int, VerdictBits]:
        """Return, for each principal, the roles it may pass to a service."""
        found = self._found.get(service)
        if found is None:
            stated = ContextKeys({"iam:passedtoservice": (service,)})
            use = CallVerdicts(self.realm, PASS_ROLE, self.realm.identities, stated)
            found = self._found[service] = use.evaluate_all_resources()
        return found


@dataclass(eq=False, slots=True)
class AssumeRolePermissions:
    """Permissions to assume roles, from caller and trust policy.

    Attributes:
        hearing: Evaluation of the call.
    """

    realm: CompiledGraph
    hearing: BulkEvaluation = field(init=False)

    def __post_init__(self) -> None:
        """Evaluate callers and trust policies."""
        realm = self.realm
        call = BulkCall(ASSUME_ROLE, realm.trusting.space, realm.known)
        self.hearing = BulkEvaluation(
            realm.graph.accounts,
            realm.index,
            realm.naming,
            realm.trusting,
            call,
            partial(_evaluate_role, realm.graph.accounts),  # no cycle with `self`
            besides=realm.index.scope,
        )

    def find_assumable_roles(self, actor: int) -> VerdictBits:
        """Return the roles that a principal may assume, as a bitset."""
        if not self.hearing.actors >> actor & 1:
            return NO_VERDICTS
        return self.hearing.evaluate_principal_exactly(actor, self.realm.roles)

    def find_roles_after_trust_edit(self, actor: int) -> VerdictBits:
        """Return the roles a principal may assume if their trust policies name it."""
        return self.hearing.evaluate_if_trusted(actor, self._evaluate_after_edit)

    def _evaluate_after_edit(self, principal: CompiledPrincipal, role: str) -> Formula:
        """Return the exact formula once the role trusts the principal."""
        accounts = self.realm.graph.accounts
        return evaluate_after_trust_edit(accounts, principal, IdentityId(role)).formula


def _evaluate_role(
    accounts: CompiledAccounts, principal: CompiledPrincipal, role: str
) -> Formula:
    """Return the exact formula for one principal and role."""
    return evaluate_assume_role(accounts, principal, IdentityId(role)).formula

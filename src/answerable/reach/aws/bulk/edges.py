"""Edges between identities as bitset rows, for all accounts at once.

The rules are those of `identity_graph`, which lists edges one by one with their proof.
A row holds the unconditional steps and the conditional ones; both are exact: where
conditions could exclude each other, the exact evaluation decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId, PolicyId
from answerable.reach.aws.bulk.bitset import Texts, gathered
from answerable.reach.aws.bulk.caller_side import NEVER, Call, Verdicts
from answerable.reach.aws.bulk.evaluate import Hearing
from answerable.reach.aws.bulk.resource_policies import Naming
from answerable.reach.aws.bulk.resource_space import (
    Ground,
    make_ground,
    without_policies,
)
from answerable.reach.aws.bulk.statement_index import Index
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import (
    Principal,
    is_editable,
    is_iam_entity,
    partition_of,
)
from answerable.reach.aws.escalation_rules.registry import EDITS, LAUNCHES, Gives, On
from answerable.reach.aws.evaluation.assume_role import assume, assume_after_edit
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known, lasting
from answerable.reach.aws.evaluation.trust import ASSUME
from answerable.reach.aws.paths.created_identities import made_id
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.hop_evaluation import may
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.formula import TRUE, Formula


@dataclass(eq=False, slots=True)
class Realm:
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

    graph: Graph
    index: Index
    nodes: list[Node]
    numbers: dict[Node, int]
    naming: Naming
    identities: Ground
    trusting: Ground
    groups: Ground
    policies: Ground
    near: dict[str, int]
    roles: int
    editable: int
    users: int
    plain: int
    widened: int
    admins: int
    members: dict[On, list[int]]
    serving: dict[str, Verdicts]
    bounded: range
    bare: tuple[int, int]
    known: Known

    @property
    def joined(self) -> int:
        """Number of the first actor that joined a group."""
        return self.widened + self.plain + 2 * len(self.bounded)

    def to_bare(self, identities: int, kind: int) -> int:
        """Map bounded identities to their actors without boundary: `kind` of `bare`."""
        return identities >> self.bounded.start << self.bare[kind]


def make_realm(graph: Graph) -> Realm:
    """Compile a graph: identities, those not yet created, and widened ones."""
    estate = graph.estate
    held = estate.principals
    ids = sorted(held, key=lambda one: not _is_held(graph, held[one]))
    made = made_nodes(estate)
    nodes = [Node(one) for one in ids] + made
    index = Index(graph.principal(node) for node in nodes)
    wide = [Node(one, "*") for one in ids]
    widened = index.add(map(graph.principal, wide), range(len(ids))).start
    nodes += wide
    bounded, bare = _add_bare(graph, index, nodes, len(ids))
    index.scope = index.all
    near: dict[str, list[int]] = defaultdict(list)
    roles: list[int] = []
    users: list[int] = []
    for number, principal in enumerate(index.actors[: len(ids)]):
        if is_iam_entity(principal.identity):
            near[principal.identity.account].append(number)
            (roles if principal.is_role else users).append(number)
    policies = {p for one in estate.principals.values() for p in one.policies}
    policies |= {PolicyId(index.actors[n].boundary_id) for n in bounded}
    size = len(ids)
    trusting = make_ground(estate, ids, trusts=True)
    groups = make_ground(estate, sorted(estate.groups))
    edited = make_ground(estate, sorted(policies))
    services = {launch.service for launch in LAUNCHES}
    return Realm(
        graph=graph,
        index=index,
        nodes=nodes,
        numbers={node: number for number, node in enumerate(nodes)},
        naming=Naming(index, estate.given),
        identities=without_policies(trusting),
        trusting=trusting,
        groups=groups,
        policies=edited,
        near={account: gathered(ns, size) for account, ns in near.items()},
        roles=gathered(roles, size),
        editable=gathered((n for n in roles if not index.actors[n].is_fixed), size),
        users=gathered(users, size),
        plain=size,
        widened=widened,
        admins=gathered((n for n in range(size) if graph.admin(nodes[n])), size),
        members={
            On.GROUP: _members(index, groups.texts, lambda one: one.groups),
            On.POLICY: _members(index, edited.texts, lambda one: one.policies),
            On.BOUNDARY: _members(index, edited.texts, bounding),
        },
        serving={one: serving(graph, trusting.texts.number, one) for one in services},
        bounded=bounded,
        bare=bare,
        known=lasting(estate.given),
    )


def bounding(principal: Principal) -> tuple[str, ...]:
    """Return the policy that is a principal's boundary, if it can be edited."""
    bound = principal.boundary_id
    return (bound,) if is_editable(bound) else ()


def _members(
    index: Index, space: Texts, targets: Callable[[Principal], Iterable[str]]
) -> list[int]:
    """List by target the identities that an edit of the target changes."""
    members: list[list[int]] = [[] for _ in space.texts]
    for identity, actor in enumerate(index.actors[: index.size]):
        for text in targets(actor):
            if text in space.number:
                members[space.number[text]].append(identity)
    return [gathered(found, index.size) for found in members]


def serving(
    graph: Graph,
    number: Mapping[str, int],
    service: str,
    roles: Iterable[IdentityId] | None = None,
) -> Verdicts:
    """Find the roles that trust a service in their own account.

    Args:
        graph: The graph.
        number: Numbers by identity.
        service: Service principal.
        roles: Roles to check; all by default.
    """
    sure = some = 0
    trusting = graph.estate.by_service.get(service, ())
    for role in trusting if roles is None else set(trusting) & set(roles):
        for entry in graph.service_entries(role, service):
            some |= 1 << number[role]
            sure |= (entry.answer.formula == TRUE) << number[role]
            break
    return Verdicts(sure, some)


def _is_held(graph: Graph, principal: Principal) -> bool:
    """Tell whether a boundary limits a principal."""
    return principal.boundary is not None and not graph.admin(Node(principal.id))


def _add_bare(
    graph: Graph, index: Index, nodes: list[Node], size: int
) -> tuple[range, tuple[int, int]]:
    """Add bounded identities without their boundary, if any actor may remove one."""
    index.scope = index.all
    free = (edit.action.lower() for edit in EDITS if edit.gives is Gives.FREE)
    if not any(map(index.holding, free)):
        return range(0), (len(nodes), len(nodes))
    held = sum(_is_held(graph, index.actors[number]) for number in range(size))
    bounded = range(held)
    starts: list[int] = []
    for extra in ("", "*"):
        bare = [Node(nodes[number].identity, extra, bare=True) for number in bounded]
        starts.append(index.add(map(graph.principal, bare), bounded).start)
        nodes += bare
    return bounded, (starts[0], starts[1])


def grown(realm: Realm, nodes: Sequence[Node]) -> range:
    """Add nodes: identities that gained other permissions on a path."""
    base = [realm.numbers[Node(node.identity)] for node in nodes]
    added = realm.index.add(map(realm.graph.principal, nodes), base)
    for number, node in zip(added, nodes, strict=True):
        realm.nodes.append(node)
        realm.numbers[node] = number
    return added


def made_nodes(estate: Estate) -> list[Node]:
    """List the identities that a principal of each account could create."""
    accounts = {
        (one.identity.account, partition_of(one.id))
        for one in estate.principals.values()
    }
    return sorted(
        Node(made_id(account, on, partition), "*")
        for account, partition in accounts
        for on in (On.ROLE, On.USER)
    )


@dataclass(eq=False, slots=True)
class Using:
    """Verdicts of one call of a hop, by actor and resource.

    Attributes:
        action: As the service spells it.
        stated: Condition keys that the call itself sets.
        anywhere: Whether resources of other accounts count.
    """

    realm: Realm
    action: str
    ground: Ground
    stated: Known = NOTHING
    anywhere: bool = False

    def verdicts(self) -> dict[int, Verdicts]:
        """Return the resources that each actor may call, for actors that have any."""
        realm = self.realm
        known = self.stated.over(realm.known)
        call = Call(self.action.lower(), self.ground.space, known)
        hearing = Hearing(
            realm.graph.estate,
            realm.index,
            realm.naming,
            self.ground,
            call,
            self._exactly,
        )
        found: dict[int, Verdicts] = {}
        for actor in realm.index.members(hearing.actors):
            account = realm.index.actors[actor].identity.account
            within = self.ground.owners.get(account, 0)
            if self.anywhere:
                within = self.ground.texts.all
            verdicts = hearing.verdicts(actor, within)
            if verdicts.some:
                found[actor] = verdicts
        return found

    def _exactly(self, principal: Principal, resource: str) -> Formula:
        estate = self.realm.graph.estate
        return may(estate, principal, self.action, resource, self.stated).formula


@dataclass(eq=False, slots=True)
class Passing:
    """Permissions to pass roles to services.

    Attributes:
        able: Actors that may hold an allow of `iam:PassRole`.
    """

    realm: Realm
    able: int = field(init=False)
    _found: dict[str, dict[int, Verdicts]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the actors that may pass some role."""
        self.able = self.realm.index.holding(PASS_ROLE.lower())

    def verdicts(self, service: str) -> dict[int, Verdicts]:
        """Return the roles that each actor may pass to a service."""
        found = self._found.get(service)
        if found is None:
            stated = Known({"iam:passedtoservice": (service,)})
            use = Using(self.realm, PASS_ROLE, self.realm.identities, stated)
            found = self._found[service] = use.verdicts()
        return found


@dataclass(eq=False, slots=True)
class Assuming:
    """Permissions to assume roles, from caller and trust policy.

    Attributes:
        hearing: Evaluation of the call.
    """

    realm: Realm
    hearing: Hearing = field(init=False)

    def __post_init__(self) -> None:
        """Evaluate callers and trust policies."""
        realm = self.realm
        call = Call(ASSUME, realm.trusting.space, realm.known)
        self.hearing = Hearing(
            realm.graph.estate,
            realm.index,
            realm.naming,
            realm.trusting,
            call,
            self._exactly,
            realm.index.scope,
        )

    def verdicts(self, actor: int) -> Verdicts:
        """Return the roles that an actor may assume."""
        if not self.hearing.actors >> actor & 1:
            return NEVER
        return self.hearing.verdicts(actor, self.realm.roles)

    def after_edit(self, actor: int) -> Verdicts:
        """Return the roles of its account that an actor may assume if they trust it."""
        return self.hearing.when_named(actor, self._edited)

    def _exactly(self, principal: Principal, role: str) -> Formula:
        estate = self.realm.graph.estate
        return assume(estate, principal, IdentityId(role)).formula

    def _edited(self, principal: Principal, role: str) -> Formula:
        estate = self.realm.graph.estate
        return assume_after_edit(estate, principal, IdentityId(role)).formula

"""Find what an identity of a cluster may do, itself or after steps."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from answerable.model.kubernetes_ids import (
    NODE_PREFIX,
    KubernetesSubject,
    parse_subject_id,
)
from answerable.reach.condition_formula import (
    TRUE,
    Formula,
    build_atom,
    conjoin_hops,
)
from answerable.reach.kubernetes.access_graph import AccessGraph, Edge, iterate_bits
from answerable.reach.kubernetes.catalogue import Cluster
from answerable.reach.kubernetes.cluster_index import ClusterIndex, RuleGrant
from answerable.reach.kubernetes.pod_edges import PodNodes
from answerable.reach.kubernetes.role_edges import RoleSteps
from answerable.reach.kubernetes.rule_matching import KubernetesRequest, build_request
from answerable.reach.kubernetes.rule_texts import describe_grant, describe_request
from answerable.reach.kubernetes.step_closure import (
    Search,
    StepIndex,
)
from answerable.reach.kubernetes.step_edges import StepCompiler, parse_version
from answerable.reach.kubernetes.step_rules import SERVER_VERSION
from answerable.reach.kubernetes.subject_keys import (
    ANONYMOUS,
    AUTHENTICATED,
    NODES,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
)
from answerable.reach.platform import DeterminingStatement, PathHop

_CONSTRAINED_SINCE = (1, 36)
_AUTHENTICATION = "authentication.k8s.io"
# Mode, resource of the impersonated identity.
_MODES = (
    ("user-info", "users"),
    ("serviceaccount", "serviceaccounts"),
    ("arbitrary-node", "nodes"),
)
_CACHED_SEARCHES = 256


@dataclass(frozen=True, slots=True)
class AccessPath:
    """Way in which a request is allowed.

    Attributes:
        hops: Steps before the request.
        formula: Condition of all steps.
        determining: Statements that allow the request after the steps.
    """

    hops: tuple[PathHop, ...]
    formula: Formula
    determining: tuple[DeterminingStatement, ...]
    number: int


class ClusterAccess:
    """Permissions of one cluster, with the steps between its identities.

    Args:
        parts: Collected parts of the cluster, the newest first.
    """

    def __init__(self, parts: Sequence[Cluster]) -> None:
        self.index = ClusterIndex(parts)
        self._back: dict[int, Search] = {}

    @cached_property
    def _step_compilers(self) -> tuple[AccessGraph, RoleSteps, PodNodes, StepCompiler]:
        """Graph with all its nodes, and the compilers of its steps."""
        graph = AccessGraph(self.index)
        roles = RoleSteps(graph)
        roles.add_holdings()
        pods = PodNodes(graph)
        return graph, roles, pods, StepCompiler(graph, pods)

    @property
    def graph(self) -> AccessGraph:
        """Graph of the cluster, with all nodes that steps may lead to."""
        return self._step_compilers[0]

    @cached_property
    def steps(self) -> StepIndex:
        """Steps of the cluster."""
        _, roles, pods, rules = self._step_compilers
        edges: list[Edge] = [
            *pods.compile_edges(),
            *roles.compile_rules(),
            *rules.compile_rules(),
        ]
        return StepIndex([edge for edge in edges if edge.actors and edge.targets])

    def compile(self) -> StepIndex:
        """Compile the graph and the steps, which are else compiled on demand."""
        return self.steps

    def get_number(self, subject: KubernetesSubject) -> int:
        """Return the number of an identity, or of the group that represents it.

        An identity that no object names has the permissions of its groups.
        """
        bit = self.graph.get_bit(str(subject))
        if not bit:
            group = AUTHENTICATED
            if subject.kind == "serviceaccount":
                group = f"{SERVICE_ACCOUNTS}:{subject.namespace}"
                if subject.namespace not in self.index.namespaces:
                    group = SERVICE_ACCOUNTS
            elif subject.name in (ANONYMOUS, UNAUTHENTICATED):
                group = UNAUTHENTICATED
            elif subject.name.startswith(NODE_PREFIX):
                group = NODES
            elif subject.name.startswith(f"{SERVICE_ACCOUNTS}:"):
                group = SERVICE_ACCOUNTS
            stand_in = KubernetesSubject(self.index.name, "group", group)
            bit = self.graph.get_bit(str(stand_in))
        return bit.bit_length() - 1

    def find_path(
        self, number: int, request: KubernetesRequest, *, direct: bool
    ) -> AccessPath | None:
        """Find the way in which an identity may make a request; the surest one."""
        allowed = self.graph.find_allowed(request)
        if allowed >> number & 1:
            return self._end_path(number, (), request)
        if direct:
            return None
        search = self.steps.search_from(number)
        hit = allowed & search.certain or allowed & search.found
        if not hit:
            return self._find_constrained(number, search, request)
        found = search.find_first(hit).found & hit
        target = (found & -found).bit_length() - 1
        hops = self._build_hops(self.steps.list_steps(search, number, target))
        return self._end_path(target, hops, request)

    def _end_path(
        self, number: int, hops: tuple[PathHop, ...], request: KubernetesRequest
    ) -> AccessPath:
        """Build the path of a node that may make the request itself."""
        grant = self.graph.find_grant(1 << number, request)
        determining = (describe_grant(grant),) if grant else ()
        formula = conjoin_hops(*(hop.formula for hop in hops))
        return AccessPath(hops, formula, determining, number)

    def _build_hops(
        self, steps: Sequence[tuple[int, Edge, int]]
    ) -> tuple[PathHop, ...]:
        """Build the hops of steps."""
        return tuple(
            PathHop(
                self.graph.ids[actor],
                edge.via or self._name_call(actor, edge),
                self.graph.ids[target],
                edge.formula,
                tuple(dict.fromkeys(self._iterate_proof(actor, edge))),
            )
            for actor, edge, target in steps
        )

    def _name_call(self, actor: int, edge: Edge) -> str:
        """Name the call of a step that its rule leaves open: the first allowed one."""
        calls = (
            request
            for request in edge.needs[0]
            if self.graph.find_allowed(request) >> actor & 1
        )
        return describe_request(next(calls, edge.needs[0][0]))

    def _iterate_proof(self, actor: int, edge: Edge) -> Iterator[DeterminingStatement]:
        """Yield the statements that allow a step to an actor."""
        for policy, statement in edge.facts:
            yield DeterminingStatement("pod", policy, statement, "allow")
        for group in edge.needs:
            grants = (self.graph.find_grant(1 << actor, request) for request in group)
            grant = next((each for each in grants if each is not None), None)
            if grant is not None:
                yield describe_grant(grant)

    def _find_constrained(
        self, number: int, search: Search, request: KubernetesRequest
    ) -> AccessPath | None:
        """Find a way by constrained impersonation: of an identity, for one verb.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/
        user-impersonation/#constrained-impersonation, KEP-5284
        """
        version = parse_version(self.index.cluster.version)
        if version is not None and version < _CONSTRAINED_SINCE:
            return None
        reached = search.found | 1 << number
        allowed = self.graph.find_allowed(request)
        for (mode, resource), on in zip(
            _MODES, self.list_constrained_requests(request), strict=True
        ):
            actors = self.graph.find_allowed(on) & reached
            for actor in iterate_bits(actors):
                found = self._find_impersonated(actor, mode, resource, allowed)
                if found is None:
                    continue
                target, asked = found
                formula = TRUE
                if version is None:
                    text = ".".join(map(str, _CONSTRAINED_SINCE))
                    formula = build_atom(SERVER_VERSION, "AtLeast", (text,))
                edge = Edge(
                    1 << actor, 1 << target, asked.verb, formula, ((asked,), (on,))
                )
                before = (
                    ()
                    if actor == number
                    else self.steps.list_steps(search, number, actor)
                )
                hops = self._build_hops([*before, (actor, edge, target)])
                return self._end_path(target, hops, request)
        return None

    def list_constrained_requests(
        self, request: KubernetesRequest
    ) -> list[KubernetesRequest]:
        """List the permissions that constrained impersonation needs for a request."""
        return [
            replace(request, verb=f"impersonate-on:{mode}:{request.verb}")
            for mode, _ in _MODES
        ]

    def _find_impersonated(
        self, actor: int, mode: str, resource: str, allowed: int
    ) -> tuple[int, KubernetesRequest] | None:
        """Find an identity that a node may impersonate in a mode, and the request."""
        for number in iterate_bits(allowed):
            subject = self.graph.subjects[number]
            if subject is None or subject.kind == "group":
                continue
            is_node = subject.name.startswith(NODE_PREFIX)
            kind = "nodes" if is_node else f"{subject.kind}s"
            if kind != resource:
                continue
            name = subject.name.removeprefix(NODE_PREFIX)
            asked = build_request(
                f"impersonate:{mode}",
                (resource, _AUTHENTICATION, ""),
                name,
                subject.namespace,
            )
            if self.graph.find_allowed(asked) >> actor & 1:
                return number, asked
        return None

    def search_back(self, targets: int) -> Search:
        """Find the nodes that reach one of some nodes; reuse a recent result."""
        found = self._back.get(targets)
        if found is None:
            if len(self._back) >= _CACHED_SEARCHES:
                self._back.clear()
            found = self._back[targets] = self.steps.search_back(targets)
        return found

    def build_hops_to(self, number: int, target: int) -> tuple[PathHop, ...]:
        """Build the hops from a node to another that it reaches."""
        search = self.steps.search_from(number)
        return self._build_hops(self.steps.list_steps(search, number, target))

    def build_hops_to_token(self, number: int, target: int) -> tuple[PathHop, ...]:
        """Build the hops from a node to a token of another; empty if there is no way."""
        search = self.steps.search_from(number)
        return self._build_hops(self.steps.list_steps_to_token(search, number, target))

    def iterate_hops_to_tokens(
        self, targets: int, skipped: Container[str]
    ) -> Iterator[tuple[int, int, tuple[PathHop, ...]]]:
        """Yield the named nodes that get a token of one of some nodes.

        Yields:
            Number of the node, that of the token's identity, and the hops; a node of
            `targets` itself without hops.
        """
        search = self.steps.search_back_to_tokens(targets)
        for number in iterate_bits((search.found | targets) & self.graph.named):
            if self.graph.ids[number] in skipped:
                continue
            if targets >> number & 1:
                yield number, number, ()
                continue
            steps = self.steps.list_steps_ahead(search, targets, number)
            yield number, steps[-1][2], self._build_hops(steps)

    def list_reached(self, number: int) -> Iterator[tuple[int, tuple[PathHop, ...]]]:
        """Yield a node and all that it reaches, with the steps, the surest first."""
        yield number, ()
        for spread in self.steps.search_from(number).spreads:
            for target in iterate_bits(spread.found & ~(1 << number)):
                yield target, self.build_hops_to(number, target)

    def list_grants_of(self, number: int) -> Iterator[tuple[str, RuleGrant]]:
        """Yield the grants of a node, each with its scope."""
        return self.graph.iterate_grants_of(1 << number)

    def parse_subject(self, identity: str) -> KubernetesSubject | None:
        """Parse the id of an identity of this cluster; None for another."""
        subject = parse_subject_id(identity)
        if subject is None or subject.cluster != self.index.name:
            return None
        return subject

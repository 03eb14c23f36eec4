"""Graph of a cluster: its identities, pods and permissions as bits, and their steps."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from answerable.model.kubernetes_ids import KubernetesResource, KubernetesSubject
from answerable.reach.condition_formula import TRUE, Formula
from answerable.reach.kubernetes.catalogue import PolicyRule, Workload
from answerable.reach.kubernetes.cluster_index import (
    ClusterIndex,
    GrantScope,
    RuleGrant,
)
from answerable.reach.kubernetes.rule_matching import KubernetesRequest, RuleMatcher
from answerable.reach.kubernetes.subject_keys import MASTERS, SubjectKey

_CACHED_REQUESTS = 4096


def iterate_bits(bits: int) -> Iterator[int]:
    """Yield the positions of the set bits, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """Step that any of some actors takes to all of some targets.

    Attributes:
        actors: Bits of the nodes that take it.
        targets: Bits of the nodes that it gives.
        via: Calls of the step; empty for the first allowed one of `needs`.
        needs: Requests that the step needs: of each group one.
        facts: Facts that prove the step without a request: policy and statement.
        api_only: Whether it gives API rights of an identity, but no token of its own
            audience and no pod: other clouds do not accept it.
    """

    actors: int
    targets: int
    via: str
    formula: Formula = TRUE
    needs: tuple[tuple[KubernetesRequest, ...], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    api_only: bool = False


class AccessGraph:
    """Nodes of a cluster as bits, with the permissions of each.

    A node is an identity, a pod, or permissions that a step gives (`holding`).

    Attributes:
        named: Bits of the identities that objects of the cluster are, or name.
        masters: Bit of the group that may do everything.
    """

    def __init__(self, index: ClusterIndex) -> None:
        self.index = index
        self.ids: list[str] = []
        self.subjects: list[KubernetesSubject | None] = []
        self._numbers: dict[str, int] = {}
        self._bits_of_key: dict[SubjectKey, int] = {}
        self._bits_of_grant: dict[RuleGrant, int] = {}
        self._allowed: dict[KubernetesRequest, int] = {}
        self._holdings: dict[str, GrantScope] = {}
        for subject in index.identities:
            self.add_subject(subject)
        self.named = (1 << len(self.ids)) - 1
        for subject in index.list_implied_identities():
            if not self.get_bit(str(subject)):
                self.add_subject(subject)
        masters = KubernetesSubject(index.name, "group", MASTERS)
        self.masters = self.get_bit(str(masters))

    def add_subject(self, subject: KubernetesSubject) -> int:
        """Add an identity; return its bit."""
        bit = self._add_node(str(subject), subject)
        for key in self.index.list_subject_keys(subject):
            self._bits_of_key[key] = self._bits_of_key.get(key, 0) | bit
        return bit

    def add_pod(self, workload: Workload, kind: str) -> int:
        """Add a pod, or a controller that represents its pods; return its bit."""
        resource, _, group = kind.partition(".")
        place = KubernetesResource(
            self.index.name, workload.namespace, resource, group, workload.name
        )
        return self._add_node(str(place), None)

    def add_holding(
        self, resource: KubernetesResource, scope: str, rules: Sequence[PolicyRule]
    ) -> int:
        """Add permissions that a step gives; return their bit.

        Args:
            resource: Resource that names them in paths.
            scope: Namespace where they hold; empty for the whole cluster.
        """
        key = str(resource)
        if key in self._numbers:
            return self.get_bit(key)
        bit = self._add_node(key, None)
        self._allowed.clear()
        held = self._holdings.setdefault(scope, GrantScope())
        for number, rule in enumerate(rules, 1):
            grant = RuleGrant(key, "", number, RuleMatcher(rule), frozenset())
            self._bits_of_grant[grant] = bit
            held.add(grant)
        return bit

    def _add_node(self, key: str, subject: KubernetesSubject | None) -> int:
        """Add a node; return its bit."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.ids)
            self.ids.append(key)
            self.subjects.append(subject)
        return 1 << number

    def get_bit(self, key: str) -> int:
        """Return the bit of an id; 0 where the cluster has no such node."""
        number = self._numbers.get(key)
        return 0 if number is None else 1 << number

    def get_bits_of_key(self, key: SubjectKey | None) -> int:
        """Return the bits of the nodes that carry a user name or a group."""
        return self._bits_of_key.get(key, 0) if key else 0

    def join_bits(self, keys: Iterable[str]) -> int:
        """Return the bits of all known ids."""
        bits = 0
        for key in keys:
            bits |= self.get_bit(key)
        return bits

    def get_grant_bits(self, grant: RuleGrant) -> int:
        """Return the bits of the nodes that have a grant."""
        bits = self._bits_of_grant.get(grant)
        if bits is None:
            bits = 0
            for key in grant.subjects:
                bits |= self._bits_of_key.get(key, 0)
            self._bits_of_grant[grant] = bits
        return bits

    def find_allowed(self, request: KubernetesRequest) -> int:
        """Return the bits of the nodes that may make a request themselves."""
        bits = self._allowed.get(request)
        if bits is None:
            bits = 0
            for grant in self.iterate_candidates(request):
                if grant.matcher.allows_request(request):
                    bits |= self.get_grant_bits(grant)
            if len(self._allowed) >= _CACHED_REQUESTS:
                self._allowed.clear()
            self._allowed[request] = bits
        return bits

    def find_allowed_any(self, requests: Iterable[KubernetesRequest]) -> int:
        """Return the bits of the nodes that may make one of some requests."""
        bits = 0
        for request in requests:
            bits |= self.find_allowed(request)
        return bits

    def iterate_candidates(self, request: KubernetesRequest) -> Iterator[RuleGrant]:
        """Yield the grants whose resources may match, those of holdings too."""
        yield from self.index.iterate_candidates(request)
        for scope in dict.fromkeys(("", request.namespace)):
            held = self._holdings.get(scope)
            if held is not None:
                yield from held.iterate_candidates(request)

    def find_grant(self, bit: int, request: KubernetesRequest) -> RuleGrant | None:
        """Find a grant that allows a node to make a request."""
        for grant in self.iterate_candidates(request):
            if self.get_grant_bits(grant) & bit and grant.matcher.allows_request(
                request
            ):
                return grant
        return None

    def list_limited_names(self, request: KubernetesRequest) -> tuple[str, ...]:
        """List the names to which grants limit a request without a name."""
        return tuple(
            dict.fromkeys(
                name
                for grant in self.iterate_candidates(request)
                if grant.matcher.allows_some_name(request)
                for name in grant.matcher.rule.resource_names
            )
        )

    def iterate_grants_of(self, bit: int) -> Iterator[tuple[str, RuleGrant]]:
        """Yield the grants of a node, each with its scope."""
        for scopes in (self.index.scopes, self._holdings):
            for namespace, scope in scopes.items():
                for grant in scope.grants:
                    if self.get_grant_bits(grant) & bit:
                        yield namespace, grant

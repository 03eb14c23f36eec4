"""Compile the step rules of a cluster into steps between the nodes of its graph."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from answerable.model.kubernetes_ids import (
    NODE_PREFIX,
    KubernetesResource,
    KubernetesSubject,
)
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.kubernetes.access_graph import AccessGraph, Edge
from answerable.reach.kubernetes.catalogue import PolicyRule
from answerable.reach.kubernetes.pod_edges import PodNodes
from answerable.reach.kubernetes.rule_matching import KubernetesRequest, build_request
from answerable.reach.kubernetes.step_rules import (
    ADMISSION,
    ARGO_ACCOUNT,
    IMPERSONATE_GROUPS,
    OBJECT_EXISTS,
    SERVER_VERSION,
    STEP_RULES,
    WORKLOAD_KINDS,
    Gain,
    Need,
    StepRule,
)
from answerable.reach.kubernetes.subject_keys import MASTERS, NODES

ENFORCE = "pod-security.kubernetes.io/enforce"
# Kind of object without which a gain is not known, and the object in words.
_LISTED = {
    Gain.HELD_TOKENS: "secrets",
    Gain.RUNNING_PODS: "pods",
    Gain.PODS_OF_NODES: "pods",
}
_UNLISTED = {
    "pods": "a pod that runs as the service account",
    "secrets": "a secret with a token of the service account",
}
Requests = tuple[tuple[KubernetesRequest, ...], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Scope of a step, with the name that limits it; both may be empty."""

    namespace: str = ""
    name: str = ""


class StepCompiler:
    """Compiler of the steps that permissions give."""

    def __init__(self, graph: AccessGraph, pods: PodNodes) -> None:
        self.graph = graph
        self.pods = pods
        self.index = graph.index
        self._accounts: dict[str, dict[str, int]] = defaultdict(dict)
        self._users: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        for number, subject in enumerate(graph.subjects):
            if subject is not None:
                self._file_subject(subject, 1 << number)
        self._held_tokens = self._collect_held_tokens()
        self._labels = {
            each.name: dict(each.labels) for each in self.index.cluster.namespaces
        }
        kinds: dict[str, set[str]] = defaultdict(set)
        for workload in self.index.cluster.workloads:
            plural = WORKLOAD_KINDS.get(workload.kind, "")
            kinds[workload.namespace].add(plural)
            kinds[workload.namespace].add(f"{plural}/{workload.name}")
        self._workload_kinds = kinds
        for namespace in self.index.namespaces:
            self._hold_secrets(namespace)

    def _file_subject(self, subject: KubernetesSubject, bit: int) -> None:
        """File the bit of an identity under its name."""
        if subject.kind == "serviceaccount":
            self._accounts[subject.namespace][subject.name] = bit
        elif subject.kind == "group":
            self._groups[subject.name] = bit
        else:
            self._users[subject.name] = bit

    def _collect_held_tokens(self) -> dict[str, dict[str, int]]:
        """Collect the service accounts of token secrets, by namespace and secret."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for secret in self.index.cluster.secrets:
            bit = self._accounts[secret.namespace].get(secret.service_account, 0)
            if bit:
                found[secret.namespace][secret.name] = bit
        for account in self.index.cluster.service_accounts:
            for name in account.secrets:
                bit = self._accounts[account.namespace].get(account.name, 0)
                found[account.namespace].setdefault(name, bit)
        return found

    def compile_rules(self) -> Iterator[Edge]:
        """Yield the steps of all rules."""
        for rule in STEP_RULES:
            condition = self._build_condition(rule)
            if condition is None:
                continue
            places = self.index.namespaces if rule.namespaced else ("",)
            for namespace in places:
                yield from self._compile_in_place(rule, condition, namespace)
        yield from self._compile_group_impersonation()

    def _build_condition(self, rule: StepRule) -> Formula | None:
        """Build the condition of a rule; None where the version rules it out."""
        if rule.before is not None:
            version = parse_version(self.index.cluster.version)
            if version is None:
                text = ".".join(map(str, rule.before))
                return build_atom(SERVER_VERSION, "LessThan", (text,))
            return TRUE if version < rule.before else None
        if rule.condition and rule.condition != ADMISSION:
            return build_atom(rule.condition, "Allows", (rule.name,))
        return TRUE

    def _compile_in_place(
        self, rule: StepRule, condition: Formula, namespace: str
    ) -> Iterator[Edge]:
        """Yield the steps of a rule in one scope, for all objects and for named ones."""
        requests = build_needed_requests(rule.needs, _Place(namespace))
        everybody = self._find_actors(requests)
        if everybody:
            yield from self._build_edges(
                rule, condition, _Place(namespace), (everybody, requests)
            )
        names = dict.fromkeys(
            name
            for request in requests[0]
            for name in self.graph.list_limited_names(request)
        )
        for name in names if not rule.needs[0].names else ():
            named = build_needed_requests(rule.needs, _Place(namespace, name))
            actors = self._find_actors(named) & ~everybody
            if actors:
                yield from self._build_edges(
                    rule, condition, _Place(namespace, name), (actors, named)
                )

    def _find_actors(self, requests: Requests) -> int:
        """Return the bits of the nodes that may make one request of each group."""
        bits = -1
        for group in requests:
            bits &= self.graph.find_allowed_any(group)
            if not bits:
                return 0
        return bits

    def _build_edges(
        self,
        rule: StepRule,
        condition: Formula,
        place: _Place,
        actors: tuple[int, Requests],
    ) -> Iterator[Edge]:
        """Yield a step for each gain of a rule."""
        if rule.existing:
            exists = self._build_existence(rule, place)
            if exists is None:
                return
            condition = exists
        bits, requests = actors
        for gain in rule.gains:
            formula = condition
            if gain is Gain.NODES:
                formula = self._build_admission(place.namespace, rule)
            targets = self._list_gained(gain, place)
            if targets:
                yield Edge(bits, targets, "", formula, requests, api_only=rule.api_only)
            kind = _LISTED.get(gain, "")
            if kind and not self.index.collected.includes(kind, place.namespace):
                seen = build_atom(OBJECT_EXISTS, "Equals", (_UNLISTED[kind],))
                others = self._list_unlisted(place) & ~targets
                if others:
                    both = conjoin(formula, seen)
                    yield Edge(bits, others, "", both, requests, api_only=rule.api_only)

    def _list_unlisted(self, place: _Place) -> int:
        """Return the bits of the service accounts that unlisted objects may hold."""
        if place.namespace:
            return _join_bits(self._accounts.get(place.namespace, {}).values())
        return _join_bits(
            bit for each in self._accounts.values() for bit in each.values()
        )

    def _build_existence(self, rule: StepRule, place: _Place) -> Formula | None:
        """Build the condition that an object of the kind exists; None if none does."""
        wanted = {
            f"{kind[0]}/{place.name}" if place.name else kind[0]
            for kind in rule.needs[0].kinds
        }
        if wanted & self._workload_kinds[place.namespace]:
            return TRUE
        collected = self.index.collected
        if all(
            collected.includes(kind[0], place.namespace) for kind in rule.needs[0].kinds
        ):
            return None
        return build_atom(OBJECT_EXISTS, "Equals", (f"workload in {place.namespace}",))

    def _build_admission(self, namespace: str, rule: StepRule) -> Formula:
        """Build the condition that admission lets a privileged pod in.

        Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/
        """
        level = self._labels.get(namespace, {}).get(ENFORCE, "")
        if level == "privileged" and not rule.condition:
            return TRUE
        wanted = f"privileged pod in {namespace}"
        if level and not rule.condition:
            wanted = f"{wanted}, although {ENFORCE}={level}"
        return build_atom(ADMISSION, "Allows", (wanted,))

    def _list_gained(self, gain: Gain, place: _Place) -> int:
        """Return the bits of what a gain gives in a scope."""
        lists: dict[Gain, Callable[[_Place], int]] = {
            Gain.SERVICE_ACCOUNTS: self._list_accounts,
            Gain.HELD_TOKENS: self._list_held_tokens,
            Gain.RUNNING_PODS: lambda at: self.pods.list_pods(at.namespace, at.name),
            Gain.PODS_OF_NODES: lambda at: self.pods.list_pods_on(at.name),
            Gain.SECRETS: lambda at: self._hold_secrets(at.namespace),
            Gain.NODES: lambda at: self._list_node_identities(),
            Gain.USERS: lambda at: select_named(self._users, at.name),
            Gain.GROUPS: lambda at: select_named(self._groups, at.name),
            Gain.CERTIFICATES: lambda at: self._list_certificate_names(),
            Gain.ARGO_CONTROLLER: lambda at: _join_bits(
                bit
                for each in self._accounts.values()
                for name, bit in each.items()
                if name.endswith(ARGO_ACCOUNT)
            ),
            Gain.EVERY_POD: lambda at: _join_bits(
                bit for each in self._accounts.values() for bit in each.values()
            ),
        }
        return lists[gain](place)

    def _list_accounts(self, place: _Place) -> int:
        """Return the bits of the service accounts of a namespace, or of the named one.

        The name of another object, as of a workload, gives all of the namespace.
        """
        accounts = self._accounts.get(place.namespace, {})
        if place.name in accounts:
            return accounts[place.name]
        named_workload = any(
            each.endswith(f"/{place.name}")
            for each in self._workload_kinds[place.namespace]
        )
        return 0 if place.name and not named_workload else _join_bits(accounts.values())

    def _list_held_tokens(self, place: _Place) -> int:
        """Return the bits of the service accounts whose tokens secrets hold."""
        return select_named(self._held_tokens.get(place.namespace, {}), place.name)

    def _list_node_identities(self) -> int:
        """Return the bits of the node identities; of their group if no node is known."""
        nodes = (b for name, b in self._users.items() if name.startswith(NODE_PREFIX))
        found = _join_bits(nodes)
        if not found:
            group = KubernetesSubject(self.index.name, "group", NODES)
            found = self.graph.get_bit(str(group))
        return found

    def _list_certificate_names(self) -> int:
        """Return the bits of the users and groups that a certificate may name.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/
        admission-controllers/#certificatesubjectrestriction
        """
        groups = (bit for name, bit in self._groups.items() if name != MASTERS)
        return _join_bits((*self._users.values(), *groups))

    def _hold_secrets(self, namespace: str) -> int:
        """Return the bit of the permission to read all secrets of a namespace."""
        resource = KubernetesResource(self.index.name, namespace, "secrets")
        rule = PolicyRule(("get",), ("",), ("secrets", "configmaps"))
        return self.graph.add_holding(resource, namespace, (rule,))

    def _compile_group_impersonation(self) -> Iterator[Edge]:
        """Yield the steps to groups; they need the impersonation of some user too.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/,
        "Impersonate-Group ... Requires Impersonate-User"
        """
        users = build_request("impersonate", ("users", "", ""))
        accounts = ("serviceaccounts", "", "")
        asked = [users] + [
            build_request("impersonate", accounts, "", namespace)
            for namespace in self.index.namespaces
        ]
        named = [
            replace(request, name=name)
            for request in asked
            for name in self.graph.list_limited_names(request)
        ]
        either = tuple(asked + named)
        some_user = self.graph.find_allowed_any(either)
        if not some_user:
            return
        request = build_request("impersonate", IMPERSONATE_GROUPS.kinds[0])
        everybody = self.graph.find_allowed(request) & some_user
        if everybody:
            yield Edge(
                everybody,
                _join_bits(self._groups.values()),
                "",
                needs=((request,), either),
                api_only=True,
            )
        for name in self.graph.list_limited_names(request):
            one = replace(request, name=name)
            actors = self.graph.find_allowed(one) & some_user & ~everybody
            if actors and name in self._groups:
                yield Edge(
                    actors,
                    self._groups[name],
                    "",
                    needs=((one,), either),
                    api_only=True,
                )


def build_needed_requests(needs: Iterable[Need], place: _Place) -> Requests:
    """Build the requests that a step needs in a scope.

    A name is that of the first need's object.
    """
    return tuple(
        tuple(
            build_request(
                verb,
                kind,
                name,
                "" if need.anywhere else place.namespace,
            )
            for verb in need.verbs
            for kind in need.kinds
            for name in need.names or (place.name if n == 0 else "",)
        )
        for n, need in enumerate(needs)
    )


def select_named(bits: dict[str, int], name: str) -> int:
    """Return the bit of a name; those of all without one."""
    return bits.get(name, 0) if name else _join_bits(bits.values())


def _join_bits(bits: Iterable[int]) -> int:
    """Join bits."""
    found = 0
    for each in bits:
        found |= each
    return found


def parse_version(text: str) -> tuple[int, int] | None:
    """Parse the version of a cluster, as `v1.34.2` or `1.34`; None for another text."""
    parts = text.lstrip("v").split(".")
    digits = [part.rstrip("+") for part in parts[:2]]
    if len(digits) < 2 or not all(each.isdigit() for each in digits):
        return None
    return int(digits[0]), int(digits[1])

"""Graph of identities: every edge with its conditions and its proof."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import Layer
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_element import account_of
from answerable.reach.aws.compiled.principals import (
    EVERYTHING_CLAUSE,
    Principal,
    is_editable,
)
from answerable.reach.aws.compiled.statements import Clause, Grant
from answerable.reach.aws.compiled.trust_index import service_kind
from answerable.reach.aws.escalation_rules.registry import RUNNING, Running
from answerable.reach.aws.evaluation.assume_role import assume
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.request import name
from answerable.reach.aws.evaluation.trust import ASSUME, Entry, entries
from answerable.reach.aws.paths.administrator import is_admin, wide
from answerable.reach.aws.paths.code_takeover import takeovers
from answerable.reach.aws.paths.created_identities import (
    is_made,
    made_principal,
    making,
)
from answerable.reach.aws.paths.edges import Edge, Node, Only, is_sure, make_edge
from answerable.reach.aws.paths.iam_edits import admin_edges, edits
from answerable.reach.aws.paths.pass_role import launching
from answerable.reach.aws.patterns.arns import EVERYTHING, matches_parts, text_parts
from answerable.reach.formula import TRUE


@dataclass(eq=False, slots=True)
class Graph:
    """Graph of the identities of compiled accounts; edges are computed on demand.

    Attributes:
        all: Closure, once it was computed (`get_closure`).
        tagged: Statements that depend on a tag, once collected (`self_tagging`).
        restore: Returns the stored closure of an equal graph, or None.
        keep: Stores the closure after it was computed.
    """

    estate: Estate
    all: object = None
    tagged: tuple[Clause, ...] | None = None
    restore: Callable[["Graph"], object] | None = None
    keep: Callable[["Graph"], None] | None = None
    _principals: dict[Node, Principal] = field(default_factory=dict)
    _edges: dict[Node, tuple[Edge, ...]] = field(default_factory=dict)
    _single: dict[tuple[Node, Node], Edge | None] = field(default_factory=dict)
    _admin: dict[Node, bool] = field(default_factory=dict)
    _entries: dict[IdentityId, tuple[Entry, ...]] = field(default_factory=dict)
    _lent: dict[Running, tuple[ResourceId, ...]] = field(default_factory=dict)
    _code: dict[tuple[Running, str], dict[IdentityId, list[ResourceId]]] = field(
        default_factory=dict
    )
    _resources: dict[tuple[str, str], list[ResourceId]] | None = None

    def over(self, estate: Estate) -> "Graph":
        """Return the graph of other compiled accounts with the same resources.

        The resource policies must be equal for the actions of escalation rules.
        """
        return Graph(
            estate, tagged=self.tagged, _lent=self._lent, _resources=self._resources
        )

    def principal(self, node: Node) -> Principal:
        """Return the principal of a node."""
        found = self._principals.get(node)
        if found is None:
            found = self._make(node)
            if node.session and self.estate.session:
                found = found.under(self.estate.session)
            self._principals[node] = found
        return found

    def start(self, identity: IdentityId) -> Node:
        """Return the node of a subject, which a stated session policy limits."""
        return Node(identity, session=self.estate.session is not None)

    def admin(self, node: Node) -> bool:
        """Tell whether a node is an administrator."""
        found = self._admin.get(node)
        if found is None:
            found = self._admin[node] = is_admin(self.principal(node))
        return found

    def edges(self, node: Node) -> tuple[Edge, ...]:
        """List the edges of a node, the best one to each neighbour."""
        found = self._edges.get(node)
        if found is None:
            best: dict[Node, Edge] = {}
            for edge in self._steps(node, best):
                _keep(best, edge)
            found = self._edges[node] = tuple(sorted(best.values(), key=_order))
        return found

    def edge(self, node: Node, to: Node) -> Edge | None:
        """Return the best edge between two nodes; None where there is none."""
        key = node, to
        if key not in self._single:
            best: dict[Node, Edge] = {}
            for edge in self._steps(node, best, frozenset([to.identity])):
                _keep(best, edge)
                if is_sure(best, to):
                    break
            self._single[key] = best.get(to)
        return self._single[key]

    def entries(self, role: IdentityId) -> tuple[Entry, ...]:
        """List the principals outside the snapshot that may enter a role."""
        found = self._entries.get(role)
        if found is None:
            trust = self.estate.trusts.get(role)
            known = self.estate.hop(ASSUME, role).known
            accounts = self.estate.accounts
            listed = tuple(entries(trust, known, accounts)) if trust else ()
            found = self._entries[role] = listed
        return found

    def lent(self, rule: Running) -> tuple[ResourceId, ...]:
        """List resources whose policy may allow a takeover from other accounts."""
        if not self._lent:
            running: dict[str, list[Resource]] = defaultdict(list)
            for resource in self.estate.resources.values():
                if resource.runs_as:
                    running[resource.kind].append(resource)
            for one in RUNNING:
                self._lent[one] = tuple(self._lending(one, running[one.kind]))
        return self._lent[rule]

    def _lending(
        self, rule: Running, running: Iterable[Resource]
    ) -> Iterator[ResourceId]:
        action = rule.needs[0].action.lower()
        for resource in running:
            holder = self.estate.holders.get(resource.id)
            if holder and (holder.gaps or holder.speaking(action)):
                yield resource.id

    def resources(self, kind: str, account: str) -> tuple[ResourceId, ...]:
        """List the resources of one kind in an account."""
        if self._resources is None:
            self._resources = defaultdict(list)
            for resource in self.estate.running():
                owner = (*resource.id.split(":", 5), "", "", "", "", "")[4]
                key = resource.kind, owner or resource.account
                self._resources[key].append(resource.id)
        return tuple(self._resources.get((kind, account), ()))

    def code(
        self, rule: Running, account: str
    ) -> Mapping[IdentityId, Sequence[ResourceId]]:
        """List by identity the running code that an account's principals may take over.

        It is the account's own, and code whose policy may admit other accounts.
        """
        found = self._code.get((rule, account))
        if found is None:
            found = self._code[rule, account] = defaultdict(list)
            principals = self.estate.principals
            near = self.resources(rule.kind, account)
            for resource in dict.fromkeys((*near, *self.lent(rule))):
                runs_as = self.estate.runs_as(resource)
                if runs_as in principals:
                    found[runs_as].append(resource)
        return found

    def _make(self, node: Node) -> Principal:
        if is_made(node.identity):
            return made_principal(self.estate, node.identity)
        plain = self.estate.principals[node.identity]
        if node.bare:
            plain = plain.without_boundary()
        if not node.extra:
            return plain
        if node.extra == "*":
            policy = PolicyId(f"{node.identity}#after-edit")
            grant = Grant(EVERYTHING_CLAUSE, Layer.IDENTITY, policy, "any")
            return plain.with_more("*", [grant])
        gained = self.estate.groups[node.extra]
        managed = (grant.policy for grant in gained if is_editable(grant.policy))
        return replace(
            plain.with_more(node.extra, gained),
            groups=(*plain.groups, node.extra),
            policies=tuple(dict.fromkeys((*plain.policies, *managed))),
        )

    def _steps(
        self, node: Node, best: Mapping[Node, Edge], only: Only = None
    ) -> Iterator[Edge]:
        """Yield edges; nodes with an unconditional edge in `best` are skipped."""
        principal = self.principal(node)
        if self.admin(node) and not self._fenced(principal.identity.account):
            by = tuple(dict.fromkeys(name(g) for g in wide(principal.grants)))
            yield from admin_edges(self, principal, by, only)
            yield from self._assumes(principal, best, only, near=False)
            only = self._linked(principal.identity.account, only)
            if not only:
                return
        yield from self._assumes(principal, best, only)
        yield from launching(self, principal, best, only)
        yield from takeovers(self, principal, best, only)
        yield from edits(self, node, principal, best, only)
        yield from making(self, node, principal, best, only)

    def _linked(self, account: str, only: Only) -> frozenset[IdentityId]:
        """List the roles of an account that cannot be edited, of those asked about."""
        known = self.estate.principals
        asked = known if only is None else only
        return frozenset(
            one
            for one in asked
            if one in known
            and known[one].is_fixed
            and known[one].identity.account == account
        )

    def _fenced(self, account: str) -> bool:
        """Tell whether an RCP may deny an administrator the roles of its account."""
        fence = self.estate.fences.get(account)
        return fence is not None and bool(fence.gaps or fence.speaking(ASSUME))

    def _assumes(
        self,
        principal: Principal,
        best: Mapping[Node, Edge],
        only: Only,
        *,
        near: bool = True,
    ) -> Iterator[Edge]:
        roles = self.assumable(principal) if only is None else sorted(only)
        for role in roles:
            if role not in self.estate.trusts:
                continue
            if not near and self._same_account(principal, role):
                continue
            if role != principal.id and not is_sure(best, Node(role)):
                answer = assume(self.estate, principal, role)
                yield from make_edge(Node(role), "sts:AssumeRole", answer)

    def assumable(self, principal: Principal) -> list[IdentityId]:
        """List the roles whose trust policy could name a principal."""
        identity = principal.identity
        keys = ("*", identity.id, identity.unique_id, f"session {identity.account}")
        named = self.estate.by_named
        found = {role for key in keys for role in named.get(key, ())}
        # A trust policy that names the account delegates to identity policies.
        allows = principal.matching(ASSUME).allows
        left = named.get(f"account {identity.account}", ())
        if principal.gaps or not all(grant.clause.parts for grant in allows):
            return sorted(found.union(left))
        patterns = {p for g in allows for p in g.clause.parts}
        if any(grant.clause.not_resources for grant in allows):
            patterns.add(EVERYTHING)
        for role in left:
            text = text_parts(role)
            if any(matches_parts(pattern, text) for pattern in patterns):
                found.add(role)
        return sorted(found)

    def outsiders(self, role: IdentityId) -> tuple[Entry, ...]:
        """List the outside principals, services left out, that may enter a role."""
        estate = self.estate
        return tuple(
            entry
            for entry in self.entries(role)
            if entry.kind != "Service"
            and not estate.is_collected(account_of(entry.principal))
            and entry.principal not in estate.principals
        )

    def service_entries(self, role: IdentityId, service: str) -> Iterator[Entry]:
        """List the ways in which a service may enter a role of its own account."""
        trust, accounts = self.estate.trusts[role], self.estate.accounts
        kind = service_kind(service)
        signed = kind == "Service" and trust.account
        source = {"aws:sourceaccount": (trust.account,)} if signed else {}
        call = self.estate.hop(ASSUME, role, Known(source))
        for entry in entries(trust, call.known, accounts):
            if entry.kind == kind and entry.principal == service:
                yield entry

    def _same_account(self, principal: Principal, role: IdentityId) -> bool:
        return self.estate.trusts[role].account == principal.identity.account


def _keep(best: dict[Node, Edge], edge: Edge) -> None:
    """Keep the first edge to a node, or the first unconditional one."""
    held = best.get(edge.to)
    if held is None or (edge.formula == TRUE and held.formula != TRUE):
        best[edge.to] = edge


def _order(edge: Edge) -> tuple[bool, bool, Node]:
    """Return a sort key: edges that are checked most easily come first."""
    return is_made(edge.to.identity), edge.via != "sts:AssumeRole", edge.to

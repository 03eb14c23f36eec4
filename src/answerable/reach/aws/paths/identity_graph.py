"""Graph of identities: edges say who can become whom, with conditions and proof."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_principal_account
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
    is_customer_managed_policy,
)
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.request import describe_statement
from answerable.reach.aws.evaluation.trust_policies import (
    ASSUME_ROLE,
    RoleTrust,
    TrustEntry,
    list_external_trust_entries,
)
from answerable.reach.aws.paths.administrator import (
    is_administrator,
    select_allows_on_every_resource,
)
from answerable.reach.aws.paths.identity_edges import (
    IdentityEdge,
    IdentityFilter,
    IdentityNode,
    build_identity_edge,
    has_unconditional_edge,
    is_not_yet_created,
    keep_best_edge,
)
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, matches_arn, split_arn

if TYPE_CHECKING:  # rules of paths are imported where a path is followed
    from answerable.reach.aws.escalation_rules.registry import TakeoverRule
    from answerable.reach.aws.paths.takeover_resources import TakeoverResources


@dataclass(eq=False, slots=True)
class IdentityGraph:
    """Graph of the identities of compiled accounts; edges are computed on demand.

    Attributes:
        all: Closure, once it was computed (`get_closure`).
        tagged: Statements that depend on a tag, once collected (`self_tagging`).
        tagged_policies: Roles and resources whose own policy depends on a tag, likewise.
        restore: Returns the stored closure of an equal graph, or None.
        keep: Stores the closure after it was computed.
    """

    accounts: CompiledAccounts
    all: object = None
    tagged: tuple[CompiledStatement, ...] | None = None
    tagged_policies: frozenset[str] | None = None
    restore: Callable[["IdentityGraph"], object] | None = None
    keep: Callable[["IdentityGraph"], None] | None = None
    _principals: dict[IdentityNode, CompiledPrincipal] = field(default_factory=dict)
    _edges: dict[IdentityNode, tuple[IdentityEdge, ...]] = field(default_factory=dict)
    _single: dict[tuple[IdentityNode, IdentityNode], IdentityEdge | None] = field(
        default_factory=dict
    )
    _admin: dict[IdentityNode, bool] = field(default_factory=dict)
    _entries: dict[IdentityId, tuple[TrustEntry, ...]] = field(default_factory=dict)
    _takeover: "TakeoverResources | None" = None

    def with_compiled_accounts(self, accounts: CompiledAccounts) -> "IdentityGraph":
        """Return the graph of other compiled accounts, same resources.

        The resource policies must be equal for the actions of escalation rules.
        """
        return IdentityGraph(
            accounts,
            tagged=self.tagged,
            tagged_policies=self.tagged_policies,
            _takeover=self.takeover_resources.with_compiled_accounts(accounts),
        )

    def get_principal(self, node: IdentityNode) -> CompiledPrincipal:
        """Return the compiled principal of a node."""
        found = self._principals.get(node)
        if found is None:
            found = self._build_node_principal(node)
            if node.session and self.accounts.session:
                found = found.with_session_policy(self.accounts.session)
            self._principals[node] = found
        return found

    def drop_cached_principal(self, node: IdentityNode) -> None:
        """Drop the cached principal of a node, whose compiled form has changed."""
        self._principals.pop(node, None)
        self._admin.pop(node, None)

    def get_start_node(self, identity: IdentityId) -> IdentityNode:
        """Return a subject's node, limited by its session policy."""
        return IdentityNode(identity, session=self.accounts.session is not None)

    def is_administrator(self, node: IdentityNode) -> bool:
        """Return whether a node may call any action on any resource."""
        found = self._admin.get(node)
        if found is None:
            found = self._admin[node] = is_administrator(self.get_principal(node))
        return found

    def list_best_edges(self, node: IdentityNode) -> tuple[IdentityEdge, ...]:
        """List the identities a node becomes in one step, each by its best way."""
        found = self._edges.get(node)
        if found is None:
            best: dict[IdentityNode, IdentityEdge] = {}
            for edge in self._list_steps(node, best):
                keep_best_edge(best, edge)
            found = self._edges[node] = tuple(sorted(best.values(), key=_edge_sort_key))
        return found

    def find_best_edge(
        self, node: IdentityNode, target: IdentityNode
    ) -> IdentityEdge | None:
        """Return the best edge between two nodes; None where there is none."""
        key = node, target
        if key not in self._single:
            best: dict[IdentityNode, IdentityEdge] = {}
            for edge in self._list_steps(node, best, frozenset([target.identity])):
                keep_best_edge(best, edge)
                if has_unconditional_edge(best, target):
                    break
            self._single[key] = best.get(target)
        return self._single[key]

    def list_best_edges_by_trust(
        self, node: IdentityNode, roles: frozenset[IdentityId]
    ) -> list[IdentityEdge]:
        """List the best edge to each of some roles by their trust policies alone."""
        from answerable.reach.aws.paths.pass_role import list_pass_role_edges

        best: dict[IdentityNode, IdentityEdge] = {}
        principal = self.get_principal(node)
        for edge in chain(
            self._list_assume_role_edges(principal, best, roles),
            list_pass_role_edges(self, principal, best, roles),
        ):
            keep_best_edge(best, edge)
        return sorted(best.values(), key=_edge_sort_key)

    def list_external_trust_entries(self, role: IdentityId) -> tuple[TrustEntry, ...]:
        """List principals outside the snapshot that may assume a role."""
        found = self._entries.get(role)
        if found is None:
            trust = self.accounts.trusts.get(role)
            found = self._entries[role] = self._evaluate_trust(trust) if trust else ()
        return found

    def list_entries_with_claims(
        self, role: IdentityId, claims: ContextKeys
    ) -> tuple[TrustEntry, ...]:
        """List principals outside the snapshot that may assume a role by a token."""
        trust = self.accounts.trusts.get(role)
        return self._evaluate_trust(trust, claims) if trust else ()

    def _evaluate_trust(
        self, trust: RoleTrust, claims: ContextKeys = NO_KEYS
    ) -> tuple[TrustEntry, ...]:
        """Evaluate a role's trust policy; look up the role only if a condition asks."""
        accounts = self.accounts
        known = accounts.stated_session_keys
        if trust.may_depend_on_role_keys:
            known = accounts.build_hop_request(ASSUME_ROLE, trust.role).known
        known = claims.merge_over(known)
        return tuple(list_external_trust_entries(trust, known, accounts.accounts))

    @property
    def takeover_resources(self) -> "TakeoverResources":
        """Resources that takeover and pass-role rules act on."""
        if self._takeover is None:
            from answerable.reach.aws.paths.takeover_resources import TakeoverResources

            self._takeover = TakeoverResources(self.accounts)
        return self._takeover

    def list_cross_account_resources(
        self, rule: "TakeoverRule"
    ) -> tuple[ResourceId, ...]:
        """List resources whose policy may allow a takeover from other accounts."""
        return self.takeover_resources.list_cross_account_resources(rule)

    def list_resources_of_kind(self, kind: str, account: str) -> tuple[ResourceId, ...]:
        """List an account's resources of one kind, such as functions."""
        return self.takeover_resources.list_resources_of_kind(kind, account)

    def _build_node_principal(self, node: IdentityNode) -> CompiledPrincipal:
        """Build a node's principal with the permissions it gained."""
        if is_not_yet_created(node.identity):
            from answerable.reach.aws.paths import identity_creation as creation

            return creation.compile_uncreated_principal(self.accounts, node.identity)
        plain = self.accounts.principals[node.identity]
        if node.bare:
            plain = plain.without_boundary()
        if not node.extra:
            return plain
        if node.extra == "*":
            policy = PolicyId(f"{node.identity}#after-edit")
            grant = PolicyStatement(
                FULL_ACCESS_STATEMENT, PolicyLayer.IDENTITY, policy, "any"
            )
            return plain.with_extra_statements("*", [grant])
        gained = self.accounts.groups[node.extra]
        managed = (
            grant.policy for grant in gained if is_customer_managed_policy(grant.policy)
        )
        return replace(
            plain.with_extra_statements(node.extra, gained),
            groups=(*plain.groups, node.extra),
            policies=tuple(dict.fromkeys((*plain.policies, *managed))),
        )

    def _list_steps(
        self,
        node: IdentityNode,
        best_edges: Mapping[IdentityNode, IdentityEdge],
        targets: IdentityFilter = None,
    ) -> Iterator[IdentityEdge]:
        """Yield edges, except to nodes with an unconditional one in `best_edges`."""
        from answerable.reach.aws.paths import code_takeover, iam_edits, pass_role
        from answerable.reach.aws.paths.identity_creation import list_creation_edges

        principal = self.get_principal(node)
        if self.is_administrator(node) and not self._may_rcp_deny_roles(
            principal.identity.account
        ):
            by = tuple(
                dict.fromkeys(
                    describe_statement(g)
                    for g in select_allows_on_every_resource(principal.grants)
                )
            )
            yield from iam_edits.list_administrator_edges(self, principal, by, targets)
            yield from self._list_assume_role_edges(
                principal, best_edges, targets, include_same_account=False
            )
            targets = self._list_immutable_roles(principal.identity.account, targets)
            if not targets:
                return
        yield from self._list_assume_role_edges(principal, best_edges, targets)
        asked = best_edges, targets
        yield from pass_role.list_pass_role_edges(self, principal, *asked)
        yield from code_takeover.list_code_takeover_edges(self, principal, *asked)
        yield from iam_edits.list_iam_edit_edges(self, node, principal, *asked)
        yield from list_creation_edges(self, node, principal, *asked)

    def _list_immutable_roles(
        self, account: str, targets: IdentityFilter
    ) -> frozenset[IdentityId]:
        """List the requested roles of an account that cannot be edited."""
        known = self.accounts.principals
        asked = known if targets is None else targets
        return frozenset(
            one
            for one in asked
            if one in known
            and known[one].is_immutable_role
            and known[one].identity.account == account
        )

    def _may_rcp_deny_roles(self, account: str) -> bool:
        """Return whether an RCP may deny an account's administrator its roles."""
        fence = self.accounts.rcps.get(account)
        return fence is not None and bool(
            fence.gaps or fence.select_denies(ASSUME_ROLE)
        )

    def _list_assume_role_edges(
        self,
        principal: CompiledPrincipal,
        best_edges: Mapping[IdentityNode, IdentityEdge],
        targets: IdentityFilter,
        *,
        include_same_account: bool = True,
    ) -> Iterator[IdentityEdge]:
        """Yield the `sts:AssumeRole` edges of a principal."""
        from answerable.reach.aws.evaluation.assume_role import evaluate_assume_role

        roles = (
            self.list_assumable_roles(principal) if targets is None else sorted(targets)
        )
        for role in roles:
            if role not in self.accounts.trusts:
                continue
            same = self.accounts.trusts[role].account == principal.identity.account
            if same and not include_same_account:
                continue
            node = IdentityNode(role)
            if role != principal.id and not has_unconditional_edge(best_edges, node):
                answer = evaluate_assume_role(self.accounts, principal, role)
                yield from build_identity_edge(node, "sts:AssumeRole", answer)

    def list_assumable_roles(
        self, principal: CompiledPrincipal, targets: IdentityFilter = None
    ) -> list[IdentityId]:
        """List the roles, or those of some, whose trust policy could name a principal."""
        identity = principal.identity
        keys = ("*", identity.id, identity.unique_id, f"session {identity.account}")
        named = self.accounts.by_named
        found = {role for key in keys for role in named.get(key, ())}
        # A trust policy that names the account delegates to identity policies.
        allows = principal.select_statements(ASSUME_ROLE).allows
        left = named.get(f"account {identity.account}", ())
        if targets is not None:
            found &= targets
            left = tuple(targets.intersection(left)) if targets else ()
        if principal.gaps or not all(grant.clause.parts for grant in allows):
            return sorted(found.union(left))
        patterns = {p for g in allows for p in g.clause.parts}
        if any(grant.clause.not_resources for grant in allows):
            patterns.add(ANY_ARN)
        for role in left:
            text = split_arn(role)
            if any(matches_arn(pattern, text) for pattern in patterns):
                found.add(role)
        return sorted(found)

    def list_external_role_entries(self, role: IdentityId) -> tuple[TrustEntry, ...]:
        """List principals outside the snapshot that may assume a role."""
        accounts = self.accounts
        return tuple(
            entry
            for entry in self.list_external_trust_entries(role)
            if entry.kind != "Service"
            and not accounts.is_account_collected(
                get_principal_account(entry.principal)
            )
            and entry.principal not in accounts.principals
        )

    def list_service_assume_role_entries(
        self, role: IdentityId, service: str
    ) -> Iterator[TrustEntry]:
        """List the edges by which an AWS service can assume a role."""
        from answerable.reach.aws.compiled.trust_index import get_service_principal_kind

        trust, accounts = self.accounts.trusts[role], self.accounts.accounts
        kind = get_service_principal_kind(service)
        signed = kind == "Service" and trust.account
        source = {"aws:sourceaccount": (trust.account,)} if signed else {}
        call = self.accounts.build_hop_request(ASSUME_ROLE, role, ContextKeys(source))
        for entry in list_external_trust_entries(trust, call.known, accounts):
            if entry.kind == kind and entry.principal == service:
                yield entry


def _edge_sort_key(edge: IdentityEdge) -> tuple[bool, bool, IdentityNode]:
    """Return a sort key that puts the edges cheapest to verify first."""
    return is_not_yet_created(edge.to.identity), edge.via != "sts:AssumeRole", edge.to

"""From one identity to the next: every edge with its conditions and its proof."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Layer
from answerable.reach.admin import is_admin, wide
from answerable.reach.assume import assume
from answerable.reach.clauses import Grant
from answerable.reach.context import NOTHING, Known
from answerable.reach.edits import edits, hub_edges
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, decide, name, surely
from answerable.reach.formula import FALSE, TRUE
from answerable.reach.principals import EVERYTHING_CLAUSE, Principal
from answerable.reach.resources import EVERYTHING, matches_parts, text_parts
from answerable.reach.rules import LAUNCHES, Launch, Need
from answerable.reach.steps import HUB, Edge, Node, is_sure, make_edge
from answerable.reach.trust import ASSUME, Entry, account_of, entries
from answerable.reach.witness import somewhere

PASS_ROLE = "iam:passrole"  # noqa: S105 - an action


@dataclass(eq=False, slots=True)
class Graph:
    """Edges of an estate, found when first asked for."""

    estate: Estate
    _principals: dict[Node, Principal] = field(default_factory=dict)
    _edges: dict[Node, tuple[Edge, ...]] = field(default_factory=dict)
    _admin: dict[Node, bool] = field(default_factory=dict)
    _entries: dict[IdentityId, tuple[Entry, ...]] = field(default_factory=dict)

    def principal(self, node: Node) -> Principal:
        """Return the principal a node stands for."""
        found = self._principals.get(node)
        if found is None:
            found = self._principals[node] = self._make(node)
        return found

    def admin(self, node: Node) -> bool:
        """Tell whether a node may do everything everywhere, unconditionally."""
        found = self._admin.get(node)
        if found is None:
            found = self._admin[node] = is_admin(self.principal(node))
        return found

    def edges(self, node: Node) -> tuple[Edge, ...]:
        """List the steps from a node, the best one to each neighbour."""
        found = self._edges.get(node)
        if found is None:
            best: dict[Node, Edge] = {}
            for edge in self._steps(node, best):
                held = best.get(edge.to)
                if held is None or (edge.formula == TRUE and held.formula != TRUE):
                    best[edge.to] = edge
            found = self._edges[node] = tuple(best[to] for to in sorted(best))
        return found

    def entries(self, role: IdentityId) -> tuple[Entry, ...]:
        """List who may enter a role from outside the snapshot's principals."""
        found = self._entries.get(role)
        if found is None:
            trust = self.estate.trusts.get(role)
            known = self.estate.hop(ASSUME, role).known
            listed = tuple(entries(trust, known)) if trust else ()
            found = self._entries[role] = listed
        return found

    def _make(self, node: Node) -> Principal:
        plain = self.estate.principals[node.identity]
        if not node.extra:
            return plain
        if node.extra == "*":
            policy = PolicyId(f"{node.identity}#after-edit")
            grant = Grant(EVERYTHING_CLAUSE, Layer.IDENTITY, policy, "any")
            return plain.with_more("*", [grant])
        return plain.with_more(node.extra, self.estate.groups[node.extra])

    def _steps(self, node: Node, best: Mapping[Node, Edge]) -> Iterator[Edge]:
        """Find steps; those to a node that `best` holds a sure step to are spared."""
        if node.extra == HUB:
            yield from hub_edges(self, node)
            return
        principal = self.principal(node)
        if self.admin(node):
            determining = tuple(dict.fromkeys(name(g) for g in wide(principal.grants)))
            hub = Node(IdentityId(f"account {principal.identity.account}"), HUB)
            yield Edge(hub, "", TRUE, determining, ())
            yield from self._assumes(principal, best, near=False)
            return
        yield from self._assumes(principal, best)
        yield from self._launches(principal, best)
        yield from edits(self, node, principal, best)

    def _assumes(
        self, principal: Principal, best: Mapping[Node, Edge], *, near: bool = True
    ) -> Iterator[Edge]:
        for role in self.assumable(principal):
            if not near and self._same_account(principal, role):
                continue
            if role != principal.id and not is_sure(best, Node(role)):
                answer = assume(self.estate, principal, role)
                yield from make_edge(Node(role), "sts:AssumeRole", answer)

    def assumable(self, principal: Principal) -> list[IdentityId]:
        """List the roles that a principal might assume: its trust could name it."""
        identity = principal.identity
        keys = ("*", identity.id, identity.unique_id, f"session {identity.account}")
        named = self.estate.by_named
        found = {role for key in keys for role in named.get(key, ())}
        # Trust in the account leaves it to the principal's own policies.
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
        """List who may enter a role and is neither a service nor in the snapshot."""
        accounts = {p.identity.account for p in self.estate.principals.values()}
        return tuple(
            entry
            for entry in self.entries(role)
            if entry.kind != "Service"
            and account_of(entry.principal) not in accounts
            and entry.principal not in self.estate.principals
        )

    def _launches(
        self, principal: Principal, best: Mapping[Node, Edge]
    ) -> Iterator[Edge]:
        sure = surely(principal, PASS_ROLE)
        if sure is not None and sure.formula == FALSE:
            return
        if not principal.matching(PASS_ROLE).allows:
            return
        met: dict[Need, Answer] = {}
        for launch in LAUNCHES:
            roles = [
                role
                for role in self.estate.by_service.get(launch.service, ())
                if self._same_account(principal, role)
                and role != principal.id
                and not is_sure(best, Node(role))
            ]
            if roles:
                yield from self._launch(principal, launch, roles, met)

    def _launch(
        self,
        principal: Principal,
        launch: Launch,
        roles: Iterable[IdentityId],
        met: dict[Need, Answer],
    ) -> Iterator[Edge]:
        for need in launch.needs:
            if need not in met:
                met[need] = somewhere(self.estate, principal, need)
            if met[need].formula == FALSE:
                return
        answers = [met[need] for need in launch.needs]
        via = " + ".join(("iam:PassRole", *(need.action for need in launch.needs)))
        bound = Known({"iam:passedtoservice": (launch.service,)})
        for role in roles:
            trusts = [e.answer for e in self._service_entries(role, launch.service)]
            passing = surely(principal, PASS_ROLE) or decide(
                principal, self.estate.hop(PASS_ROLE, role, bound)
            )
            if trusts:
                yield from make_edge(Node(role), via, passing, *answers, trusts[0])

    def _service_entries(self, role: IdentityId, service: str) -> Iterator[Entry]:
        account = self.estate.trusts[role].account
        known = Known({"aws:sourceaccount": (account,)}) if account else NOTHING
        call = self.estate.hop(ASSUME, role, known)
        for entry in entries(self.estate.trusts[role], call.known):
            if entry.kind == "Service" and entry.principal == service:
                yield entry

    def _same_account(self, principal: Principal, role: IdentityId) -> bool:
        return self.estate.trusts[role].account == principal.identity.account

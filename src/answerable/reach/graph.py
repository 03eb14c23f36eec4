"""From one identity to the next: every edge with its conditions and its proof."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Layer
from answerable.reach.admin import is_admin
from answerable.reach.assume import assume, assume_after_edit
from answerable.reach.clauses import Gap, Grant
from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, Determining, decide
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, chained
from answerable.reach.principals import EVERYTHING_CLAUSE, Principal, is_root
from answerable.reach.rules import (
    EDITS,
    LAUNCHES,
    OTHER_VERSION,
    Edit,
    Gives,
    Launch,
    On,
)
from answerable.reach.trust import ASSUME, Entry, account_of, entries
from answerable.reach.witness import somewhere

PASS_ROLE = "iam:passrole"  # noqa: S105 - an action


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """An identity, and what it gained on the way: nothing, `*`, or a group."""

    identity: IdentityId
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from a node.

    Attributes:
        to: Where it leads.
        via: The calls that make it, joined by ` + `.
        formula: When.
        determining: The statements that decided.
        gaps: What was not read and could change it.
    """

    to: Node
    via: str
    formula: Formula
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...]


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
            for edge in self._steps(node):
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

    def _steps(self, node: Node) -> Iterator[Edge]:
        principal = self.principal(node)
        yield from self._assumes(principal)
        yield from self._launches(principal)
        for edit in EDITS:
            found = principal.matching(edit.action.lower())
            if found.allows:
                yield from self._edit(node, principal, edit)

    def _assumes(self, principal: Principal) -> Iterator[Edge]:
        for role in self._candidates(principal):
            if role != principal.id:
                answer = assume(self.estate, principal, role)
                yield from _edge(Node(role), "sts:AssumeRole", answer)

    def _candidates(self, principal: Principal) -> list[IdentityId]:
        named = self.estate.by_named
        found = {
            role: None for key in _called(principal) for role in named.get(key, ())
        }
        return sorted(found)

    def assumable(self, principal: Principal) -> list[IdentityId]:
        """List the roles whose trust could name a principal."""
        return self._candidates(principal)

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

    def _launches(self, principal: Principal) -> Iterator[Edge]:
        passing = principal.matching(PASS_ROLE)
        if not passing.allows:
            return
        for launch in LAUNCHES:
            roles = self.estate.by_service.get(launch.service, ())
            own = [r for r in roles if self._same_account(principal, r)]
            if own:
                yield from self._launch(principal, launch, own)

    def _launch(
        self, principal: Principal, launch: Launch, roles: Iterable[IdentityId]
    ) -> Iterator[Edge]:
        answers = []
        for need in launch.needs:
            answer = somewhere(self.estate, principal, need)
            if answer.formula == FALSE:
                return
            answers.append(answer)
        via = " + ".join(("iam:PassRole", *(need.action for need in launch.needs)))
        bound = Known({"iam:passedtoservice": (launch.service,)})
        for role in roles:
            trusts = [e.answer for e in self._service_entries(role, launch.service)]
            passing = decide(principal, self.estate.hop(PASS_ROLE, role, bound))
            if trusts and role != principal.id:
                yield from _edge(Node(role), via, passing, *answers, trusts[0])

    def _service_entries(self, role: IdentityId, service: str) -> Iterator[Entry]:
        account = self.estate.trusts[role].account
        known = Known({"aws:sourceaccount": (account,)}) if account else NOTHING
        call = self.estate.hop(ASSUME, role, known)
        for entry in entries(self.estate.trusts[role], call.known):
            if entry.kind == "Service" and entry.principal == service:
                yield entry

    def _edit(self, node: Node, principal: Principal, edit: Edit) -> Iterator[Edge]:
        match edit.gives:
            case Gives.TARGET:
                for target in self._targets(principal, role=False):
                    answer = self._may(principal, edit, target)
                    yield from _edge(Node(target), edit.action, answer)
            case Gives.TRUST:
                for target in self._targets(principal, role=True):
                    answer = self._may(principal, edit, target)
                    if answer.formula != FALSE:
                        then = assume_after_edit(self.estate, principal, target)
                        via = f"{edit.action} + sts:AssumeRole"
                        yield from _edge(Node(target), via, answer, then)
            case Gives.MEMBERSHIP:
                yield from self._join(node, principal, edit)
            case Gives.SELF:
                yield from self._widen(node, principal, edit)
            case Gives.SERVICE_ROLE:
                pass  # launches, not edits, give these

    def _join(self, node: Node, principal: Principal, edit: Edit) -> Iterator[Edge]:
        if principal.is_role or node.extra:
            return
        for group in self.estate.groups:
            if group not in principal.groups and _account(group) == _account(
                node.identity
            ):
                answer = self._may(principal, edit, group)
                yield from _edge(Node(node.identity, group), edit.action, answer)

    def _widen(self, node: Node, principal: Principal, edit: Edit) -> Iterator[Edge]:
        """Edit a policy of the principal itself, or of one it can become."""
        if node.extra != "*" and not self.admin(node):
            for target in _edited(edit.on, principal):
                answer = self._other_version(edit, self._may(principal, edit, target))
                yield from _edge(Node(node.identity, "*"), edit.action, answer)
        if edit.on is On.GROUP:
            return
        for step in self._becoming(node, principal):
            other = self.estate.principals[step.to.identity]
            if other.identity.account != principal.identity.account:
                continue  # IAM's calls act on the caller's own account
            for target in _edited(edit.on, other):
                answer = self._other_version(edit, self._may(principal, edit, target))
                if answer.formula != FALSE and not self.admin(step.to):
                    become = Answer(step.formula, step.determining, step.gaps)
                    via = f"{edit.action} + {step.via}"
                    yield from _edge(Node(other.id, "*"), via, answer, become)

    def _becoming(self, node: Node, principal: Principal) -> Iterator[Edge]:
        yield from self._assumes(principal)
        for edit in EDITS:
            if (
                edit.gives is Gives.TARGET
                and principal.matching(edit.action.lower()).allows
            ):
                yield from self._edit(node, principal, edit)

    def _other_version(self, edit: Edit, answer: Answer) -> Answer:
        if edit.action != "iam:SetDefaultPolicyVersion" or answer.formula == FALSE:
            return answer
        wider = atom(OTHER_VERSION, "Exists", ())
        return Answer(both(answer.formula, wider), answer.determining, answer.gaps)

    def _may(self, principal: Principal, edit: Edit, target: str) -> Answer:
        known = Known({key: (value,) for key, value in edit.context})
        return decide(principal, self.estate.hop(edit.action, target, known))

    def _targets(self, principal: Principal, *, role: bool) -> Iterator[IdentityId]:
        for other in self.estate.principals.values():
            mine = other.identity.account == principal.identity.account
            fits = other.is_role == role and not is_root(other.identity)
            if mine and fits and other.id != principal.id:
                yield other.id

    def _same_account(self, principal: Principal, role: IdentityId) -> bool:
        return self.estate.trusts[role].account == principal.identity.account


def _edge(to: Node, via: str, *answers: Answer) -> Iterator[Edge]:
    """Make an edge of the answers to its calls; they are calls of their own."""
    if any(answer.formula == FALSE for answer in answers):
        return
    determining = dict.fromkeys(d for a in answers for d in a.determining)
    gaps = dict.fromkeys(g for a in answers for g in a.gaps)
    formula = chained(*(answer.formula for answer in answers))
    yield Edge(to, via, formula, tuple(determining), tuple(gaps))


def _edited(on: On, principal: Principal) -> tuple[str, ...]:
    match on:
        case On.USER:
            return () if principal.is_role else (principal.id,)
        case On.ROLE:
            return (principal.id,) if principal.is_role else ()
        case On.GROUP:
            return principal.groups
        case On.POLICY:
            return principal.policies


def _called(principal: Principal) -> tuple[str, ...]:
    identity = principal.identity
    return ("*", identity.id, identity.account, identity.unique_id)


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""

"""Steps made by editing IAM: credentials, trusts, policies, memberships."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from answerable.reach.assume import assume_after_edit
from answerable.reach.context import Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, decide, surely
from answerable.reach.formula import FALSE, TRUE, atom, both
from answerable.reach.principals import Principal, is_root
from answerable.reach.rules import EDITS, OTHER_VERSION, Edit, Gives, On
from answerable.reach.steps import Edge, Node, is_sure, make_edge

Best = Mapping[Node, Edge]


class _Graph(Protocol):
    estate: Estate

    def admin(self, node: Node) -> bool: ...


def hub_edges(graph: _Graph, hub: Node) -> Iterator[Edge]:
    """List where every admin of an account may go, as what."""
    account = hub.identity.removeprefix("account ")
    for other in graph.estate.principals.values():
        if other.identity.account != account or is_root(other.identity):
            continue
        enter = "iam:CreateAccessKey"
        write = "iam:PutUserPolicy"
        if other.is_role:
            enter = "iam:UpdateAssumeRolePolicy + sts:AssumeRole"
            write = "iam:PutRolePolicy"
        yield Edge(Node(other.id), enter, TRUE, (), ())
        if not graph.admin(Node(other.id)):
            yield Edge(Node(other.id, "*"), f"{write} + {enter}", TRUE, (), ())


def edits(
    graph: _Graph, node: Node, principal: Principal, best: Best
) -> Iterator[Edge]:
    """List the steps a principal can make by editing IAM."""
    able = [edit for edit in EDITS if _is_able(principal, edit)]
    if not able:
        return
    others = list(_others(graph.estate, principal))
    for edit in able:
        match edit.gives:
            case Gives.TARGET | Gives.TRUST:
                for other in others:
                    if not is_sure(best, Node(other.id)):
                        yield from _become(graph.estate, principal, edit, other)
            case Gives.MEMBERSHIP:
                yield from _join(graph.estate, node, principal, edit)
            case Gives.SELF:
                yield from _widen_self(graph, node, principal, edit)
            case Gives.SERVICE_ROLE:
                pass  # launches, not edits, give these
    widening = [e for e in able if e.gives is Gives.SELF and e.on is not On.GROUP]
    if widening:
        yield from _widen_others(graph, principal, widening, others, best)


def _is_able(principal: Principal, edit: Edit) -> bool:
    action = edit.action.lower()
    if not principal.matching(action).allows:
        return False
    answer = surely(principal, action)
    return answer is None or answer.formula != FALSE


def _others(estate: Estate, principal: Principal) -> Iterator[Principal]:
    """List who else is in the account: IAM's calls act on the caller's own account."""
    for other in estate.principals.values():
        near = other.identity.account == principal.identity.account
        if near and other.id != principal.id and not is_root(other.identity):
            yield other


def _become(
    estate: Estate, principal: Principal, edit: Edit, other: Principal
) -> Iterator[Edge]:
    """Make a credential of a user, or make a role trust the principal."""
    if edit.gives is Gives.TARGET and not other.is_role:
        answer = _may(estate, principal, edit, other.id)
        yield from make_edge(Node(other.id), edit.action, answer)
    if edit.gives is Gives.TRUST and other.is_role:
        answer = _may(estate, principal, edit, other.id)
        if answer.formula != FALSE:
            then = assume_after_edit(estate, principal, other.id)
            via = f"{edit.action} + sts:AssumeRole"
            yield from make_edge(Node(other.id), via, answer, then)


def _join(
    estate: Estate, node: Node, principal: Principal, edit: Edit
) -> Iterator[Edge]:
    """Become a member of another group."""
    if principal.is_role or node.extra:
        return
    for group in estate.groups:
        near = _account(group) == principal.identity.account
        if near and group not in principal.groups:
            answer = _may(estate, principal, edit, group)
            yield from make_edge(Node(node.identity, group), edit.action, answer)


def _widen_self(
    graph: _Graph, node: Node, principal: Principal, edit: Edit
) -> Iterator[Edge]:
    """Edit a policy of one's own."""
    if node.extra == "*" or graph.admin(node):
        return
    for target in _edited(edit.on, principal):
        answer = _may(graph.estate, principal, edit, target)
        yield from make_edge(Node(node.identity, "*"), edit.action, answer)


def _widen_others(
    graph: _Graph,
    principal: Principal,
    widening: list[Edit],
    others: list[Principal],
    best: Best,
) -> Iterator[Edge]:
    """Edit a policy of an identity that one can become."""
    for other in others:
        step = best.get(Node(other.id))
        if step is None or graph.admin(Node(other.id)):
            continue
        become = Answer(step.formula, step.determining, step.gaps)
        to = Node(other.id, "*")
        for edit in widening:
            for target in _edited(edit.on, other):
                if not is_sure(best, to):
                    answer = _may(graph.estate, principal, edit, target)
                    via = f"{edit.action} + {step.via}"
                    yield from make_edge(to, via, answer, become)


def _may(estate: Estate, principal: Principal, edit: Edit, target: str) -> Answer:
    if _account(target) != principal.identity.account:
        return Answer(FALSE, ())
    answer = surely(principal, edit.action.lower())
    if answer is None:
        known = Known({key: (value,) for key, value in edit.context})
        answer = decide(principal, estate.hop(edit.action, target, known))
    if edit.action != "iam:SetDefaultPolicyVersion" or answer.formula == FALSE:
        return answer
    wider = atom(OTHER_VERSION, "Exists", ())
    return Answer(both(answer.formula, wider), answer.determining, answer.gaps)


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


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""

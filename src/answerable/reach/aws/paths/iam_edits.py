"""Edges by edits of IAM: credentials, trust policies, policies, memberships."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import (
    Principal,
    is_editable,
    is_iam_entity,
    is_root,
    partition_of,
)
from answerable.reach.aws.escalation_rules.registry import (
    EDITS,
    MAKES,
    OTHER_VERSION,
    Edit,
    Gives,
    On,
)
from answerable.reach.aws.evaluation.assume_role import assume_after_edit
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.policy_layers import surely
from answerable.reach.aws.evaluation.request import Answer, Determining
from answerable.reach.aws.paths.created_identities import made_id
from answerable.reach.aws.paths.edges import (
    Edge,
    Node,
    Only,
    asked_about,
    is_sure,
    make_edge,
)
from answerable.reach.aws.paths.hop_evaluation import may
from answerable.reach.formula import FALSE, TRUE, atom, both

Best = Mapping[Node, Edge]


class _Graph(Protocol):
    estate: Estate

    def admin(self, node: Node) -> bool: ...


def admin_edges(
    graph: _Graph, principal: Principal, by: tuple[Determining, ...], only: Only = None
) -> Iterator[Edge]:
    """List the edges of an administrator within its account.

    Args:
        graph: The graph.
        principal: The administrator.
        by: Statements that make it one.
        only: Identities that are asked about.
    """
    account = principal.identity.account
    for other in _others(graph.estate, principal, only):
        if other.is_fixed:
            continue  # only AWS changes it
        enter = "iam:CreateAccessKey"
        write = "iam:PutUserPolicy"
        if other.is_role:
            enter = "iam:UpdateAssumeRolePolicy + sts:AssumeRole"
            write = "iam:PutRolePolicy"
        yield Edge(Node(other.id), enter, TRUE, by, ())
        if not graph.admin(Node(other.id)):
            yield Edge(Node(other.id, "*"), f"{write} + {enter}", TRUE, by, ())
            if other.boundary is not None:
                free = f"iam:Delete{write[7:11]}PermissionsBoundary"
                bare = Node(other.id, bare=True)
                yield Edge(bare, f"{free} + {enter}", TRUE, by, ())
                via = f"{free} + {write} + {enter}"
                yield Edge(bare._replace(extra="*"), via, TRUE, by, ())
    partition = partition_of(principal.id)
    for make in MAKES:
        made = made_id(account, make.on, partition) if make.on is not On.GROUP else None
        if made and made != principal.id and asked_about(only, made):
            calls = (make.create, make.widen[0], make.enter[0])
            via = " + ".join(need.action for need in calls)
            yield Edge(Node(made, "*"), via, TRUE, by, ())


def edits(
    graph: _Graph, node: Node, principal: Principal, best: Best, only: Only = None
) -> Iterator[Edge]:
    """List the edges of a principal by edits of IAM."""
    able = [edit for edit in EDITS if _is_able(principal, edit)]
    if not able:
        return
    others = list(_others(graph.estate, principal, only))
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
            case Gives.FREE:
                yield from _free_self(graph, node, principal, edit)
    if any(e.gives in _OF_OTHERS for e in able):
        yield from _change_others(graph, principal, able, others, best)


_OF_OTHERS = (Gives.SELF, Gives.MEMBERSHIP, Gives.FREE)


def _is_able(principal: Principal, edit: Edit) -> bool:
    action = edit.action.lower()
    if not principal.matching(action).allows and not principal.gaps:
        return False
    answer = surely(principal, action)
    return answer is None or answer.formula != FALSE


def _others(estate: Estate, principal: Principal, only: Only) -> Iterator[Principal]:
    """List the other identities of the account, which IAM calls can act on."""
    known = estate.principals
    for other in (
        known.values() if only is None else (known[one] for one in only if one in known)
    ):
        near = other.identity.account == principal.identity.account
        if near and other.id != principal.id and is_iam_entity(other.identity):
            yield other


def _become(
    estate: Estate, principal: Principal, edit: Edit, other: Principal
) -> Iterator[Edge]:
    """Create a credential of a user, or make a role trust the principal."""
    if edit.gives is Gives.TARGET and not other.is_role:
        answer = _may(estate, principal, edit, other.id)
        yield from make_edge(Node(other.id), edit.action, answer)
    if edit.gives is Gives.TRUST and other.is_role and not other.is_fixed:
        answer = _may(estate, principal, edit, other.id)
        if answer.formula != FALSE:
            then = assume_after_edit(estate, principal, other.id)
            via = f"{edit.action} + sts:AssumeRole"
            yield from make_edge(Node(other.id), via, answer, then)


def _join(
    estate: Estate, node: Node, principal: Principal, edit: Edit
) -> Iterator[Edge]:
    """Join another group."""
    if node.extra:
        return
    for group in _edited(estate, edit, principal):
        answer = _may(estate, principal, edit, group)
        yield from make_edge(node._replace(extra=group), edit.action, answer)


def _widen_self(
    graph: _Graph, node: Node, principal: Principal, edit: Edit
) -> Iterator[Edge]:
    """Edit one of the principal's own policies."""
    if node.extra == "*" or graph.admin(node):
        return
    for target in _edited(graph.estate, edit, principal):
        answer = _may(graph.estate, principal, edit, target)
        yield from make_edge(node._replace(extra="*"), edit.action, answer)


def _free_self(
    graph: _Graph, node: Node, principal: Principal, edit: Edit
) -> Iterator[Edge]:
    """Remove or widen the principal's own boundary."""
    if not graph.admin(node):
        for target in _edited(graph.estate, edit, principal):
            answer = _may(graph.estate, principal, edit, target)
            yield from make_edge(node._replace(bare=True), edit.action, answer)


def _change_others(
    graph: _Graph,
    principal: Principal,
    able: list[Edit],
    others: list[Principal],
    best: Best,
) -> Iterator[Edge]:
    """Edit policies, groups or the boundary of an identity the principal can become."""
    for other in others:
        step = best.get(Node(other.id))
        if step is None or graph.admin(Node(other.id)):
            continue
        become = Answer(step.formula, step.determining, step.gaps)
        free = _freed(graph.estate, principal, able, other)
        if free:
            bare = Node(other.id, bare=True)
            yield from make_edge(bare, f"{free[0]} + {step.via}", free[1], become)
        for edit in able:
            if edit.gives not in (Gives.SELF, Gives.MEMBERSHIP):
                continue
            for target in _edited(graph.estate, edit, other):
                gained = target if edit.gives is Gives.MEMBERSHIP else "*"
                to = Node(other.id, gained)
                via = f"{edit.action} + {step.via}"
                wider = to._replace(bare=True)
                if is_sure(best, to) and (not free or is_sure(best, wider)):
                    continue
                answer = _may(graph.estate, principal, edit, target)
                yield from make_edge(to, via, answer, become)
                if free:
                    via = f"{free[0]} + {via}"
                    yield from make_edge(wider, via, free[1], answer, become)


def _freed(
    estate: Estate, principal: Principal, able: list[Edit], other: Principal
) -> tuple[str, Answer] | None:
    """Find the best call that removes the boundary of an identity."""
    found: tuple[str, Answer] | None = None
    for edit in able:
        if edit.gives is Gives.FREE:
            for target in _edited(estate, edit, other):
                answer = _may(estate, principal, edit, target)
                if answer.formula == TRUE:
                    return edit.action, answer
                if answer.formula != FALSE and found is None:
                    found = edit.action, answer
    return found


def _may(estate: Estate, principal: Principal, edit: Edit, target: str) -> Answer:
    if _account(target) != principal.identity.account:
        return Answer(FALSE, ())
    known = Known({key: (value,) for key, value in edit.context})
    answer = may(estate, principal, edit.action, target, known)
    if edit.action != "iam:SetDefaultPolicyVersion" or answer.formula == FALSE:
        return answer
    wider = atom(OTHER_VERSION, "Exists", ())
    return Answer(both(answer.formula, wider), answer.determining, answer.gaps)


def _edited(estate: Estate, edit: Edit, principal: Principal) -> tuple[str, ...]:
    """List the targets on which an edit changes the permissions of a principal."""
    if edit.gives is Gives.MEMBERSHIP:
        if principal.is_role or is_root(principal.identity):
            return ()
        return tuple(
            group
            for group in estate.groups
            if _account(group) == principal.identity.account
            and group not in principal.groups
        )
    if edit.gives is Gives.FREE and principal.boundary is None:
        return ()
    match edit.on:
        case On.BOUNDARY:
            bound = principal.boundary_id
            return (bound,) if is_editable(bound) else ()
        case On.USER:
            return () if principal.is_role else (principal.id,)
        case On.ROLE:
            fixed = principal.is_fixed or not principal.is_role
            return () if fixed else (principal.id,)
        case On.GROUP:
            return principal.groups
        case On.POLICY:
            return principal.policies


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""

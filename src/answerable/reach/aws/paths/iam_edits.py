"""List attack-path edges by IAM edits: credentials, trust, policies, memberships."""

from collections.abc import Iterator, Mapping

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    get_aws_partition,
    is_customer_managed_policy,
    is_iam_entity,
    is_root_user,
)
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    EDIT_RULES,
    OTHER_POLICY_VERSION,
    EditEffect,
    EditTarget,
    IamEditRule,
)
from answerable.reach.aws.evaluation.assume_role import evaluate_after_trust_edit
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_action_for_all_resources,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.paths.identity_creation import build_uncreated_identity_id
from answerable.reach.aws.paths.identity_edges import (
    AdministratorGraph,
    IdentityEdge,
    IdentityFilter,
    IdentityNode,
    build_identity_edge,
    does_filter_include_identity,
    has_unconditional_edge,
)
from answerable.reach.aws.paths.path_step_evaluation import evaluate_path_step_call
from answerable.reach.condition_formula import FALSE, TRUE, build_atom, conjoin
from answerable.reach.platform import DeterminingStatement

BestEdges = Mapping[IdentityNode, IdentityEdge]


def list_administrator_edges(
    graph: AdministratorGraph,
    principal: CompiledPrincipal,
    determining: tuple[DeterminingStatement, ...],
    targets: IdentityFilter = None,
) -> Iterator[IdentityEdge]:
    """List edges from an administrator to every identity of its account.

    Args:
        graph: The graph.
        principal: The administrator.
        determining: Statements that make it one.
        targets: Identities that are asked about.
    """
    account = principal.identity.account
    for other in _list_other_identities_of_account(graph.accounts, principal, targets):
        if other.is_immutable_role:
            continue  # only AWS changes it
        enter = "iam:CreateAccessKey"
        write = "iam:PutUserPolicy"
        if other.is_role:
            enter = "iam:UpdateAssumeRolePolicy + sts:AssumeRole"
            write = "iam:PutRolePolicy"
        yield IdentityEdge(IdentityNode(other.id), enter, TRUE, determining, ())
        if not graph.is_administrator(IdentityNode(other.id)):
            yield IdentityEdge(
                IdentityNode(other.id, "*"), f"{write} + {enter}", TRUE, determining, ()
            )
            if other.boundary is not None:
                free = f"iam:Delete{write[7:11]}PermissionsBoundary"
                bare = IdentityNode(other.id, bare=True)
                yield IdentityEdge(bare, f"{free} + {enter}", TRUE, determining, ())
                via = f"{free} + {write} + {enter}"
                yield IdentityEdge(bare._replace(extra="*"), via, TRUE, determining, ())
    partition = get_aws_partition(principal.id)
    for make in CREATION_RULES:
        made = (
            build_uncreated_identity_id(account, make.target, partition)
            if make.target is not EditTarget.GROUP
            else None
        )
        if (
            made
            and made != principal.id
            and does_filter_include_identity(targets, made)
        ):
            calls = (
                make.create,
                make.grant_alternatives[0],
                make.become_alternatives[0],
            )
            via = " + ".join(need.action for need in calls)
            yield IdentityEdge(IdentityNode(made, "*"), via, TRUE, determining, ())


def list_iam_edit_edges(
    graph: AdministratorGraph,
    node: IdentityNode,
    principal: CompiledPrincipal,
    best_edges: BestEdges,
    targets: IdentityFilter = None,
) -> Iterator[IdentityEdge]:
    """List the edges of a principal that edit IAM objects."""
    able = [edit for edit in EDIT_RULES if _may_principal_make_edit(principal, edit)]
    if not able:
        return
    others = list(_list_other_identities_of_account(graph.accounts, principal, targets))
    for edit in able:
        match edit.effect:
            case EditEffect.TARGET | EditEffect.TRUST:
                for other in others:
                    if not has_unconditional_edge(best_edges, IdentityNode(other.id)):
                        yield from _list_credential_or_trust_edges(
                            graph.accounts, principal, edit, other
                        )
            case EditEffect.MEMBERSHIP:
                yield from _list_group_membership_edges(
                    graph.accounts, node, principal, edit
                )
            case EditEffect.SELF:
                yield from _list_edges_by_own_policy_edit(graph, node, principal, edit)
            case EditEffect.FREE:
                yield from _list_edges_by_own_boundary_edit(
                    graph, node, principal, edit
                )
    if any(e.effect in _EFFECTS_ON_OTHERS for e in able):
        yield from _list_edges_by_edit_of_others(
            graph, principal, able, others, best_edges
        )


_EFFECTS_ON_OTHERS = (EditEffect.SELF, EditEffect.MEMBERSHIP, EditEffect.FREE)


def _may_principal_make_edit(principal: CompiledPrincipal, edit: IamEditRule) -> bool:
    """Return whether a principal may be allowed an edit on some resource."""
    action = edit.action.lower()
    if not principal.select_statements(action).allows and not principal.gaps:
        return False
    answer = evaluate_action_for_all_resources(principal, action)
    return answer is None or answer.formula != FALSE


def _list_other_identities_of_account(
    accounts: CompiledAccounts, principal: CompiledPrincipal, targets: IdentityFilter
) -> Iterator[CompiledPrincipal]:
    """List the other identities in the principal's account."""
    known = accounts.principals
    for other in (
        known.values()
        if targets is None
        else (known[one] for one in targets if one in known)
    ):
        near = other.identity.account == principal.identity.account
        if near and other.id != principal.id and is_iam_entity(other.identity):
            yield other


def _list_credential_or_trust_edges(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    edit: IamEditRule,
    other: CompiledPrincipal,
) -> Iterator[IdentityEdge]:
    """Yield edges: make an access key for a user, or make a role trust you."""
    if edit.effect is EditEffect.TARGET and not other.is_role:
        answer = _evaluate_iam_edit(accounts, principal, edit, other.id)
        yield from build_identity_edge(IdentityNode(other.id), edit.action, answer)
    if (
        edit.effect is EditEffect.TRUST
        and other.is_role
        and not other.is_immutable_role
    ):
        answer = _evaluate_iam_edit(accounts, principal, edit, other.id)
        if answer.formula != FALSE:
            then = evaluate_after_trust_edit(accounts, principal, other.id)
            via = f"{edit.action} + sts:AssumeRole"
            yield from build_identity_edge(IdentityNode(other.id), via, answer, then)


def _list_group_membership_edges(
    accounts: CompiledAccounts,
    node: IdentityNode,
    principal: CompiledPrincipal,
    edit: IamEditRule,
) -> Iterator[IdentityEdge]:
    """Yield edges: add the principal itself to another group."""
    if node.extra:
        return
    for group in _list_iam_edit_targets(accounts, edit, principal):
        answer = _evaluate_iam_edit(accounts, principal, edit, group)
        yield from build_identity_edge(node._replace(extra=group), edit.action, answer)


def _list_edges_by_own_policy_edit(
    graph: AdministratorGraph,
    node: IdentityNode,
    principal: CompiledPrincipal,
    edit: IamEditRule,
) -> Iterator[IdentityEdge]:
    """Yield edges: grant more in one of the principal's own policies."""
    if node.extra == "*" or graph.is_administrator(node):
        return
    for target in _list_iam_edit_targets(graph.accounts, edit, principal):
        answer = _evaluate_iam_edit(graph.accounts, principal, edit, target)
        yield from build_identity_edge(node._replace(extra="*"), edit.action, answer)


def _list_edges_by_own_boundary_edit(
    graph: AdministratorGraph,
    node: IdentityNode,
    principal: CompiledPrincipal,
    edit: IamEditRule,
) -> Iterator[IdentityEdge]:
    """Yield edges: remove or widen the principal's own permissions boundary."""
    if not graph.is_administrator(node):
        for target in _list_iam_edit_targets(graph.accounts, edit, principal):
            answer = _evaluate_iam_edit(graph.accounts, principal, edit, target)
            yield from build_identity_edge(
                node._replace(bare=True), edit.action, answer
            )


def _list_edges_by_edit_of_others(
    graph: AdministratorGraph,
    principal: CompiledPrincipal,
    allowed_edits: list[IamEditRule],
    identities: list[CompiledPrincipal],
    best_edges: BestEdges,
) -> Iterator[IdentityEdge]:
    """Yield edges: edit an identity that the principal can already become."""
    for other in identities:
        step = best_edges.get(IdentityNode(other.id))
        if step is None or graph.is_administrator(IdentityNode(other.id)):
            continue
        become = Evaluation(step.formula, step.determining, step.gaps)
        free = _find_boundary_removal(graph.accounts, principal, allowed_edits, other)
        if free:
            bare = IdentityNode(other.id, bare=True)
            yield from build_identity_edge(
                bare, f"{free[0]} + {step.via}", free[1], become
            )
        for edit in allowed_edits:
            if edit.effect not in (EditEffect.SELF, EditEffect.MEMBERSHIP):
                continue
            for target in _list_iam_edit_targets(graph.accounts, edit, other):
                gained = target if edit.effect is EditEffect.MEMBERSHIP else "*"
                to = IdentityNode(other.id, gained)
                via = f"{edit.action} + {step.via}"
                wider = to._replace(bare=True)
                if has_unconditional_edge(best_edges, to) and (
                    not free or has_unconditional_edge(best_edges, wider)
                ):
                    continue
                answer = _evaluate_iam_edit(graph.accounts, principal, edit, target)
                yield from build_identity_edge(to, via, answer, become)
                if free:
                    via = f"{free[0]} + {via}"
                    yield from build_identity_edge(wider, via, free[1], answer, become)


def _find_boundary_removal(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    allowed_edits: list[IamEditRule],
    other: CompiledPrincipal,
) -> tuple[str, Evaluation] | None:
    """Find the best allowed call that removes an identity's boundary."""
    found: tuple[str, Evaluation] | None = None
    for edit in allowed_edits:
        if edit.effect is EditEffect.FREE:
            for target in _list_iam_edit_targets(accounts, edit, other):
                answer = _evaluate_iam_edit(accounts, principal, edit, target)
                if answer.formula == TRUE:
                    return edit.action, answer
                if answer.formula != FALSE and found is None:
                    found = edit.action, answer
    return found


def _evaluate_iam_edit(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    edit: IamEditRule,
    target: str,
) -> Evaluation:
    """Evaluate an IAM edit on a target; another account's target is denied."""
    if _get_arn_account(target) != principal.identity.account:
        return Evaluation(FALSE, ())
    known = ContextKeys({key: (value,) for key, value in edit.context})
    answer = evaluate_path_step_call(accounts, principal, edit.action, target, known)
    if edit.action != "iam:SetDefaultPolicyVersion" or answer.formula == FALSE:
        return answer
    wider = build_atom(OTHER_POLICY_VERSION, "Exists", ())
    return Evaluation(conjoin(answer.formula, wider), answer.determining, answer.gaps)


def _list_iam_edit_targets(
    accounts: CompiledAccounts, edit: IamEditRule, principal: CompiledPrincipal
) -> tuple[str, ...]:
    """List the targets on which an edit changes the permissions of a principal."""
    if edit.effect is EditEffect.MEMBERSHIP:
        if principal.is_role or is_root_user(principal.identity):
            return ()
        return tuple(
            group
            for group in accounts.groups
            if _get_arn_account(group) == principal.identity.account
            and group not in principal.groups
        )
    if edit.effect is EditEffect.FREE and principal.boundary is None:
        return ()
    match edit.target:
        case EditTarget.BOUNDARY:
            bound = principal.boundary_id
            return (bound,) if is_customer_managed_policy(bound) else ()
        case EditTarget.USER:
            return () if principal.is_role else (principal.id,)
        case EditTarget.ROLE:
            fixed = principal.is_immutable_role or not principal.is_role
            return () if fixed else (principal.id,)
        case EditTarget.GROUP:
            return principal.groups
        case EditTarget.POLICY:
            return principal.policies


def _get_arn_account(arn: str) -> str:
    """Return the account number in an ARN."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""

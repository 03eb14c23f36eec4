"""List attack-path edges: create a role or user, grant it permissions, and become it.

One node represents every role, and one every user, that principals of an account could
create. The creator chooses its name and tags, so conditions on them stay open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
    collect_principal_condition_keys,
    get_aws_partition,
)
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    EXTERNAL_EVENT,
    NEW_NAME,
    PASS_ROLE_RULES,
    CreationRule,
    EditTarget,
    PassRoleRule,
    RequiredPermission,
)
from answerable.reach.aws.evaluation.assume_role import evaluate_after_trust_edit
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.paths.identity_edges import (
    AdministratorGraph,
    IdentityEdge,
    IdentityFilter,
    IdentityNode,
    build_identity_edge,
    does_filter_include_identity,
    has_unconditional_edge,
    mark_arn_as_not_yet_created,
)
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.aws.paths.witness_resources import (
    evaluate_permissions_on_resource,
    find_witness_resources,
    list_witness_candidates,
)
from answerable.reach.condition_formula import FALSE, TRUE, build_atom

_KINDS = {EditTarget.ROLE: "role", EditTarget.USER: "user"}
_CREATOR_CHOSEN_KEYS = ("aws:principalarn", "aws:userid")  # follow from the chosen name


def build_uncreated_identity_id(
    account: str, kind: EditTarget, partition: str = "aws"
) -> IdentityId:
    """Build the placeholder ARN of an identity that principals could create."""
    arn = f"arn:{partition}:iam::{account}:{_KINDS[kind]}/{NEW_NAME}"
    return IdentityId(mark_arn_as_not_yet_created(arn))


def list_creatable_nodes(compiled_accounts: CompiledAccounts) -> list[IdentityNode]:
    """List a node for each role or user that could be created in an account."""
    accounts = {
        (one.identity.account, get_aws_partition(one.id))
        for one in compiled_accounts.principals.values()
    }
    return sorted(
        IdentityNode(build_uncreated_identity_id(account, on, partition), "*")
        for account, partition in accounts
        for on in (EditTarget.ROLE, EditTarget.USER)
    )


def compile_uncreated_principal(
    accounts: CompiledAccounts, identity: IdentityId
) -> CompiledPrincipal:
    """Compile a role or user that a caller could create, as an administrator."""
    parts = identity.split(":", 5)
    kind = parts[5].partition("/")[0]
    new = Identity(
        id=identity,
        kind=f"aws-{kind}-to-be-made",
        name=identity.rpartition("/")[2],
        account=parts[4],
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=FactProvenance("", "", WrittenBy.PLATFORM, 0),
    )
    known = collect_principal_condition_keys(new, accounts.accounts, tags_fixed=False)
    chosen = (
        (*_CREATOR_CHOSEN_KEYS, "aws:username")
        if kind == "user"
        else _CREATOR_CHOSEN_KEYS
    )
    kept = {key: value for key, value in known.values.items() if key not in chosen}
    policy = PolicyId(f"{identity}#chosen")
    levels = accounts.scp_levels.get(new.account, ())
    return CompiledPrincipal(
        identity=new,
        grants=(
            PolicyStatement(FULL_ACCESS_STATEMENT, PolicyLayer.IDENTITY, policy, "any"),
        ),
        boundary=None,
        boundary_id="",
        gaps=tuple(gap for level in levels for gap in level.gaps),
        known=ContextKeys(kept, known.complete),
        extra="*",
        levels=levels,
    )


def list_creation_edges(
    graph: AdministratorGraph,
    node: IdentityNode,
    principal: CompiledPrincipal,
    best_edges: Mapping[IdentityNode, IdentityEdge],
    targets: IdentityFilter = None,
) -> Iterator[IdentityEdge]:
    """List the edges of a principal that create an identity or a group."""
    for make in CREATION_RULES:
        to = find_uncreated_identity_node(graph, node, principal, make)
        if (
            to
            and does_filter_include_identity(targets, to.identity)
            and not has_unconditional_edge(best_edges, to)
        ):
            yield from _list_create_and_assume_edges(
                graph.accounts, principal, make, to
            )


def find_uncreated_identity_node(
    graph: AdministratorGraph,
    node: IdentityNode,
    principal: CompiledPrincipal,
    creation_rule: CreationRule,
) -> IdentityNode | None:
    """Return the node that a creation rule leads to; None if it gains nothing."""
    allows = principal.select_statements(creation_rule.create.action.lower()).allows
    if not allows and not principal.gaps:
        return None
    if creation_rule.target is EditTarget.GROUP:
        if principal.is_role or node.extra == "*" or graph.is_administrator(node):
            return None
        return IdentityNode(node.identity, "*")
    partition = get_aws_partition(principal.id)
    to = IdentityNode(
        build_uncreated_identity_id(
            principal.identity.account, creation_rule.target, partition
        ),
        "*",
    )
    return None if to.identity == principal.id else to


def _list_create_and_assume_edges(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    creation_rule: CreationRule,
    target: IdentityNode,
) -> Iterator[IdentityEdge]:
    """Yield the edges by one creation rule: create, grant, then enter or launch."""
    for widen, enter in product(
        creation_rule.grant_alternatives, creation_rule.become_alternatives
    ):
        found = find_best_new_resource_name(
            accounts, principal, (creation_rule.create, widen, enter)
        )
        if found:
            via = " + ".join(n.action for n in (creation_rule.create, widen, enter))
            yield from build_identity_edge(
                target, via, *found.answers, new_name=found.arn
            )
            if found.is_unconditional:
                return
    if creation_rule.target is EditTarget.ROLE:
        for launch in PASS_ROLE_RULES:
            if not launch.changed_resource_kind:
                yield from list_create_and_pass_role_edges(
                    accounts, principal, creation_rule, launch, target
                )


def list_create_and_pass_role_edges(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    creation_rule: CreationRule,
    pass_role_rule: PassRoleRule,
    target: IdentityNode,
) -> Iterator[IdentityEdge]:
    """Yield edges: create a role for a service, which then runs code under it."""
    passed = (("iam:passedtoservice", pass_role_rule.service),)
    enter = RequiredPermission(PASS_ROLE, creation_rule.create.resource, passed)
    needs = (*pass_role_rule.new_role_permissions, *pass_role_rule.needs)
    running = find_witness_resources(accounts, principal, needs)
    if pass_role_rule.precondition:
        awaited = build_atom(EXTERNAL_EVENT, "Exists", (pass_role_rule.precondition,))
        running = (*running, Evaluation(awaited, ()))
    if any(answer.formula == FALSE for answer in running):
        return
    for widen in creation_rule.grant_alternatives:
        found = find_best_new_resource_name(
            accounts, principal, (creation_rule.create, widen, enter)
        )
        if found:
            calls = (creation_rule.create, widen, enter, *needs)
            via = " + ".join(dict.fromkeys(need.action for need in calls))
            answers = (*found.answers, *running)
            yield from build_identity_edge(target, via, *answers, new_name=found.arn)


@dataclass(frozen=True, slots=True)
class NewResourceName:
    """Name for a new resource, with the results of the calls on it.

    Attributes:
        arn: The ARN with that name.
        answers: One result per call; none is a denial.
    """

    arn: str
    answers: tuple[Evaluation, ...]

    @property
    def is_unconditional(self) -> bool:
        """Return whether all calls on this resource name are allowed unconditionally."""
        return all(answer.formula == TRUE for answer in self.answers)


def find_best_new_resource_name(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    needs: Sequence[RequiredPermission],
) -> NewResourceName | None:
    """Find the new name whose calls are allowed best; None if one is denied."""
    best: NewResourceName | None = None
    calls = [need for need in needs if need.action != "sts:AssumeRole"]
    for resource in list_witness_candidates(accounts, principal, needs):
        if IdentityId(resource) in accounts.principals or resource in accounts.groups:
            continue  # creating an existing name fails
        answers = evaluate_permissions_on_resource(accounts, principal, calls, resource)
        if len(calls) < len(needs):
            entering = evaluate_after_trust_edit(
                accounts, principal, IdentityId(resource)
            )
            answers = (*answers, entering)
        if any(answer.formula == FALSE for answer in answers):
            continue
        found = NewResourceName(resource, answers)
        if found.is_unconditional:
            return found
        best = best or found
    return best

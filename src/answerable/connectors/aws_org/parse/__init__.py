"""Parse output of AWS Organizations into accounts, control policies, people and problems."""

from collections.abc import Sequence
from dataclasses import replace

from answerable.connectors.aws_org.declaration import IDENTITY_CENTER
from answerable.connectors.aws_org.parse.identity_center import FIELDS as CENTER_FIELDS
from answerable.connectors.aws_org.parse.identity_center import parse_identity_center
from answerable.connectors.aws_org.parse.organization_tree import FIELDS as TREE_FIELDS
from answerable.connectors.aws_org.parse.organization_tree import (
    ControlPolicy,
    OrganizationTree,
    build_tree,
)
from answerable.connectors.formats.aws_api_responses import (
    AwsAnswer,
    parse_aws_answers,
    wrong_kind_error,
)
from answerable.connectors.formats.iam_policy import (
    make_unreadable_policy,
    parse_policy,
)
from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.coverage import CoverageScope
from answerable.model.errors import IdError, ParseError
from answerable.model.identity import Account
from answerable.model.ids import Arn, PolicyId
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy

FIELDS = (*TREE_FIELDS, *CENTER_FIELDS)
EXPECTED_KIND = "output of AWS Organizations"
_LAYERS = {
    "SERVICE_CONTROL_POLICY": PolicyLayer.SCP,
    "RESOURCE_CONTROL_POLICY": PolicyLayer.RCP,
}
# Account details have a field `Policies` too.
_SINGLE_ACCOUNT_FIELDS = ("UserDetailList", "GroupDetailList", "RoleDetailList")
_MAX_TREE_DEPTH = 12  # the platform nests units five deep


def parse(data: bytes, *, source: str, place: str, now: int) -> ParsedAwsAnswers:
    """Parse a file of output of AWS Organizations.

    Args:
        data: One object, or several answers; see docs/aws.md.
        source: The sync's source.
        place: The file.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has other content; the hint names its source.
        ParseError: The bytes are not JSON.
    """
    found = parse_aws_answers(data, place)
    for answer in found:
        known = any(name in answer.fields for name in FIELDS)
        if not known or any(name in answer.fields for name in _SINGLE_ACCOUNT_FIELDS):
            raise wrong_kind_error(answer.fields, place, EXPECTED_KIND)
    return parse_answers(found, source=source, place=place, now=now)


def parse_answers(
    answers: Sequence[AwsAnswer], *, source: str, place: str, now: int
) -> ParsedAwsAnswers:
    """Parse already decoded output of AWS Organizations."""
    tree = build_tree(answers, place)
    accounts = _build_accounts(tree, source, now)
    policies, attachments = _build_control_policies(tree, source, now)
    center = parse_identity_center(tree, answers, source=source, place=place, now=now)
    facts = replace(
        center, accounts=accounts, policies=policies, attachments=attachments
    )
    words = _list_collected_kinds(tree)
    if center.assignments or any("PermissionSet" in a.fields for a in answers):
        words = (*words, IDENTITY_CENTER)
    return ParsedAwsAnswers(
        facts, tuple(tree.problems), words, _account_coverage(words, accounts)
    )


def _build_provenance(source: str, place: str, now: int) -> FactProvenance:
    """Build the provenance of a fact at a place in the answers."""
    return FactProvenance(source, place, WrittenBy.PLATFORM, now)


def _build_accounts(
    tree: OrganizationTree, source: str, now: int
) -> tuple[Account, ...]:
    """Build the accounts, each with its parents up to the root."""
    found = []
    for account, place in tree.accounts.values():
        organization, management = _organization_of_account(tree, account.arn)
        parents = _path_to_root(tree, account.id)
        if not parents:
            tree.add_problem(
                place, f"account {account.id!r} is missing from the organization tree"
            )
        found.append(
            Account(
                id=account.id,
                name=account.name,
                organization=organization,
                parents=parents,
                management=account.id == management,
                seen=_build_provenance(source, place, now),
                state=(account.state or account.status).lower(),
                administers=tuple(sorted(tree.delegated.get(account.id, ()))),
            )
        )
    return tuple(found)


def _organization_of_account(tree: OrganizationTree, arn: str) -> tuple[str, str]:
    """Return the organisation and management account, which an account ARN contains."""
    if tree.organization:
        return tree.organization.id, tree.organization.master_account_id
    try:
        parts = Arn.parse(arn)
    except IdError:
        return "", ""
    pieces = parts.resource.split("/")
    return (pieces[1], parts.account) if len(pieces) == 3 else ("", "")


def _path_to_root(tree: OrganizationTree, child: str) -> tuple[str, ...]:
    """Return the path to the root; empty for a broken or circular path."""
    path: list[str] = []
    at = child
    while at in tree.parents and len(path) < _MAX_TREE_DEPTH:
        at = tree.parents[at]
        path.append(at)
    whole = bool(path) and path[-1].startswith("r-")
    return tuple(reversed(path)) if whole else ()


def _build_control_policies(
    tree: OrganizationTree, source: str, now: int
) -> tuple[tuple[Policy, ...], tuple[PolicyAttachment, ...]]:
    """Build the service and resource control policies, and attachments."""
    policies: list[Policy] = []
    attachments: list[PolicyAttachment] = []
    for control in tree.policies.values():
        summary = control.summary
        layer = _LAYERS.get(summary.type)
        if layer is None:  # tag, backup and other policies grant and deny nothing
            continue
        seen = _build_provenance(source, control.place, now)
        policy_id = PolicyId(summary.arn or summary.id)
        if control.content:
            policies.append(
                _parse_control_policy(tree, control, layer, policy_id, seen)
            )
        else:
            what = f"policy {summary.id!r} has no content (describe-policy)"
            tree.add_problem(control.place, what)
        if summary.id not in tree.targets:
            what = f"policy {summary.id!r} has no targets (list-targets-for-policy)"
            tree.add_problem(control.place, what)
        attachments += [
            PolicyAttachment(policy_id, target, layer, "", seen)
            for target in dict.fromkeys(tree.targets.get(summary.id, ()))
        ]
    return tuple(policies), tuple(attachments)


def _parse_control_policy(
    tree: OrganizationTree,
    control_policy: ControlPolicy,
    layer: PolicyLayer,
    policy_id: PolicyId,
    provenance: FactProvenance,
) -> Policy:
    """Parse a control policy; unreadable statements become problems."""
    name = control_policy.summary.name
    try:
        policy = parse_policy(
            control_policy.content,
            layer,
            policy_id=policy_id,
            name=name,
            provenance=provenance,
        )
    except ParseError as error:
        policy = make_unreadable_policy(policy_id, name, error.reason, provenance)
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        tree.add_problem(provenance.place, what)
    return policy


def _account_coverage(
    coverage_kinds: tuple[str, ...], accounts: tuple[Account, ...]
) -> tuple[CoverageScope, ...]:
    """Return the covered accounts: those with a known place in the tree."""
    placed = [account.id for account in accounts if account.parents]
    kinds = [word for word in coverage_kinds if word != IDENTITY_CENTER]
    return tuple(CoverageScope(word, account) for account in placed for word in kinds)


def _list_collected_kinds(tree: OrganizationTree) -> tuple[str, ...]:
    """List complete kinds: a policy kind is complete if present or disabled."""
    words = ["organization"] if tree.accounts else []
    present = {control.summary.type for control in tree.policies.values()}
    known = [r.policy_types for r in tree.roots.values() if r.policy_types is not None]
    enabled = {p.type for kinds in known for p in kinds if p.status == "ENABLED"}
    for kind, layer in _LAYERS.items():
        off = bool(known) and kind not in enabled
        if kind in present or off:
            words.append(layer.value)
    return tuple(words)

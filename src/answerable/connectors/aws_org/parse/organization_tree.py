"""Merge typed output of AWS Organizations into one tree of units and accounts.

Some answers do not name their subject (`list-targets-for-policy` names no policy):
those are stored under the queried id. docs/aws.md describes the whole format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    AnswerFields,
    AwsAnswer,
)
from answerable.connectors.formats.problem_collector import ProblemCollector

FIELDS = (
    "Organization",
    "Roots",
    "OrganizationalUnits",
    "OrganizationalUnitsForParent",
    "Accounts",
    "AccountsForParent",
    "Policies",
    "DescribePolicy",
    "TargetsForPolicy",
    "DelegatedAdministrators",
    "DelegatedServicesForAccount",
)


class OrganizationRecord(msgspec.Struct, rename="pascal", frozen=True):
    """Record of describe-organization."""

    id: str
    master_account_id: str = ""


class OrgPolicyType(msgspec.Struct, rename="pascal", frozen=True):
    """Policy type and its status."""

    type: str = ""
    status: str = ""


class OrgRoot(msgspec.Struct, rename="pascal", frozen=True):
    """Root of the organisation tree."""

    id: str
    policy_types: list[OrgPolicyType] | None = None


class OrganizationalUnit(msgspec.Struct, rename="pascal", frozen=True):
    """Organisational unit; `ParentId` is added by us, the API does not return it."""

    id: str
    parent_id: str = ""


class OrgAccount(msgspec.Struct, rename="pascal", frozen=True):
    """Member account; `ParentId` is added by us, the API does not return it."""

    id: str
    name: str = ""
    arn: str = ""
    parent_id: str = ""
    state: str = ""
    status: str = ""  # what `State` was called before 2025


class DelegatedService(msgspec.Struct, rename="pascal", frozen=True):
    """Service with a delegated administrator account."""

    service_principal: str


class PolicyTarget(msgspec.Struct, rename="pascal", frozen=True):
    """Target of a policy attachment."""

    target_id: str


class OrgPolicySummary(msgspec.Struct, rename="pascal", frozen=True):
    """Policy without its content."""

    id: str
    type: str
    arn: str = ""
    name: str = ""


class _OrgPolicy(msgspec.Struct, rename="pascal", frozen=True):
    policy_summary: OrgPolicySummary
    content: str = ""
    targets: list[PolicyTarget] | None = None


class _DescribedPolicy(msgspec.Struct, rename="pascal", frozen=True):
    policy: _OrgPolicy


DecodedT = TypeVar("DecodedT")


@dataclass(slots=True)
class ControlPolicy:
    """Control policy, merged from the answers."""

    summary: OrgPolicySummary
    place: str
    content: str = ""
    targets: list[str] | None = None


@dataclass(slots=True)
class OrganizationTree(ProblemCollector):
    """Organisation tree, merged from all answers."""

    organization: OrganizationRecord | None = None
    roots: dict[str, OrgRoot] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, tuple[OrgAccount, str]] = field(default_factory=dict)
    policies: dict[str, ControlPolicy] = field(default_factory=dict)
    targets: dict[str, list[str]] = field(default_factory=dict)
    delegated: dict[str, set[str]] = field(default_factory=dict)


def build_tree(answers: Sequence[AwsAnswer], place: str) -> OrganizationTree:
    """Merge all answers into one tree, in file order."""
    tree = OrganizationTree()
    for answer in answers:
        base = f"{place}#{answer.pointer}"
        fields = answer.fields
        _add_organization(tree, fields, base)
        for root, _ in iter_records(tree, fields, "Roots", OrgRoot, base):
            tree.roots[root.id] = root
        _add_units(tree, fields, base, "")
        _add_accounts(tree, fields, base, "")
        for parent, below, at in iter_answers_by_id(
            tree, fields, "OrganizationalUnitsForParent", base
        ):
            _add_units(tree, below, at, parent)
        for parent, below, at in iter_answers_by_id(
            tree, fields, "AccountsForParent", base
        ):
            _add_accounts(tree, below, at, parent)
        _add_policies(tree, fields, base)
        _add_delegated_administrators(tree, fields, base)
    return tree


def iter_records(
    tree: OrganizationTree,
    fields: AnswerFields,
    name: str,
    kind: type[DecodedT],
    parent_place: str,
) -> Iterator[tuple[DecodedT, str]]:
    """Yield the entries of a list with their places."""
    if name not in fields:
        return
    if bytes(fields.get("NextToken", b"null")) not in (b"null", b'""'):
        tree.add_problem(
            parent_place, f"{name} is truncated: its remaining entries are missing"
        )
    raws = tree.decode(fields[name], list[msgspec.Raw], f"{parent_place}/{name}") or []
    for index, raw in enumerate(raws):
        place = f"{parent_place}/{name}/{index}"
        record = tree.decode(raw, kind, place)
        if record is not None:
            yield record, place


def iter_answers_by_id(
    tree: OrganizationTree, fields: AnswerFields, name: str, parent_place: str
) -> Iterator[tuple[str, AnswerFields, str]]:
    """Yield stored API answers with the id that each was queried for."""
    if name not in fields:
        return
    below = tree.decode(fields[name], AnswerFields, f"{parent_place}/{name}") or {}
    for asked, raw in below.items():
        place = f"{parent_place}/{name}/{asked}"
        answer = tree.decode(raw, AnswerFields, place)
        if answer is not None:
            yield asked, answer, place


def _add_organization(
    tree: OrganizationTree, fields: AnswerFields, parent_place: str
) -> None:
    """Set the organisation and its management account, if the answer has them."""
    if "Organization" in fields:
        place = f"{parent_place}/Organization"
        found = tree.decode(fields["Organization"], OrganizationRecord, place)
        tree.organization = found or tree.organization


def _add_units(
    tree: OrganizationTree, fields: AnswerFields, parent_place: str, parent: str
) -> None:
    """Add the parent of each organisational unit."""
    for unit, _ in iter_records(
        tree, fields, "OrganizationalUnits", OrganizationalUnit, parent_place
    ):
        if parent or unit.parent_id:
            tree.parents[unit.id] = parent or unit.parent_id


def _add_accounts(
    tree: OrganizationTree, fields: AnswerFields, parent_place: str, parent: str
) -> None:
    """Add accounts and their parents."""
    for account, place in iter_records(
        tree, fields, "Accounts", OrgAccount, parent_place
    ):
        tree.accounts.setdefault(account.id, (account, place))
        if parent or account.parent_id:
            tree.parents[account.id] = parent or account.parent_id


def _add_delegated_administrators(
    tree: OrganizationTree, fields: AnswerFields, parent_place: str
) -> None:
    """Add delegated administrators and the services they administer."""
    for account, place in iter_records(
        tree, fields, "DelegatedAdministrators", OrgAccount, parent_place
    ):
        tree.accounts.setdefault(account.id, (account, place))
        tree.delegated.setdefault(account.id, set())
    for account_id, answer, place in iter_answers_by_id(
        tree, fields, "DelegatedServicesForAccount", parent_place
    ):
        services = iter_records(
            tree, answer, "DelegatedServices", DelegatedService, place
        )
        tree.delegated.setdefault(account_id, set()).update(
            service.service_principal for service, _ in services
        )


def _add_policies(
    tree: OrganizationTree, fields: AnswerFields, parent_place: str
) -> None:
    """Add control policies with their documents and targets."""
    for raw, place in iter_records(
        tree, fields, "Policies", AnswerFields, parent_place
    ):
        _add_policy(tree, raw, place)
    for _, answer, place in iter_answers_by_id(
        tree, fields, "DescribePolicy", parent_place
    ):
        described = tree.decode(_encode_fields(answer), _DescribedPolicy, place)
        if described is not None:
            _merge_control_policy(tree, described.policy, place)
    for policy, answer, place in iter_answers_by_id(
        tree, fields, "TargetsForPolicy", parent_place
    ):
        targets = iter_records(tree, answer, "Targets", PolicyTarget, place)
        ids = [target.target_id for target, _ in targets]
        tree.targets.setdefault(policy, []).extend(ids)


def _add_policy(tree: OrganizationTree, fields: AnswerFields, place: str) -> None:
    """Add an entry of list-policies, or one built from describe-policy."""
    if "PolicySummary" in fields:
        whole = tree.decode(_encode_fields(fields), _OrgPolicy, place)
    elif "Policy" in fields:
        described = tree.decode(_encode_fields(fields), _DescribedPolicy, place)
        whole = described.policy if described else None
    else:
        summary = tree.decode(_encode_fields(fields), OrgPolicySummary, place)
        whole = _OrgPolicy(summary) if summary else None
    if whole is not None:
        _merge_control_policy(tree, whole, place)


def _merge_control_policy(
    tree: OrganizationTree, described_policy: _OrgPolicy, place: str
) -> None:
    """Merge a described policy with what is known: its content and targets."""
    summary = described_policy.policy_summary
    known = tree.policies.setdefault(summary.id, ControlPolicy(summary, place))
    if described_policy.content:
        known.content = described_policy.content
        known.place = place
    if described_policy.targets is not None:
        ids = [target.target_id for target in described_policy.targets]
        tree.targets.setdefault(summary.id, []).extend(ids)


def _encode_fields(fields: AnswerFields) -> msgspec.Raw:
    """Encode raw fields as one JSON object."""
    return msgspec.Raw(msgspec.json.encode(fields))

"""Typed answers of AWS Organizations, merged into one tree.

Some answers do not name their subject (`list-targets-for-policy` names no policy):
those are stored under the queried id. docs/aws.md describes the whole format.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.aws_api_answers import (
    UNREADABLE,
    Answer,
    Fields,
    why_invalid,
)
from answerable.model.sighting import Problem, ProblemKind

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


class Organization(msgspec.Struct, rename="pascal", frozen=True):
    """Record of describe-organization."""

    id: str
    master_account_id: str = ""


class PolicyType(msgspec.Struct, rename="pascal", frozen=True):
    """Policy type and its status."""

    type: str = ""
    status: str = ""


class Root(msgspec.Struct, rename="pascal", frozen=True):
    """Root of the organisation tree."""

    id: str
    policy_types: list[PolicyType] | None = None


class Unit(msgspec.Struct, rename="pascal", frozen=True):
    """Organisational unit; `ParentId` is added by us, the API does not return it."""

    id: str
    parent_id: str = ""


class Account(msgspec.Struct, rename="pascal", frozen=True):
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


class Target(msgspec.Struct, rename="pascal", frozen=True):
    """Target of a policy attachment."""

    target_id: str


class Summary(msgspec.Struct, rename="pascal", frozen=True):
    """Policy without its content."""

    id: str
    type: str
    arn: str = ""
    name: str = ""


class _Policy(msgspec.Struct, rename="pascal", frozen=True):
    policy_summary: Summary
    content: str = ""
    targets: list[Target] | None = None


class _Described(msgspec.Struct, rename="pascal", frozen=True):
    policy: _Policy


DecodedT = TypeVar("DecodedT")


@dataclass(slots=True)
class Control:
    """Control policy, merged from the answers."""

    summary: Summary
    place: str
    content: str = ""
    targets: list[str] | None = None


@dataclass(slots=True)
class Tree:
    """Organisation tree, merged from all answers."""

    organization: Organization | None = None
    roots: dict[str, Root] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, tuple[Account, str]] = field(default_factory=dict)
    policies: dict[str, Control] = field(default_factory=dict)
    targets: dict[str, list[str]] = field(default_factory=dict)
    delegated: dict[str, set[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, place: str, what: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(ProblemKind.INVALID, place, what))

    def decode(
        self, raw: msgspec.Raw, kind: type[DecodedT], place: str
    ) -> DecodedT | None:
        """Decode JSON to a type, or add a problem."""
        try:
            return msgspec.json.decode(raw, type=kind)
        except UNREADABLE as error:
            self.problem(place, why_invalid(error))
            return None


def read_tree(found: Sequence[Answer], place: str) -> Tree:
    """Merge answers in file order."""
    tree = Tree()
    for answer in found:
        base = f"{place}#{answer.pointer}"
        fields = answer.fields
        _organization(tree, fields, base)
        for root, _ in records(tree, fields, "Roots", Root, base):
            tree.roots[root.id] = root
        _units(tree, fields, base, "")
        _accounts(tree, fields, base, "")
        for parent, below, at in asked_answers(
            tree, fields, "OrganizationalUnitsForParent", base
        ):
            _units(tree, below, at, parent)
        for parent, below, at in asked_answers(tree, fields, "AccountsForParent", base):
            _accounts(tree, below, at, parent)
        _policies(tree, fields, base)
        _delegated(tree, fields, base)
    return tree


def records(
    tree: Tree, fields: Fields, name: str, kind: type[DecodedT], base: str
) -> Iterator[tuple[DecodedT, str]]:
    """Yield the entries of a list with their places."""
    if name not in fields:
        return
    if bytes(fields.get("NextToken", b"null")) not in (b"null", b'""'):
        tree.problem(base, f"more of {name} follow, and they are not here")
    raws = tree.decode(fields[name], list[msgspec.Raw], f"{base}/{name}") or []
    for index, raw in enumerate(raws):
        place = f"{base}/{name}/{index}"
        record = tree.decode(raw, kind, place)
        if record is not None:
            yield record, place


def asked_answers(
    tree: Tree, fields: Fields, name: str, base: str
) -> Iterator[tuple[str, Fields, str]]:
    """Yield the answers with their queried ids."""
    if name not in fields:
        return
    below = tree.decode(fields[name], Fields, f"{base}/{name}") or {}
    for asked, raw in below.items():
        place = f"{base}/{name}/{asked}"
        answer = tree.decode(raw, Fields, place)
        if answer is not None:
            yield asked, answer, place


def _organization(tree: Tree, fields: Fields, base: str) -> None:
    if "Organization" in fields:
        place = f"{base}/Organization"
        found = tree.decode(fields["Organization"], Organization, place)
        tree.organization = found or tree.organization


def _units(tree: Tree, fields: Fields, base: str, parent: str) -> None:
    for unit, _ in records(tree, fields, "OrganizationalUnits", Unit, base):
        if parent or unit.parent_id:
            tree.parents[unit.id] = parent or unit.parent_id


def _accounts(tree: Tree, fields: Fields, base: str, parent: str) -> None:
    for account, place in records(tree, fields, "Accounts", Account, base):
        tree.accounts.setdefault(account.id, (account, place))
        if parent or account.parent_id:
            tree.parents[account.id] = parent or account.parent_id


def _delegated(tree: Tree, fields: Fields, base: str) -> None:
    for account, place in records(
        tree, fields, "DelegatedAdministrators", Account, base
    ):
        tree.accounts.setdefault(account.id, (account, place))
        tree.delegated.setdefault(account.id, set())
    for account_id, answer, place in asked_answers(
        tree, fields, "DelegatedServicesForAccount", base
    ):
        services = records(tree, answer, "DelegatedServices", DelegatedService, place)
        tree.delegated.setdefault(account_id, set()).update(
            service.service_principal for service, _ in services
        )


def _policies(tree: Tree, fields: Fields, base: str) -> None:
    for raw, place in records(tree, fields, "Policies", Fields, base):
        _policy(tree, raw, place)
    for _, answer, place in asked_answers(tree, fields, "DescribePolicy", base):
        described = tree.decode(_again(answer), _Described, place)
        if described is not None:
            _control(tree, described.policy, place)
    for policy, answer, place in asked_answers(tree, fields, "TargetsForPolicy", base):
        targets = records(tree, answer, "Targets", Target, place)
        ids = [target.target_id for target, _ in targets]
        tree.targets.setdefault(policy, []).extend(ids)


def _policy(tree: Tree, fields: Fields, place: str) -> None:
    """Add an entry of list-policies, or one built from describe-policy."""
    if "PolicySummary" in fields:
        whole = tree.decode(_again(fields), _Policy, place)
    elif "Policy" in fields:
        described = tree.decode(_again(fields), _Described, place)
        whole = described.policy if described else None
    else:
        summary = tree.decode(_again(fields), Summary, place)
        whole = _Policy(summary) if summary else None
    if whole is not None:
        _control(tree, whole, place)


def _control(tree: Tree, found: _Policy, place: str) -> None:
    summary = found.policy_summary
    known = tree.policies.setdefault(summary.id, Control(summary, place))
    if found.content:
        known.content = found.content
        known.place = place
    if found.targets is not None:
        ids = [target.target_id for target in found.targets]
        tree.targets.setdefault(summary.id, []).extend(ids)


def _again(fields: Fields) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(fields))

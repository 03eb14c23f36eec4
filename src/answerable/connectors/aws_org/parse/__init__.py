"""Parser of an organisation's answers. Pure: bytes in, facts and problems out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from answerable.connectors.aws_org.declaration import IDENTITY_CENTER
from answerable.connectors.aws_org.parse.identity_center import FIELDS as CENTER_FIELDS
from answerable.connectors.aws_org.parse.identity_center import identity_center
from answerable.connectors.aws_org.parse.organization_tree import FIELDS as TREE_FIELDS
from answerable.connectors.aws_org.parse.organization_tree import (
    Control,
    Tree,
    read_tree,
)
from answerable.connectors.formats.aws_api_answers import Answer, answers, wrong_kind
from answerable.connectors.formats.iam_policy import parse_policy, unread_policy
from answerable.model.coverage import Held
from answerable.model.errors import IdError, ParseError
from answerable.model.identity import Account
from answerable.model.ids import Arn, PolicyId
from answerable.model.policy import Attachment, Layer, Policy
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.sighting import Facts, Problem

FIELDS = (*TREE_FIELDS, *CENTER_FIELDS)
EXPECTED = "AWS Organizations answers"
_LAYERS = {
    "SERVICE_CONTROL_POLICY": Layer.SCP,
    "RESOURCE_CONTROL_POLICY": Layer.RCP,
}
# Account details have a field `Policies` too.
_OF_ONE_ACCOUNT = ("UserDetailList", "GroupDetailList", "RoleDetailList")
_DEPTH = 12  # the platform nests units five deep


@dataclass(frozen=True, slots=True)
class Parsed:
    """Parsed organisation; `collected` are coverage kinds, `held` their places."""

    facts: Facts
    problems: tuple[Problem, ...]
    collected: tuple[str, ...]
    held: tuple[Held, ...]


def parse(data: bytes, *, source: str, place: str, now: int) -> Parsed:
    """Parse AWS Organizations answers.

    Args:
        data: One object, or several answers; see docs/aws.md.
        source: The sync's source.
        place: The file.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has other content; the hint names its source.
        ParseError: The bytes are not JSON.
    """
    found = answers(data, place)
    for answer in found:
        known = any(name in answer.fields for name in FIELDS)
        if not known or any(name in answer.fields for name in _OF_ONE_ACCOUNT):
            raise wrong_kind(answer.fields, place, EXPECTED)
    return parse_answers(found, source=source, place=place, now=now)


def parse_answers(
    found: Sequence[Answer], *, source: str, place: str, now: int
) -> Parsed:
    """Parse answers of a known kind."""
    tree = read_tree(found, place)
    accounts = _accounts(tree, source, now)
    policies, attachments = _controls(tree, source, now)
    center = identity_center(tree, found, source=source, place=place, now=now)
    facts = replace(
        center, accounts=accounts, policies=policies, attachments=attachments
    )
    words = _collected(tree)
    if center.assignments or any("PermissionSet" in a.fields for a in found):
        words = (*words, IDENTITY_CENTER)
    return Parsed(facts, tuple(tree.problems), words, _held(words, accounts))


def _seen(source: str, place: str, now: int) -> Seen:
    return Seen(source, place, WrittenBy.PLATFORM, now)


def _accounts(tree: Tree, source: str, now: int) -> tuple[Account, ...]:
    found = []
    for account, place in tree.accounts.values():
        organization, management = _belongs(tree, account.arn)
        parents = _parents(tree, account.id)
        if not parents:
            tree.problem(place, f"account {account.id!r} has no place in the tree")
        found.append(
            Account(
                id=account.id,
                name=account.name,
                organization=organization,
                parents=parents,
                management=account.id == management,
                seen=_seen(source, place, now),
                state=(account.state or account.status).lower(),
                administers=tuple(sorted(tree.delegated.get(account.id, ()))),
            )
        )
    return tuple(found)


def _belongs(tree: Tree, arn: str) -> tuple[str, str]:
    """Return the organisation and management account, which an account ARN contains."""
    if tree.organization:
        return tree.organization.id, tree.organization.master_account_id
    try:
        parts = Arn.parse(arn)
    except IdError:
        return "", ""
    pieces = parts.resource.split("/")
    return (pieces[1], parts.account) if len(pieces) == 3 else ("", "")


def _parents(tree: Tree, child: str) -> tuple[str, ...]:
    """Return the path to the root; empty for a broken or circular path."""
    path: list[str] = []
    at = child
    while at in tree.parents and len(path) < _DEPTH:
        at = tree.parents[at]
        path.append(at)
    whole = bool(path) and path[-1].startswith("r-")
    return tuple(reversed(path)) if whole else ()


def _controls(
    tree: Tree, source: str, now: int
) -> tuple[tuple[Policy, ...], tuple[Attachment, ...]]:
    policies: list[Policy] = []
    attachments: list[Attachment] = []
    for control in tree.policies.values():
        summary = control.summary
        layer = _LAYERS.get(summary.type)
        if layer is None:  # tag, backup and other policies grant and deny nothing
            continue
        seen = _seen(source, control.place, now)
        policy_id = PolicyId(summary.arn or summary.id)
        if control.content:
            policies.append(_policy(tree, control, layer, policy_id, seen))
        else:
            what = f"policy {summary.id!r} has no content (describe-policy)"
            tree.problem(control.place, what)
        if summary.id not in tree.targets:
            what = f"policy {summary.id!r} has no targets (list-targets-for-policy)"
            tree.problem(control.place, what)
        attachments += [
            Attachment(policy_id, target, layer, "", seen)
            for target in dict.fromkeys(tree.targets.get(summary.id, ()))
        ]
    return tuple(policies), tuple(attachments)


def _policy(
    tree: Tree, control: Control, layer: Layer, policy_id: PolicyId, seen: Seen
) -> Policy:
    name = control.summary.name
    try:
        policy = parse_policy(
            control.content, layer, policy_id=policy_id, name=name, seen=seen
        )
    except ParseError as error:
        policy = unread_policy(policy_id, name, error.reason, seen)
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        tree.problem(seen.place, what)
    return policy


def _held(words: tuple[str, ...], accounts: tuple[Account, ...]) -> tuple[Held, ...]:
    """Return the covered accounts: those with a known place in the tree."""
    placed = [account.id for account in accounts if account.parents]
    kinds = [word for word in words if word != IDENTITY_CENTER]
    return tuple(Held(word, account) for account in placed for word in kinds)


def _collected(tree: Tree) -> tuple[str, ...]:
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

"""Builder of facts from account details: identities, policies, attachments, owners."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.aws.parse.authorization_details import (
    NOTHING,
    At,
    Attached,
    Details,
    Group,
    Inline,
    Managed,
    Role,
    Tag,
    User,
)
from answerable.connectors.aws.parse.named_resources import instance_profiles, resources
from answerable.connectors.aws.parse.owner_tags import owners
from answerable.connectors.aws.parse.trusted_agents import agents
from answerable.connectors.formats.aws_api_answers import UNREADABLE, stamp_ns
from answerable.connectors.formats.iam_policy import parse_policy, unread_policy
from answerable.model.agent import Agent
from answerable.model.errors import ParseError
from answerable.model.identity import Account, Identity
from answerable.model.ids import Arn, IdentityId, PolicyId, ResourceId
from answerable.model.person import OwnerEvidence, Person
from answerable.model.policy import Attachment, Layer, Policy
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.resource import Resource
from answerable.model.sighting import Facts, Problem, ProblemKind
from answerable.model.user_group import UserGroup

_SERVICE_PATH = "/aws-service-role/"

FactT = TypeVar("FactT", Identity, Policy, Resource, Person, Agent)


@dataclass(slots=True)
class _Building:
    """Facts under construction; of equal ids the first one is kept."""

    source: str
    now: int
    identities: dict[str, Identity] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    persons: dict[str, Person] = field(default_factory=dict)
    evidence: list[OwnerEvidence] = field(default_factory=list)
    agents: dict[str, Agent] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def seen(self, place: str) -> Seen:
        return Seen(self.source, place, WrittenBy.PLATFORM, self.now)

    def problem(self, place: str, what: str) -> None:
        self.problems.append(Problem(ProblemKind.INVALID, place, what))


def account_facts(
    details: Details, *, source: str, now: int
) -> tuple[Facts, tuple[Problem, ...]]:
    """Build facts from typed records.

    Args:
        details: The account's records.
        source: The sync's source.
        now: UTC nanoseconds; observation time of tags.
    """
    build = _Building(source, now, problems=list(details.problems))
    for managed in details.policies.values():
        _managed(build, managed)
    for group in details.groups.values():
        _group(build, group)
    for user in details.users.values():
        _user(build, user)
    _memberships(build, details)
    for role in details.roles.values():
        _role(build, role)
    _roots(build)
    for policy in build.policies.values():
        if ":iam::aws:policy/" not in policy.id:
            _first(build.resources, resources(policy))
    facts = Facts(
        persons=tuple(build.persons.values()),
        agents=tuple(build.agents.values()),
        identities=tuple(build.identities.values()),
        accounts=_accounts(build),
        policies=tuple(build.policies.values()),
        attachments=tuple(dict.fromkeys(build.attachments)),
        resources=tuple(build.resources.values()),
        evidence=tuple(build.evidence),
        groups=tuple(_groups(build, details)),
    )
    return facts, tuple(build.problems)


def _first(kept: dict[str, FactT], found: Iterable[FactT]) -> None:
    for fact in found:
        kept.setdefault(fact.id, fact)


def _policy(
    build: _Building,
    document: msgspec.Raw,
    layer: Layer,
    policy_id: PolicyId,
    name: str,
    place: str,
) -> Policy:
    """Parse a policy document; an unreadable one is kept as an unread policy."""
    seen = build.seen(place)
    try:
        policy = parse_policy(
            _text(document), layer, policy_id=policy_id, name=name, seen=seen
        )
    except ParseError as error:
        policy = unread_policy(policy_id, name, error.reason, seen)
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        build.problem(place, what)
    if len(policy.unread) > 3:
        build.problem(place, f"{len(policy.unread) - 3} more statements likewise")
    build.policies.setdefault(policy.id, policy)
    return policy


def _text(document: msgspec.Raw) -> bytes | str:
    """Decode a document that is wrapped in a JSON string."""
    raw = bytes(document)
    if not raw.startswith(b'"'):
        return raw
    try:
        return msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return raw


def _managed(build: _Building, at: At[Managed]) -> None:
    document = at.record.document()
    if document == NOTHING:
        build.problem(at.place, "the default version of the policy has no document")
        return
    record = at.record
    _policy(
        build,
        document,
        Layer.IDENTITY,
        PolicyId(record.arn),
        record.policy_name or at.parts.resource.rsplit("/", 1)[-1],
        at.place,
    )


def _inline(
    build: _Building, owner: str, policies: Sequence[Inline], place: str
) -> list[PolicyId]:
    ids = []
    for inline in policies:
        policy_id = PolicyId(f"{owner}#inline/{inline.policy_name}")
        _policy(
            build,
            inline.policy_document,
            Layer.IDENTITY,
            policy_id,
            inline.policy_name,
            place,
        )
        ids.append(policy_id)
    return ids


def _attach(
    build: _Building,
    target: str,
    place: str,
    policies: Iterable[str],
    layer: Layer = Layer.IDENTITY,
    via: str = "",
) -> None:
    seen = build.seen(place)
    build.attachments += [
        Attachment(PolicyId(policy), target, layer, via, seen) for policy in policies
    ]


def _arns(attached: Sequence[Attached]) -> Iterator[str]:
    return (one.policy_arn for one in attached)


def _pairs(tags: Sequence[Tag]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((tag.key, tag.value) for tag in tags))


def _identity(
    build: _Building,
    at: At[User] | At[Role],
    kind: str,
    name: str,
    unique_id: str,
    last_used: int = 0,
) -> Identity:
    identity = Identity(
        id=IdentityId(at.record.arn),
        kind=kind,
        name=name,
        account=at.parts.account,
        unique_id=unique_id,
        tags=_pairs(at.record.tags),
        created_at=stamp_ns(at.record.create_date),
        last_used_at=last_used,
        seen=build.seen(at.place),
    )
    build.identities[identity.id] = identity
    _attach(build, identity.id, at.place, _arns(at.record.attached_managed_policies))
    boundary = at.record.permissions_boundary
    if boundary and boundary.permissions_boundary_arn:
        arns = (boundary.permissions_boundary_arn,)
        _attach(build, identity.id, at.place, arns, Layer.BOUNDARY)
    return identity


def _owned(build: _Building, identity: Identity, *agent_ids: str) -> None:
    people, evidence = owners((identity.id, *agent_ids), identity.tags, identity.seen)
    _first(build.persons, people)
    build.evidence += evidence


def _user(build: _Building, at: At[User]) -> None:
    user = at.record
    identity = _identity(build, at, "aws-user", user.user_name, user.user_id)
    inline = _inline(build, user.arn, user.user_policy_list, at.place)
    _attach(build, user.arn, at.place, inline)
    _owned(build, identity)


def _group(build: _Building, at: At[Group]) -> None:
    """Add a group's policies, with or without members."""
    group = at.record
    inline = _inline(build, group.arn, group.group_policy_list, at.place)
    managed = _arns(group.attached_managed_policies)
    _attach(build, group.arn, at.place, [*inline, *managed])


def _groups(build: _Building, details: Details) -> Iterator[UserGroup]:
    """List the groups with their members, including empty groups."""
    members: dict[tuple[str, str], set[IdentityId]] = defaultdict(set)
    for user in details.users.values():
        for name in user.record.group_list:
            members[user.parts.account, name].add(IdentityId(user.record.arn))
    for at in details.groups.values():
        account, name = at.parts.account, at.record.group_name
        yield UserGroup(
            id=ResourceId(at.record.arn),
            account=account,
            members=tuple(sorted(members[account, name])),
            seen=build.seen(at.place),
        )


def _memberships(build: _Building, details: Details) -> None:
    """Attach group policies to each member, via the group."""
    named: dict[tuple[str, str], At[Group]] = {
        (at.parts.account, at.record.group_name): at for at in details.groups.values()
    }
    for user in details.users.values():
        for name in user.record.group_list:
            group = named.get((user.parts.account, name))
            if group is None:
                build.problem(user.place, f"group {name!r} was not collected")
                continue
            arn = group.record.arn
            inline = [
                f"{arn}#inline/{policy.policy_name}"
                for policy in group.record.group_policy_list
            ]
            managed = _arns(group.record.attached_managed_policies)
            _attach(
                build,
                user.record.arn,
                user.place,
                [*inline, *managed],
                via=arn,
            )


def _role(build: _Building, at: At[Role]) -> None:
    role = at.record
    used = stamp_ns(role.role_last_used.last_used_date) if role.role_last_used else 0
    linked = at.parts.resource.startswith(f"role{_SERVICE_PATH}")
    kind = "aws-service-role" if linked else "aws-role"
    identity = _identity(build, at, kind, role.role_name, role.role_id, used)
    inline = _inline(build, role.arn, role.role_policy_list, at.place)
    _attach(build, role.arn, at.place, inline)
    found: list[Agent] = []
    if role.assume_role_policy_document == NOTHING:
        build.problem(at.place, "the role has no AssumeRolePolicyDocument")
    else:
        trust = _policy(
            build,
            role.assume_role_policy_document,
            Layer.TRUST,
            PolicyId(f"{role.arn}#trust"),
            "trust",
            at.place,
        )
        _attach(build, role.arn, at.place, (trust.id,), Layer.TRUST)
        found = list(agents(identity, trust))
    _first(build.agents, found)
    profiles = [profile.arn for profile in role.instance_profile_list]
    _first(build.resources, instance_profiles(profiles, identity))
    _owned(build, identity, *(agent.id for agent in found))


def _roots(build: _Building) -> None:
    """Add the root of a scanned account where a trust policy names it."""
    accounts = {
        (Arn.parse(identity.id).partition, identity.account)
        for identity in build.identities.values()
    }
    for policy in build.policies.values():
        if not policy.id.endswith("#trust"):
            continue
        named = {
            value
            for statement in policy.statements
            for kind, value in statement.principals
            if kind == "AWS"
        }
        for partition, account in accounts:
            arn = f"arn:{partition}:iam::{account}:root"
            if arn in named or account in named:
                root = Identity(
                    IdentityId(arn), "aws-root", "root", account, account, (), 0, 0,
                    policy.seen,
                )  # fmt: skip
                build.identities.setdefault(arn, root)


def _accounts(build: _Building) -> tuple[Account, ...]:
    found: dict[str, Account] = {}
    for identity in build.identities.values():
        number = identity.account
        if len(number) == 12 and number.isdecimal():
            account = Account(number, "", "", (), False, identity.seen)
            found.setdefault(number, account)
    return tuple(found.values())

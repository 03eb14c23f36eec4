"""Build facts from IAM account details: identities, policies, attachments, owners."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.aws.parse.authorization_details import (
    NOTHING,
    AttachedPolicy,
    AuthorizationDetails,
    GroupDetail,
    InlinePolicyDetail,
    ManagedPolicyDetail,
    PlacedRecord,
    RoleDetail,
    UserDetail,
)
from answerable.connectors.aws.parse.inferred_agents import find_trusted_agents
from answerable.connectors.aws.parse.named_resources import (
    find_instance_profiles,
    find_named_resources,
)
from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    parse_timestamp_ns,
)
from answerable.connectors.formats.iam_policy import (
    make_unreadable_policy,
    parse_policy,
)
from answerable.connectors.formats.owner_tags import find_tag_owners
from answerable.connectors.formats.problem_collector import ProblemCollector
from answerable.inventory.fact_pool import FactPool
from answerable.model.agent import Agent
from answerable.model.errors import ParseError
from answerable.model.identity import Account, Identity
from answerable.model.ids import Arn, IdentityId, PolicyId, ResourceId
from answerable.model.person import OwnerEvidence, Person
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.resource import Resource
from answerable.model.sighting import ReadProblem, SightedFacts
from answerable.model.user_group import UserGroup

_SERVICE_PATH = "/aws-service-role/"

FactT = TypeVar("FactT", Identity, Policy, Resource, Person, Agent)


@dataclass(slots=True)
class _AccountFactsBuilder(ProblemCollector):
    """Facts under construction; of equal ids the first one is kept."""

    source: str
    now: int
    identities: dict[str, Identity] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    attachments: list[PolicyAttachment] = field(default_factory=list)
    persons: dict[str, Person] = field(default_factory=dict)
    evidence: list[OwnerEvidence] = field(default_factory=list)
    agents: dict[str, Agent] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    last_seen: FactProvenance | None = None
    pool: FactPool = field(default_factory=FactPool)

    def get_provenance(self, place: str) -> FactProvenance:
        """Return the provenance of a place; the facts of one record share it."""
        seen = self.last_seen
        if seen is None or seen.place != place:
            seen = FactProvenance(self.source, place, WrittenBy.PLATFORM, self.now)
            self.last_seen = seen
        return seen


def build_account_facts(
    details: AuthorizationDetails, *, source: str, now: int
) -> tuple[SightedFacts, tuple[ReadProblem, ...]]:
    """Convert IAM `get-account-authorization-details` records to inventory facts.

    Args:
        now: UTC nanoseconds; observation time of tags.
    """
    builder = _AccountFactsBuilder(source, now, problems=list(details.problems))
    for managed in details.policies:
        _add_managed_policy(builder, managed)
    for group in details.groups:
        _add_group_policies(builder, group)
    for user in details.users:
        _add_user(builder, user)
    _attach_group_policies(builder, details)
    for role in details.roles:
        _add_role(builder, role)
    _add_trusted_account_roots(builder)
    for policy in builder.policies.values():
        if ":iam::aws:policy/" not in policy.id:
            _add_new_facts(builder.resources, find_named_resources(policy))
    facts = SightedFacts(
        persons=tuple(builder.persons.values()),
        agents=tuple(builder.agents.values()),
        identities=tuple(builder.identities.values()),
        accounts=_list_accounts(builder),
        policies=tuple(builder.policies.values()),
        attachments=tuple(builder.attachments),
        resources=tuple(builder.resources.values()),
        evidence=tuple(builder.evidence),
        groups=tuple(_list_user_groups(builder, details)),
    )
    return facts, tuple(builder.problems)


def _add_new_facts(kept: dict[str, FactT], found: Iterable[FactT]) -> None:
    for fact in found:
        kept.setdefault(fact.id, fact)


def _add_policy(
    facts: _AccountFactsBuilder,
    document: msgspec.Raw,
    layer: PolicyLayer,
    policy_id: PolicyId,
    name: str,
    place: str,
) -> Policy:
    """Parse a policy document; an unreadable one is kept as an unreadable policy."""
    seen = facts.get_provenance(place)
    try:
        policy = parse_policy(
            _unquote_document(document),
            layer,
            policy_id=policy_id,
            name=name,
            provenance=seen,
        )
    except ParseError as error:
        policy = make_unreadable_policy(policy_id, name, error.reason, seen)
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        facts.add_problem(place, what)
    if len(policy.unread) > 3:
        facts.add_problem(place, f"{len(policy.unread) - 3} similar problems follow")
    facts.pool.share_statements(policy)
    facts.policies.setdefault(policy.id, policy)
    return policy


def _unquote_document(document: msgspec.Raw) -> bytes | str:
    """Decode a document that is wrapped in a JSON string."""
    raw = bytes(document)
    if not raw.startswith(b'"'):
        return raw
    try:
        return msgspec.json.decode(raw, type=str)
    except DECODE_ERRORS:
        return raw


def _add_managed_policy(
    facts: _AccountFactsBuilder, entry: PlacedRecord[ManagedPolicyDetail]
) -> None:
    """Add a managed policy with the document of its default version."""
    document = entry.record.default_document()
    if document == NOTHING:
        missing = "the default version of the policy has no document"
        facts.add_problem(entry.place, missing)
        return
    record = entry.record
    _add_policy(
        facts,
        document,
        PolicyLayer.IDENTITY,
        PolicyId(record.arn),
        record.policy_name or entry.parts.resource.rsplit("/", 1)[-1],
        entry.place,
    )


def _add_inline_policies(
    facts: _AccountFactsBuilder,
    owner: str,
    policies: Sequence[InlinePolicyDetail],
    place: str,
) -> list[PolicyId]:
    """Add the inline policies of an identity or group, and return their ids."""
    ids = []
    for inline in policies:
        policy_id = PolicyId(f"{owner}#inline/{inline.policy_name}")
        _add_policy(
            facts,
            inline.policy_document,
            PolicyLayer.IDENTITY,
            policy_id,
            inline.policy_name,
            place,
        )
        ids.append(policy_id)
    return ids


def _attach_policies(
    facts: _AccountFactsBuilder,
    target: str,
    place: str,
    policies: Iterable[str],
    layer: PolicyLayer = PolicyLayer.IDENTITY,
    via: str = "",
) -> None:
    """Attach policies to an identity, directly or through a group (`via`)."""
    seen, share = facts.get_provenance(place), facts.pool.share_text
    facts.attachments += [
        PolicyAttachment(PolicyId(share(policy)), target, layer, via, seen)
        for policy in dict.fromkeys(policies)
    ]


def _list_policy_arns(attached: Sequence[AttachedPolicy]) -> Iterator[str]:
    return (one.policy_arn for one in attached)


def _add_identity(
    facts: _AccountFactsBuilder,
    entry: PlacedRecord[UserDetail] | PlacedRecord[RoleDetail],
    kind: str,
    name: str,
    unique_id: str,
    last_used: int = 0,
) -> Identity:
    """Add a user or role with its attached policies and its boundary."""
    identity = Identity(
        id=IdentityId(entry.record.arn),
        kind=kind,
        name=name,
        account=entry.parts.account,
        unique_id=unique_id,
        tags=tuple(sorted((tag.key, tag.value) for tag in entry.record.tags)),
        created_at=parse_timestamp_ns(entry.record.create_date),
        last_used_at=last_used,
        seen=facts.get_provenance(entry.place),
    )
    facts.identities[identity.id] = identity
    _attach_policies(
        facts,
        identity.id,
        entry.place,
        _list_policy_arns(entry.record.attached_managed_policies),
    )
    boundary = entry.record.permissions_boundary
    if boundary and boundary.permissions_boundary_arn:
        arns = (boundary.permissions_boundary_arn,)
        _attach_policies(facts, identity.id, entry.place, arns, PolicyLayer.BOUNDARY)
    return identity


def _add_owner_evidence(
    facts: _AccountFactsBuilder, identity: Identity, *agent_ids: str
) -> None:
    """Add the owners that the identity's tags name, also for its agents."""
    ids = (identity.id, *agent_ids)
    people, evidence = find_tag_owners(ids, identity.tags, identity.seen)
    _add_new_facts(facts.persons, people)
    facts.evidence += evidence


def _add_user(facts: _AccountFactsBuilder, entry: PlacedRecord[UserDetail]) -> None:
    user = entry.record
    identity = _add_identity(facts, entry, "aws-user", user.user_name, user.user_id)
    inline = _add_inline_policies(facts, user.arn, user.user_policy_list, entry.place)
    _attach_policies(facts, user.arn, entry.place, inline)
    _add_owner_evidence(facts, identity)


def _add_group_policies(
    facts: _AccountFactsBuilder, entry: PlacedRecord[GroupDetail]
) -> None:
    """Add a group's policies, with or without members."""
    group = entry.record
    policies = group.group_policy_list
    inline = _add_inline_policies(facts, group.arn, policies, entry.place)
    managed = _list_policy_arns(group.attached_managed_policies)
    _attach_policies(facts, group.arn, entry.place, [*inline, *managed])


def _list_user_groups(
    facts: _AccountFactsBuilder, details: AuthorizationDetails
) -> Iterator[UserGroup]:
    """List the groups with their members, including empty groups."""
    members: dict[tuple[str, str], set[IdentityId]] = defaultdict(set)
    for user in details.users:
        for name in user.record.group_list:
            members[user.parts.account, name].add(IdentityId(user.record.arn))
    for at in details.groups:
        account, name = at.parts.account, at.record.group_name
        yield UserGroup(
            id=ResourceId(at.record.arn),
            account=account,
            members=tuple(sorted(members[account, name])),
            seen=facts.get_provenance(at.place),
        )


def _attach_group_policies(
    facts: _AccountFactsBuilder, details: AuthorizationDetails
) -> None:
    """Attach an IAM group's policies to each of its member users."""
    named: dict[tuple[str, str], PlacedRecord[GroupDetail]] = {
        (at.parts.account, at.record.group_name): at for at in details.groups
    }
    for user in details.users:
        for name in dict.fromkeys(user.record.group_list):
            group = named.get((user.parts.account, name))
            if group is None:
                facts.add_problem(user.place, f"group {name!r} was not collected")
                continue
            arn = group.record.arn
            inline = [
                f"{arn}#inline/{policy.policy_name}"
                for policy in group.record.group_policy_list
            ]
            managed = _list_policy_arns(group.record.attached_managed_policies)
            _attach_policies(
                facts,
                user.record.arn,
                user.place,
                [*inline, *managed],
                via=arn,
            )


def _add_role(facts: _AccountFactsBuilder, entry: PlacedRecord[RoleDetail]) -> None:
    """Add a role with its trust policy, agents, instance profiles and owners."""
    role = entry.record
    last_used = role.role_last_used
    used = parse_timestamp_ns(last_used.last_used_date) if last_used else 0
    linked = entry.parts.resource.startswith(f"role{_SERVICE_PATH}")
    kind = "aws-service-role" if linked else "aws-role"
    identity = _add_identity(facts, entry, kind, role.role_name, role.role_id, used)
    inline = _add_inline_policies(facts, role.arn, role.role_policy_list, entry.place)
    _attach_policies(facts, role.arn, entry.place, inline)
    found: list[Agent] = []
    if role.assume_role_policy_document == NOTHING:
        facts.add_problem(entry.place, "the role has no AssumeRolePolicyDocument")
    else:
        trust = _add_policy(
            facts,
            role.assume_role_policy_document,
            PolicyLayer.TRUST,
            PolicyId(f"{role.arn}#trust"),
            "trust",
            entry.place,
        )
        _attach_policies(facts, role.arn, entry.place, (trust.id,), PolicyLayer.TRUST)
        found = list(find_trusted_agents(identity, trust))
    _add_new_facts(facts.agents, found)
    profiles = [profile.arn for profile in role.instance_profile_list]
    _add_new_facts(facts.resources, find_instance_profiles(profiles, identity))
    _add_owner_evidence(facts, identity, *(agent.id for agent in found))


def _add_trusted_account_roots(facts: _AccountFactsBuilder) -> None:
    """Add the root user of each scanned account that a role's trust policy names."""
    accounts = {
        (Arn.parse(identity.id).partition, identity.account)
        for identity in facts.identities.values()
    }
    for policy in facts.policies.values():
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
                    id=IdentityId(arn),
                    kind="aws-root",
                    name="root",
                    account=account,
                    unique_id=account,
                    tags=(),
                    created_at=0,
                    last_used_at=0,
                    seen=policy.seen,
                )
                facts.identities.setdefault(arn, root)


def _list_accounts(facts: _AccountFactsBuilder) -> tuple[Account, ...]:
    """List the AWS accounts that the read identities belong to, each once."""
    found: dict[str, Account] = {}
    for identity in facts.identities.values():
        number = identity.account
        if number not in found and len(number) == 12 and number.isdecimal():
            found[number] = Account(number, "", "", (), False, identity.seen)
    return tuple(found.values())

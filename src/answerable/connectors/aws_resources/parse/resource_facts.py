"""Builder of facts from resource answers: policies, grants, blocks, tags, roles."""

from dataclasses import dataclass, field

import msgspec

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.answer_fields import (
    ACCESS_POINT,
    ACCOUNT_BLOCK,
    BUCKET_BLOCK,
    BUCKET_TAGS,
    CLUSTER_TASKS,
    DESCRIBED,
    GRANTS,
    POLICIES,
    TASKS,
    TEMPLATE_VERSIONS,
    Asked,
    Question,
    Reading,
)
from answerable.connectors.aws_resources.parse.api_records import NOTHING
from answerable.connectors.aws_resources.parse.execution_roles import (
    described_role,
    role_of,
)
from answerable.connectors.aws_resources.parse.kms_grants import grant_statements
from answerable.connectors.aws_resources.parse.launch_roles import (
    read_tasks,
    read_versions,
    resolve_definitions,
)
from answerable.connectors.aws_resources.parse.policy_documents import document
from answerable.connectors.aws_resources.parse.resource_lists import (
    Estate,
    Item,
    access_point,
)
from answerable.connectors.formats.arn_kind import resource_kind
from answerable.connectors.formats.aws_api_answers import UNREADABLE, Fields
from answerable.connectors.formats.iam_policy import (
    WHOLE,
    parse_policy,
    unread_policy,
)
from answerable.model.errors import ParseError
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import (
    Attachment,
    Layer,
    Policy,
    Statement,
    UnreadStatement,
)
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.sighting import Facts

_GRANTS_LIMIT = 100_000  # KMS allows 50,000 grants on a key


@dataclass(slots=True)
class Building:
    """Facts under construction; of repeated answers the last one is kept."""

    source: str
    now: int
    estate: Estate
    policies: dict[str, Policy] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, PublicAccessBlock] = field(default_factory=dict)

    @property
    def reading(self) -> Reading:
        """Reader that collects the problems."""
        return self.estate.reading

    def seen(self, place: str) -> Seen:
        """Build the provenance of a fact."""
        return Seen(self.source, place, WrittenBy.PLATFORM, self.now)

    def keep(self, holder: str, policy: Policy) -> None:
        """Attach a policy to its resource."""
        self.policies[policy.id] = policy
        self.holders[policy.id] = holder


def read_questions(build: Building, fields: Fields, base: str) -> None:
    """Read every answer stored under a queried id."""
    reading, estate = build.reading, build.estate
    for asked in reading.asked(fields, ACCESS_POINT, base):
        answer = _typed(build, asked, api_records.AccessPoint)
        if answer is not None and access_point(estate, answer, asked.place):
            estate.seen.add(ACCESS_POINT.field)
            if answer.public_access_block_configuration is None:
                estate.blocks[answer.access_point_arn] = (
                    api_records.Block(),
                    asked.place,
                )
    for question, take in (
        *((question, _policy) for question in POLICIES),
        (GRANTS, _grants),
        (BUCKET_BLOCK, _block),
        (ACCOUNT_BLOCK, _block),
        (BUCKET_TAGS, _tags),
        (TASKS, _task),
        (DESCRIBED, _described),
    ):
        for asked in reading.asked(fields, question, base):
            take(build, question, asked)
    for asked in reading.asked(fields, CLUSTER_TASKS, base):
        read_tasks(estate, asked)
    for asked in reading.asked(fields, TEMPLATE_VERSIONS, base):
        read_versions(estate, asked)


def facts(build: Building) -> Facts:
    """Return the built facts."""
    estate = build.estate
    for arn, (block, place) in estate.blocks.items():
        _blocked(build, arn, block, place)
    _launched(build)
    resolve_definitions(estate)
    attachments = [
        Attachment(policy.id, build.holders[policy.id], Layer.RESOURCE, "", policy.seen)
        for policy in build.policies.values()
    ]
    attachments += _key_policies_not_here(build)
    return Facts(
        policies=tuple(build.policies.values()),
        attachments=tuple(attachments),
        resources=tuple(_resource(build, item) for item in estate.items.values()),
        public_access=tuple(build.blocks.values()),
    )


def _resource(build: Building, item: Item) -> Resource:
    return Resource(
        id=ResourceId(str(item.arn)),
        kind=resource_kind(item.arn),
        account=item.account,
        tags=tuple(sorted(item.tags.items())),
        seen=build.seen(item.place),
        behind=ResourceId(item.behind),
        runs_as=IdentityId(item.runs_as),
        network=item.network,
    )


def _key_policies_not_here(build: Building) -> list[Attachment]:
    """List missing key policies: every key has one, but only grants were collected."""
    return [
        Attachment(PolicyId(f"{key}#policy"), key, Layer.RESOURCE, "", policy.seen)
        for policy in build.policies.values()
        if policy.id.endswith("#grants")
        and f"{(key := build.holders[policy.id])}#policy" not in build.policies
    ]


def _asked_of(build: Building, question: Question, asked: Asked) -> Item | None:
    """Find the queried resource."""
    estate = build.estate
    arn = estate.names.find(asked.asked, question.kind)
    if arn is None:
        kind = question.kind or "resource"
        what = f"which {kind} this is cannot be told (expected its ARN)"
        build.reading.problem(asked.place, what)
        return None
    return estate.item(arn, asked.place)


def _typed(
    build: Building, asked: Asked, kind: type[api_records.AccessPoint]
) -> api_records.AccessPoint | None:
    return build.reading.decode(asked.raw or NOTHING, kind, asked.place)


def _policy(build: Building, question: Question, asked: Asked) -> None:
    """Add a policy; an unreadable one is kept as an unread policy."""
    if question.field == "QueueAttributes":
        asked = _queue(build, asked)
    item = _asked_of(build, question, asked)
    if item is None:
        return
    found = document(build.reading, question, asked)
    if found == NOTHING:
        return
    build.estate.seen.add(question.field)
    policy_id = PolicyId(f"{item.arn}#policy")
    seen = build.seen(asked.place)
    policy = Policy(policy_id, "policy", (), (), seen)
    if found is not None:
        given = found if isinstance(found, str) else bytes(found)
        try:
            policy = parse_policy(
                given, Layer.RESOURCE, policy_id=policy_id, name="policy", seen=seen
            )
        except ParseError as error:
            policy = unread_policy(policy_id, "policy", error.reason, seen)
    _unread(build, policy)
    build.keep(str(item.arn), policy)


def _queue(build: Building, asked: Asked) -> Asked:
    """Resolve a queue, queried by URL, to the ARN in its answer."""
    if asked.raw is None:
        return asked
    try:
        answer = msgspec.json.decode(asked.raw, type=api_records.Attributed)
    except UNREADABLE:
        return asked  # said when the policy is looked for
    arn = answer.attributes.queue_arn
    return Asked(arn, asked.raw, asked.place) if arn else asked


def _unread(build: Building, policy: Policy) -> None:
    place = policy.seen.place
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        build.reading.problem(place, what)
    if len(policy.unread) > 3:
        more = f"{len(policy.unread) - 3} more statements likewise"
        build.reading.problem(place, more)


class _Grants(msgspec.Struct, rename="pascal", frozen=True):
    grants: list[msgspec.Raw] = []
    truncated: bool = False
    next_marker: str | None = None
    next_token: str | None = None


def _grants(build: Building, question: Question, asked: Asked) -> None:
    item = _asked_of(build, question, asked)
    if item is None:
        return
    answer: _Grants | None = _Grants()
    if asked.raw is not None:
        answer = build.reading.decode(asked.raw, _Grants, asked.place)
    if answer is None:
        return
    build.estate.seen.add(question.field)
    key = str(item.arn)
    read: list[Statement | UnreadStatement] = []
    for position, raw in enumerate(answer.grants[:_GRANTS_LIMIT]):
        read += grant_statements(raw, key, position)
    if answer.truncated or answer.next_marker or answer.next_token:
        read.append(UnreadStatement(WHOLE, "more grants follow that are missing"))
    if len(answer.grants) > _GRANTS_LIMIT:
        read.append(UnreadStatement(WHOLE, f"grants beyond {_GRANTS_LIMIT}"))
    policy = Policy(
        PolicyId(f"{key}#grants"),
        "grants",
        tuple(each for each in read if isinstance(each, Statement)),
        tuple(each for each in read if isinstance(each, UnreadStatement)),
        build.seen(asked.place),
    )
    _unread(build, policy)
    build.keep(key, policy)


def _block(build: Building, question: Question, asked: Asked) -> None:
    target = asked.asked
    if question.kind == "account":
        if len(target) != 12 or not target.isdecimal():
            build.reading.problem(asked.place, "expected the number of an account")
            return
    else:
        item = _asked_of(build, question, asked)
        if item is None:
            return
        target = str(item.arn)
    block = api_records.Block()
    if asked.raw is not None:
        answer = build.reading.decode(asked.raw, api_records.Blocked, asked.place)
        if answer is None:
            return
        block = answer.public_access_block_configuration
    build.estate.seen.add(question.field)
    _blocked(build, target, block, asked.place)


def _blocked(
    build: Building, target: str, block: api_records.Block, place: str
) -> None:
    build.blocks[target] = PublicAccessBlock(
        target=target,
        restrict_public_buckets=block.restrict_public_buckets,
        block_public_policy=block.block_public_policy,
        seen=build.seen(place),
    )


def _tags(build: Building, question: Question, asked: Asked) -> None:
    item = _asked_of(build, question, asked)
    if item is None:
        return
    if asked.raw is not None:
        answer = build.reading.decode(asked.raw, api_records.TagSet, asked.place)
        if answer is None:
            return
        item.tags |= {tag.key: tag.value for tag in answer.tag_set}
    build.estate.seen.add(question.field)


def _task(build: Building, question: Question, asked: Asked) -> None:
    answer = build.reading.decode(
        asked.raw or NOTHING, api_records.Defined, asked.place
    )
    if answer is None:
        return
    task = answer.task_definition
    item = build.estate.named(task.task_definition_arn, asked.place, question.kind)
    if item is not None:
        item.runs_as = role_of(task.task_role_arn)


def _described(build: Building, question: Question, asked: Asked) -> None:
    item = _asked_of(build, question, asked)
    if item is not None and asked.raw is not None:
        item.runs_as = described_role(asked.raw)


def _launched(build: Building) -> None:
    """Assign the profile's role to instances and launch templates."""
    estate = build.estate
    missing = 0
    for arn, profile in estate.launched.items():
        if profile in estate.profiles:
            estate.items[arn].runs_as = estate.profiles[profile]
        elif ":instance/" in arn:
            missing += 1
    if missing:
        what = "iam list-instance-profiles is missing: the roles of {} are not known"
        build.reading.problem(_first(estate), what.format(f"{missing} instances"))


def _first(estate: Estate) -> str:
    return next(estate.items[arn].place for arn in estate.launched)

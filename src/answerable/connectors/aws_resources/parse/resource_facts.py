"""Build facts from resource responses: policies, grants, public access, tags, roles."""

from dataclasses import dataclass, field

import msgspec

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.api_records import NOTHING
from answerable.connectors.aws_resources.parse.execution_roles import (
    find_execution_role,
    parse_role_arn,
)
from answerable.connectors.aws_resources.parse.kms_grants import parse_grant
from answerable.connectors.aws_resources.parse.launch_roles import (
    assign_task_roles,
    read_ecs_tasks,
    read_launch_template_version,
)
from answerable.connectors.aws_resources.parse.policy_documents import extract_document
from answerable.connectors.aws_resources.parse.resource_lists import (
    ListedResource,
    ResourceInventory,
    read_access_point,
)
from answerable.connectors.aws_resources.parse.response_fields import (
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
    AnswerField,
    AnswerReader,
    FieldAnswer,
)
from answerable.connectors.formats.arn_kind import resource_kind_of_arn
from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS, AnswerFields
from answerable.connectors.formats.iam_policy import (
    WHOLE_DOCUMENT,
    make_unreadable_policy,
    parse_policy,
)
from answerable.model.errors import ParseError
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import (
    Policy,
    PolicyAttachment,
    PolicyLayer,
    Statement,
    UnreadStatement,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.sighting import SightedFacts

_MAX_GRANTS = 100_000  # KMS allows 50,000 grants on a key


@dataclass(slots=True)
class ResourceFactsBuilder:
    """Facts under construction; of repeated answers the last one is kept."""

    source: str
    now: int
    inventory: ResourceInventory
    policies: dict[str, Policy] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, PublicAccessBlock] = field(default_factory=dict)

    @property
    def answer_reader(self) -> AnswerReader:
        """Reader that collects the problems."""
        return self.inventory.reader

    def get_provenance(self, place: str) -> FactProvenance:
        """Build the provenance of a fact."""
        return FactProvenance(self.source, place, WrittenBy.PLATFORM, self.now)

    def attach_policy(self, resource_arn: str, policy: Policy) -> None:
        """Attach a policy to its resource."""
        self.policies[policy.id] = policy
        self.holders[policy.id] = resource_arn


def read_answers_by_queried_id(
    builder: ResourceFactsBuilder, fields: AnswerFields, parent_place: str
) -> None:
    """Read every API answer that is stored under the id it was queried for."""
    reader, inventory = builder.answer_reader, builder.inventory
    for entry in reader.iter_answers(fields, ACCESS_POINT, parent_place):
        answer = _decode_access_point(builder, entry, api_records.AccessPointRecord)
        if answer is not None and read_access_point(inventory, answer, entry.place):
            inventory.answered_fields.add(ACCESS_POINT.field)
            if answer.public_access_block_configuration is None:
                inventory.blocks[answer.access_point_arn] = (
                    api_records.BlockConfiguration(),
                    entry.place,
                )
    for question, take in (
        *((question, _add_resource_policy) for question in POLICIES),
        (GRANTS, _add_kms_grants),
        (BUCKET_BLOCK, _parse_public_access_block),
        (ACCOUNT_BLOCK, _parse_public_access_block),
        (BUCKET_TAGS, _add_bucket_tags),
        (TASKS, _set_task_definition_role),
        (DESCRIBED, _set_execution_role),
    ):
        for entry in reader.iter_answers(fields, question, parent_place):
            take(builder, question, entry)
    for entry in reader.iter_answers(fields, CLUSTER_TASKS, parent_place):
        read_ecs_tasks(inventory, entry)
    for entry in reader.iter_answers(fields, TEMPLATE_VERSIONS, parent_place):
        read_launch_template_version(inventory, entry)


def build_facts(builder: ResourceFactsBuilder) -> SightedFacts:
    """Return the facts built so far."""
    inventory = builder.inventory
    for arn, (block, place) in inventory.blocks.items():
        _add_public_access_block(builder, arn, block, place)
    _assign_instance_profile_roles(builder)
    assign_task_roles(inventory)
    attachments = [
        PolicyAttachment(
            policy.id, builder.holders[policy.id], PolicyLayer.RESOURCE, "", policy.seen
        )
        for policy in builder.policies.values()
    ]
    attachments += _list_missing_key_policies(builder)
    return SightedFacts(
        policies=tuple(builder.policies.values()),
        attachments=tuple(attachments),
        resources=tuple(
            _build_resource(builder, item) for item in inventory.items.values()
        ),
        public_access=tuple(builder.blocks.values()),
    )


def _build_resource(builder: ResourceFactsBuilder, item: ListedResource) -> Resource:
    """Build a resource from its inventory entry."""
    return Resource(
        id=ResourceId(str(item.arn)),
        kind=resource_kind_of_arn(item.arn),
        account=item.account,
        tags=tuple(sorted(item.tags.items())),
        seen=builder.get_provenance(item.place),
        behind=ResourceId(item.underlying_resource),
        runs_as=IdentityId(item.runs_as),
        network=item.network,
    )


def _list_missing_key_policies(builder: ResourceFactsBuilder) -> list[PolicyAttachment]:
    """List missing key policies: every key has one, but only grants were collected."""
    return [
        PolicyAttachment(
            PolicyId(f"{key}#policy"), key, PolicyLayer.RESOURCE, "", policy.seen
        )
        for policy in builder.policies.values()
        if policy.id.endswith("#grants")
        and f"{(key := builder.holders[policy.id])}#policy" not in builder.policies
    ]


def _find_queried_resource(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> ListedResource | None:
    """Find the resource that a stored API answer was queried for."""
    inventory = builder.inventory
    arn = inventory.names.resolve(entry.queried_id, answer_field.kind)
    if arn is None:
        kind = answer_field.kind or "resource"
        what = f"the {kind} is unknown (expected its ARN)"
        builder.answer_reader.add_problem(entry.place, what)
        return None
    return inventory.get_or_add(arn, entry.place)


def _decode_access_point(
    builder: ResourceFactsBuilder,
    entry: FieldAnswer,
    kind: type[api_records.AccessPointRecord],
) -> api_records.AccessPointRecord | None:
    """Decode the answer about an access point; None if invalid."""
    return builder.answer_reader.decode(entry.raw or NOTHING, kind, entry.place)


def _add_resource_policy(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Add a policy; an unreadable one is kept as an unreadable policy."""
    if answer_field.field == "QueueAttributes":
        entry = _resolve_queue_arn(entry)
    item = _find_queried_resource(builder, answer_field, entry)
    if item is None:
        return
    found = extract_document(builder.answer_reader, answer_field, entry)
    if found == NOTHING:
        return
    builder.inventory.answered_fields.add(answer_field.field)
    policy_id = PolicyId(f"{item.arn}#policy")
    seen = builder.get_provenance(entry.place)
    policy = Policy(policy_id, "policy", (), (), seen)
    if found is not None:
        given = found if isinstance(found, str) else bytes(found)
        try:
            policy = parse_policy(
                given,
                PolicyLayer.RESOURCE,
                policy_id=policy_id,
                name="policy",
                provenance=seen,
            )
        except ParseError as error:
            policy = make_unreadable_policy(policy_id, "policy", error.reason, seen)
    _report_unread_statements(builder, policy)
    builder.attach_policy(str(item.arn), policy)


def _resolve_queue_arn(entry: FieldAnswer) -> FieldAnswer:
    """Resolve a queue, queried by URL, to the ARN in its answer."""
    if entry.raw is None:
        return entry
    try:
        answer = msgspec.json.decode(entry.raw, type=api_records.AttributesAnswer)
    except DECODE_ERRORS:
        return entry  # said when the policy is looked for
    arn = answer.attributes.queue_arn
    return FieldAnswer(arn, entry.raw, entry.place) if arn else entry


def _report_unread_statements(builder: ResourceFactsBuilder, policy: Policy) -> None:
    """Add a problem for each unreadable statement, at most three in detail."""
    place = policy.seen.place
    for unread in policy.unread[:3]:
        what = f"statement {unread.sid!r} could not be read: {unread.why}"
        builder.answer_reader.add_problem(place, what)
    if len(policy.unread) > 3:
        more = f"{len(policy.unread) - 3} more statements could not be read"
        builder.answer_reader.add_problem(place, more)


class _GrantList(msgspec.Struct, rename="pascal", frozen=True):
    grants: list[msgspec.Raw] = []
    truncated: bool = False
    next_marker: str | None = None
    next_token: str | None = None


def _add_kms_grants(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Add a key's grants as a policy of the key."""
    item = _find_queried_resource(builder, answer_field, entry)
    if item is None:
        return
    answer: _GrantList | None = _GrantList()
    if entry.raw is not None:
        answer = builder.answer_reader.decode(entry.raw, _GrantList, entry.place)
    if answer is None:
        return
    builder.inventory.answered_fields.add(answer_field.field)
    key = str(item.arn)
    read: list[Statement | UnreadStatement] = []
    for position, raw in enumerate(answer.grants[:_MAX_GRANTS]):
        read += parse_grant(raw, key, position)
    if answer.truncated or answer.next_marker or answer.next_token:
        read.append(UnreadStatement(WHOLE_DOCUMENT, "truncated: grants are missing"))
    if len(answer.grants) > _MAX_GRANTS:
        read.append(UnreadStatement(WHOLE_DOCUMENT, f"grants beyond {_MAX_GRANTS}"))
    policy = Policy(
        PolicyId(f"{key}#grants"),
        "grants",
        tuple(each for each in read if isinstance(each, Statement)),
        tuple(each for each in read if isinstance(each, UnreadStatement)),
        builder.get_provenance(entry.place),
    )
    _report_unread_statements(builder, policy)
    builder.attach_policy(key, policy)


def _parse_public_access_block(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Parse the public access block of a bucket or an account from its answer."""
    target = entry.queried_id
    if answer_field.kind == "account":
        if len(target) != 12 or not target.isdecimal():
            builder.answer_reader.add_problem(entry.place, "expected an account id")
            return
    else:
        item = _find_queried_resource(builder, answer_field, entry)
        if item is None:
            return
        target = str(item.arn)
    block = api_records.BlockConfiguration()
    if entry.raw is not None:
        answer = builder.answer_reader.decode(
            entry.raw, api_records.BlockAnswer, entry.place
        )
        if answer is None:
            return
        block = answer.public_access_block_configuration
    builder.inventory.answered_fields.add(answer_field.field)
    _add_public_access_block(builder, target, block, entry.place)


def _add_public_access_block(
    builder: ResourceFactsBuilder,
    target: str,
    block: api_records.BlockConfiguration,
    place: str,
) -> None:
    """Add the public access block of a bucket or an account."""
    builder.blocks[target] = PublicAccessBlock(
        target=target,
        restrict_public_buckets=block.restrict_public_buckets,
        block_public_policy=block.block_public_policy,
        seen=builder.get_provenance(place),
    )


def _add_bucket_tags(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Add the tags of a bucket."""
    item = _find_queried_resource(builder, answer_field, entry)
    if item is None:
        return
    if entry.raw is not None:
        answer = builder.answer_reader.decode(
            entry.raw, api_records.BucketTagging, entry.place
        )
        if answer is None:
            return
        item.tags |= {tag.key: tag.value for tag in answer.tag_set}
    builder.inventory.answered_fields.add(answer_field.field)


def _set_task_definition_role(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Set the task role of an ECS task definition."""
    answer = builder.answer_reader.decode(
        entry.raw or NOTHING, api_records.TaskDefinitionAnswer, entry.place
    )
    if answer is None:
        return
    task = answer.task_definition
    item = builder.inventory.get_or_add_arn(
        task.task_definition_arn, entry.place, answer_field.kind
    )
    if item is not None:
        item.runs_as = parse_role_arn(task.task_role_arn)


def _set_execution_role(
    builder: ResourceFactsBuilder, answer_field: AnswerField, entry: FieldAnswer
) -> None:
    """Set the role that a resource's code runs as."""
    item = _find_queried_resource(builder, answer_field, entry)
    if item is not None and entry.raw is not None:
        item.runs_as = find_execution_role(entry.raw)


def _assign_instance_profile_roles(builder: ResourceFactsBuilder) -> None:
    """Set the role of each instance and launch template from its instance profile."""
    inventory = builder.inventory
    missing = 0
    for arn, profile in inventory.instance_profiles.items():
        if profile in inventory.profile_roles:
            inventory.items[arn].runs_as = inventory.profile_roles[profile]
        elif ":instance/" in arn:
            missing += 1
    if missing:
        what = "iam list-instance-profiles is missing: the roles of {} are not known"
        builder.answer_reader.add_problem(
            _place_of_first_instance_profile(inventory),
            what.format(f"{missing} instances"),
        )


def _place_of_first_instance_profile(inventory: ResourceInventory) -> str:
    """Return the file place of the first resource that has an instance profile."""
    return next(inventory.items[arn].place for arn in inventory.instance_profiles)

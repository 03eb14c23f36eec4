"""Read the lists of a response file into an inventory of resources, by ARN."""

import re
from dataclasses import dataclass, field

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.execution_roles import parse_role_arn
from answerable.connectors.aws_resources.parse.resource_names import (
    ResourceNames,
    parse_resource_arn,
)
from answerable.connectors.aws_resources.parse.response_fields import AnswerReader
from answerable.connectors.formats.aws_api_responses import AnswerFields
from answerable.model.errors import IdError
from answerable.model.ids import Arn

# `eu-west-1a` and local zones such as `us-west-2-lax-1a`.
_REGION = re.compile(r"([a-z]{2}(?:-[a-z]{2,12})+-\d{1,2})(?:[a-z]|-[a-z0-9-]{1,20})?")


@dataclass(slots=True)
class ListedResource:
    """Listed resource under construction.

    Attributes:
        arn: Its ARN.
        place: Place of its first mention.
        account: Owner account, if missing in the ARN.
        underlying_resource: The bucket of an access point.
        runs_as: Execution role of its code.
        network: The only network of an access point.
    """

    arn: Arn
    place: str
    account: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    underlying_resource: str = ""
    runs_as: str = ""
    network: str = ""


@dataclass(slots=True)
class ResourceInventory:
    """All resources of an answer file under construction.

    Attributes:
        reader: Reader with the problems.
        names: Index from names to ARNs.
        items: Resources by ARN.
        caller: Scanned account; empty where the file does not state it.
        region: Region of the lists; empty where the file does not state it.
        blocks: Pairs of an access point's own block and its place.
        profile_roles: Role by instance profile.
        instance_profiles: Profile by instance or launch template.
        task_definitions: Definition by task.
        answered: ARNs with an answer, by field.
        answered_fields: Fields with any content.
        listed: Listed ARNs by field.
        incomplete_lists: Lists with an unidentified entry.
    """

    reader: AnswerReader
    names: ResourceNames = field(default_factory=ResourceNames)
    items: dict[str, ListedResource] = field(default_factory=dict)
    caller: str = ""
    region: str = ""
    blocks: dict[str, tuple[api_records.BlockConfiguration, str]] = field(
        default_factory=dict
    )
    profile_roles: dict[str, str] = field(default_factory=dict)
    instance_profiles: dict[str, str] = field(default_factory=dict)
    task_definitions: dict[str, str] = field(default_factory=dict)
    answered: dict[str, set[Arn]] = field(default_factory=dict)
    answered_fields: set[str] = field(default_factory=set)
    listed: dict[str, set[Arn]] = field(default_factory=dict)
    incomplete_lists: set[str] = field(default_factory=set)

    def get_or_add(self, arn: Arn, place: str, *names: str) -> ListedResource:
        """Return the resource, added on its first mention."""
        found = self.items.get(str(arn))
        if found is None:
            owner = arn.account or (self.caller if arn.service == "s3" else "")
            found = self.items[str(arn)] = ListedResource(arn, place, owner)
            self.names.add(arn)
        if names:
            self.names.add(arn, *names)
        return found

    def get_or_add_arn(
        self, text: str, place: str, kind: str = "", *names: str
    ) -> ListedResource | None:
        """Return the resource of an ARN; None and a problem for an invalid ARN."""
        arn = parse_resource_arn(text, kind)
        if arn is None:
            self.reader.add_problem(place, f"{kind or 'a resource'} has no usable ARN")
            return None
        return self.get_or_add(arn, place, *names)

    def record_listed_resource(self, name: str, item: ListedResource | None) -> None:
        """Record a resource as listed; None marks the list as incomplete."""
        if item is None:
            self.incomplete_lists.add(name)
        else:
            self.listed.setdefault(name, set()).add(item.arn)


def read_lists(
    inventory: ResourceInventory, fields: AnswerFields, parent_place: str
) -> None:
    """Read every list of one answer."""
    reading = inventory.reader
    for bucket, place in reading.iter_records(
        fields, "Buckets", api_records.S3Bucket, parent_place
    ):
        arn = inventory.names.bucket_arn(bucket.name)
        if arn is None:
            reading.add_problem(place, "a bucket has no usable name")
        inventory.record_listed_resource(
            "Buckets", inventory.get_or_add(arn, place) if arn else None
        )
    for point, place in reading.iter_records(
        fields, "AccessPointList", api_records.AccessPointRecord, parent_place
    ):
        read_access_point(inventory, point, place)
    _read_data_resources(inventory, fields, parent_place)
    _read_compute_resources(inventory, fields, parent_place)
    _read_clusters_and_launch_templates(inventory, fields, parent_place)
    for tagged, place in reading.iter_records(
        fields, "ResourceTagMappingList", api_records.TaggedResource, parent_place
    ):
        arn = parse_resource_arn(tagged.arn)
        if arn is not None:  # identities and policies have tags elsewhere
            _add_resource_tags(inventory.get_or_add(arn, place), tagged.tags)


def _read_data_resources(
    inventory: ResourceInventory, fields: AnswerFields, parent_place: str
) -> None:
    """Read resources that store or carry data."""
    reading = inventory.reader
    for key, place in reading.iter_records(
        fields, "Keys", api_records.KmsKey, parent_place
    ):
        inventory.record_listed_resource(
            "Keys", inventory.get_or_add_arn(key.key_arn, place, "kms:key")
        )
    for topic, place in reading.iter_records(
        fields, "Topics", api_records.SnsTopic, parent_place
    ):
        inventory.record_listed_resource(
            "Topics", inventory.get_or_add_arn(topic.topic_arn, place, "sns:topic")
        )
    for url, place in reading.iter_records(fields, "QueueUrls", str, parent_place):
        queue = inventory.names.resolve(url, "sqs:queue")
        item = inventory.get_or_add(queue, place, url) if queue else None
        inventory.record_listed_resource("QueueUrls", item)
    for secret, place in reading.iter_records(
        fields, "SecretList", api_records.SecretEntry, parent_place
    ):
        kind = "secretsmanager:secret"
        item = inventory.get_or_add_arn(secret.arn, place, kind, secret.name)
        inventory.record_listed_resource("SecretList", item)
        _add_resource_tags(item, secret.tags)
    for repository, place in reading.iter_records(
        fields, "repositories", api_records.EcrRepository, parent_place
    ):
        item = inventory.get_or_add_arn(
            repository.repository_arn, place, "ecr:repository"
        )
        inventory.record_listed_resource("repositories", item)


def read_access_point(
    inventory: ResourceInventory,
    access_point: api_records.AccessPointRecord,
    place: str,
) -> Arn | None:
    """Read an access point and its bucket."""
    item = inventory.get_or_add_arn(
        access_point.access_point_arn, place, "s3:accesspoint", access_point.name
    )
    if item is None:
        return None
    if access_point.vpc_configuration:
        item.network = access_point.vpc_configuration.vpc_id
    bucket = (
        inventory.names.bucket_arn(access_point.bucket) if access_point.bucket else None
    )
    if bucket is not None:
        item.underlying_resource = str(bucket)
        if access_point.bucket_account_id.isdecimal():
            inventory.get_or_add(bucket, place).account = access_point.bucket_account_id
    block = access_point.public_access_block_configuration
    if block is not None:
        inventory.blocks[str(item.arn)] = (block, place)
    return item.arn


def _read_compute_resources(
    inventory: ResourceInventory, fields: AnswerFields, parent_place: str
) -> None:
    """Read compute resources: functions, instances and their profiles."""
    reading = inventory.reader
    for function, place in reading.iter_records(
        fields, "Functions", api_records.LambdaFunction, parent_place
    ):
        item = inventory.get_or_add_arn(function.function_arn, place, "lambda:function")
        inventory.record_listed_resource("Functions", item)
        if item is not None:
            item.runs_as = parse_role_arn(function.role)
    for profile, place in reading.iter_records(
        fields, "InstanceProfiles", api_records.InstanceProfileRecord, parent_place
    ):
        roles = [
            role for role in (parse_role_arn(r.arn) for r in profile.roles) if role
        ]
        arn = _parse_profile_arn(profile.arn)
        if arn is None:
            reading.add_problem(place, "an instance profile has no usable ARN")
            continue
        item = inventory.get_or_add(arn, place)
        item.runs_as = inventory.profile_roles[profile.arn] = roles[0] if roles else ""
    for reservation, place in reading.iter_records(
        fields, "Reservations", api_records.Ec2Reservation, parent_place
    ):
        for instance in reservation.instances:
            _read_ec2_instance(inventory, instance, reservation.owner_id, place)


def _read_clusters_and_launch_templates(
    inventory: ResourceInventory, fields: AnswerFields, parent_place: str
) -> None:
    """Read launch resources: clusters and launch templates."""
    reading = inventory.reader
    for cluster, place in reading.iter_records(
        fields, "clusterArns", str, parent_place
    ):
        inventory.record_listed_resource(
            "clusterArns", inventory.get_or_add_arn(cluster, place, "ecs:cluster")
        )
    for template, place in reading.iter_records(
        fields, "LaunchTemplates", api_records.LaunchTemplate, parent_place
    ):
        arn = launch_template_arn(inventory, template.launch_template_id)
        item = inventory.get_or_add_arn(arn, place, "ec2:launch-template")
        inventory.record_listed_resource("LaunchTemplates", item)


def launch_template_arn(inventory: ResourceInventory, template: str) -> str:
    """Build the ARN of a launch template, which no answer contains."""
    if not inventory.region or not inventory.caller:
        return ""
    place = f"{inventory.names.partition}:ec2:{inventory.region}:{inventory.caller}"
    return f"arn:{place}:launch-template/{template}"


def _parse_profile_arn(text: str) -> Arn | None:
    """Parse the ARN of an instance profile; None for any other."""
    try:
        arn = Arn.parse(text)
    except IdError:
        return None
    whole = arn.service == "iam" and arn.resource.startswith("instance-profile/")
    return arn if whole and text.isprintable() else None


def _read_ec2_instance(
    inventory: ResourceInventory,
    instance: api_records.Ec2Instance,
    owner: str,
    place: str,
) -> None:
    """Read an instance with a profile; one without has no role."""
    zone = _REGION.fullmatch(instance.placement.availability_zone)
    arn = Arn(
        inventory.names.partition,
        "ec2",
        zone[1] if zone else "",
        owner or inventory.caller,
        f"instance/{instance.instance_id}",
    )
    inventory.listed.setdefault("Reservations", set()).add(arn)
    profile = instance.iam_instance_profile
    if profile is None:
        return
    item = inventory.get_or_add_arn(str(arn), place, "ec2:instance")
    if item is not None:
        inventory.instance_profiles[str(arn)] = profile.arn


def _add_resource_tags(
    item: ListedResource | None, tags: list[api_records.ResourceTag]
) -> None:
    """Add tags to a resource."""
    if item is not None:
        item.tags |= {tag.key: tag.value for tag in tags}

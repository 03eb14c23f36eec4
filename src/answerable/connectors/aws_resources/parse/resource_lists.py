"""Resources named in the lists of an answer file, by ARN."""

import re
from dataclasses import dataclass, field

from answerable.connectors.aws_resources.parse import api_records
from answerable.connectors.aws_resources.parse.answer_fields import Reading
from answerable.connectors.aws_resources.parse.execution_roles import role_of
from answerable.connectors.aws_resources.parse.resource_names import Names, resource_arn
from answerable.connectors.formats.aws_api_answers import Fields
from answerable.model.errors import IdError
from answerable.model.ids import Arn

# `eu-west-1a` and local zones such as `us-west-2-lax-1a`.
_REGION = re.compile(r"([a-z]{2}(?:-[a-z]{2,12})+-\d{1,2})(?:[a-z]|-[a-z0-9-]{1,20})?")


@dataclass(slots=True)
class Item:
    """Listed resource under construction.

    Attributes:
        arn: Its ARN.
        place: Place of its first mention.
        account: Owner account, if missing in the ARN.
        behind: The bucket of an access point.
        runs_as: Execution role of its code.
        network: The only network of an access point.
    """

    arn: Arn
    place: str
    account: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    behind: str = ""
    runs_as: str = ""
    network: str = ""


@dataclass(slots=True)
class Estate:
    """All resources of an answer file under construction.

    Attributes:
        reading: Reader with the problems.
        names: Index from names to ARNs.
        items: Resources by ARN.
        caller: Scanned account; empty where the file does not state it.
        region: Region of the lists; empty where the file does not state it.
        blocks: Pairs of an access point's own block and its place.
        profiles: Role by instance profile.
        launched: Profile by instance or launch template.
        defined: Definition by task.
        answered: ARNs with an answer, by field.
        seen: Fields with any content.
        listed: Listed ARNs by field.
        broken: Lists with an unidentified entry.
    """

    reading: Reading
    names: Names = field(default_factory=Names)
    items: dict[str, Item] = field(default_factory=dict)
    caller: str = ""
    region: str = ""
    blocks: dict[str, tuple[api_records.Block, str]] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)
    launched: dict[str, str] = field(default_factory=dict)
    defined: dict[str, str] = field(default_factory=dict)
    answered: dict[str, set[Arn]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    listed: dict[str, set[Arn]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def item(self, arn: Arn, place: str, *names: str) -> Item:
        """Return the resource, added on its first mention."""
        found = self.items.get(str(arn))
        if found is None:
            owner = arn.account or (self.caller if arn.service == "s3" else "")
            found = self.items[str(arn)] = Item(arn, place, owner)
            self.names.add(arn)
        if names:
            self.names.add(arn, *names)
        return found

    def named(self, text: str, place: str, kind: str = "", *names: str) -> Item | None:
        """Return the resource of an ARN; None and a problem for an invalid ARN."""
        arn = resource_arn(text, kind)
        if arn is None:
            self.reading.problem(place, f"no usable ARN of {kind or 'a resource'}")
            return None
        return self.item(arn, place, *names)

    def list(self, name: str, item: Item | None) -> None:
        """Record a listed resource, or an unidentified entry."""
        if item is None:
            self.broken.add(name)
        else:
            self.listed.setdefault(name, set()).add(item.arn)


def read_lists(estate: Estate, fields: Fields, base: str) -> None:
    """Read every list of one answer."""
    reading = estate.reading
    for bucket, place in reading.records(fields, "Buckets", api_records.Bucket, base):
        arn = estate.names.bucket(bucket.name)
        if arn is None:
            reading.problem(place, "no usable name of a bucket")
        estate.list("Buckets", estate.item(arn, place) if arn else None)
    for point, place in reading.records(
        fields, "AccessPointList", api_records.AccessPoint, base
    ):
        access_point(estate, point, place)
    _data(estate, fields, base)
    _code(estate, fields, base)
    _launching(estate, fields, base)
    for tagged, place in reading.records(
        fields, "ResourceTagMappingList", api_records.Tagged, base
    ):
        arn = resource_arn(tagged.arn)
        if arn is not None:  # identities and policies have tags elsewhere
            _tag(estate.item(arn, place), tagged.tags)


def _data(estate: Estate, fields: Fields, base: str) -> None:
    """Read resources that store or carry data."""
    reading = estate.reading
    for key, place in reading.records(fields, "Keys", api_records.Key, base):
        estate.list("Keys", estate.named(key.key_arn, place, "kms:key"))
    for topic, place in reading.records(fields, "Topics", api_records.Topic, base):
        estate.list("Topics", estate.named(topic.topic_arn, place, "sns:topic"))
    for url, place in reading.records(fields, "QueueUrls", str, base):
        queue = estate.names.find(url, "sqs:queue")
        item = estate.item(queue, place, url) if queue else None
        estate.list("QueueUrls", item)
    for secret, place in reading.records(
        fields, "SecretList", api_records.Secret, base
    ):
        kind = "secretsmanager:secret"
        item = estate.named(secret.arn, place, kind, secret.name)
        estate.list("SecretList", item)
        _tag(item, secret.tags)
    for repository, place in reading.records(
        fields, "repositories", api_records.Repository, base
    ):
        item = estate.named(repository.repository_arn, place, "ecr:repository")
        estate.list("repositories", item)


def access_point(
    estate: Estate, point: api_records.AccessPoint, place: str
) -> Arn | None:
    """Read an access point and its bucket."""
    item = estate.named(point.access_point_arn, place, "s3:accesspoint", point.name)
    if item is None:
        return None
    if point.vpc_configuration:
        item.network = point.vpc_configuration.vpc_id
    bucket = estate.names.bucket(point.bucket) if point.bucket else None
    if bucket is not None:
        item.behind = str(bucket)
        if point.bucket_account_id.isdecimal():
            estate.item(bucket, place).account = point.bucket_account_id
    block = point.public_access_block_configuration
    if block is not None:
        estate.blocks[str(item.arn)] = (block, place)
    return item.arn


def _code(estate: Estate, fields: Fields, base: str) -> None:
    """Read compute resources: functions, instances and their profiles."""
    reading = estate.reading
    for function, place in reading.records(
        fields, "Functions", api_records.Function, base
    ):
        item = estate.named(function.function_arn, place, "lambda:function")
        estate.list("Functions", item)
        if item is not None:
            item.runs_as = role_of(function.role)
    for profile, place in reading.records(
        fields, "InstanceProfiles", api_records.Profile, base
    ):
        roles = [role for role in (role_of(r.arn) for r in profile.roles) if role]
        arn = _profile(profile.arn)
        if arn is None:
            reading.problem(place, "no usable ARN of an instance profile")
            continue
        item = estate.item(arn, place)
        item.runs_as = estate.profiles[profile.arn] = roles[0] if roles else ""
    for reservation, place in reading.records(
        fields, "Reservations", api_records.Reservation, base
    ):
        for instance in reservation.instances:
            _instance(estate, instance, reservation.owner_id, place)


def _launching(estate: Estate, fields: Fields, base: str) -> None:
    """Read launch resources: clusters and launch templates."""
    reading = estate.reading
    for cluster, place in reading.records(fields, "clusterArns", str, base):
        estate.list("clusterArns", estate.named(cluster, place, "ecs:cluster"))
    for template, place in reading.records(
        fields, "LaunchTemplates", api_records.LaunchTemplate, base
    ):
        arn = template_arn(estate, template.launch_template_id)
        item = estate.named(arn, place, "ec2:launch-template")
        estate.list("LaunchTemplates", item)


def template_arn(estate: Estate, template: str) -> str:
    """Build the ARN of a launch template, which no answer contains."""
    if not estate.region or not estate.caller:
        return ""
    place = f"{estate.names.partition}:ec2:{estate.region}:{estate.caller}"
    return f"arn:{place}:launch-template/{template}"


def _profile(text: str) -> Arn | None:
    try:
        arn = Arn.parse(text)
    except IdError:
        return None
    whole = arn.service == "iam" and arn.resource.startswith("instance-profile/")
    return arn if whole and text.isprintable() else None


def _instance(
    estate: Estate, instance: api_records.Instance, owner: str, place: str
) -> None:
    """Read an instance with a profile; one without has no role."""
    zone = _REGION.fullmatch(instance.placement.availability_zone)
    arn = Arn(
        estate.names.partition,
        "ec2",
        zone[1] if zone else "",
        owner or estate.caller,
        f"instance/{instance.instance_id}",
    )
    estate.listed.setdefault("Reservations", set()).add(arn)
    profile = instance.iam_instance_profile
    if profile is None:
        return
    item = estate.named(str(arn), place, "ec2:instance")
    if item is not None:
        estate.launched[str(arn)] = profile.arn


def _tag(item: Item | None, tags: list[api_records.Tag]) -> None:
    if item is not None:
        item.tags |= {tag.key: tag.value for tag in tags}

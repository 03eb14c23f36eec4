"""Typed records of the answers; other fields are never decoded.

Answers also contain Lambda environment variables, container definitions and queue
attributes with secrets: a field that is not named below stays bytes. The records follow
the services' API references.
"""

import msgspec

NOTHING = msgspec.Raw(b"null")


class Pascal(msgspec.Struct, rename="pascal", frozen=True):
    """Base struct with fields in AWS's PascalCase."""


class Tag(Pascal, frozen=True):
    """Resource tag."""

    key: str
    value: str = ""


class Bucket(Pascal, frozen=True):
    """Bucket of s3api list-buckets."""

    name: str


class Network(Pascal, frozen=True):
    """VPC of an access point."""

    vpc_id: str = ""


class Block(Pascal, frozen=True):
    """Public access block configuration."""

    restrict_public_buckets: bool = False
    block_public_policy: bool = False


class Blocked(Pascal, frozen=True):
    """Answer of get-public-access-block (s3api, s3control)."""

    public_access_block_configuration: Block


class AccessPoint(Pascal, frozen=True):
    """Access point of s3control list-access-points and get-access-point."""

    access_point_arn: str
    name: str = ""
    bucket: str = ""
    bucket_account_id: str = ""
    vpc_configuration: Network | None = None
    public_access_block_configuration: Block | None = None


class Key(Pascal, frozen=True):
    """Key of kms list-keys."""

    key_arn: str


class Constraints(Pascal, frozen=True, forbid_unknown_fields=True):
    """Constraints of a grant. Unknown kinds are not skipped."""

    encryption_context_subset: dict[str, str] = {}
    encryption_context_equals: dict[str, str] | None = None
    source_arn: str = ""


class Grant(Pascal, frozen=True):
    """Grant of kms list-grants."""

    grant_id: str
    operations: list[str]
    grantee_principal: str = ""
    grantee_service_principal: str = ""
    retiring_principal: str = ""
    retiring_service_principal: str = ""
    constraints: Constraints | None = None


class Topic(Pascal, frozen=True):
    """Topic of sns list-topics."""

    topic_arn: str


class Function(Pascal, frozen=True):
    """Function of lambda list-functions."""

    function_arn: str
    role: str = ""


class Secret(msgspec.Struct, frozen=True):
    """Secret of secretsmanager list-secrets."""

    arn: str = msgspec.field(name="ARN")
    name: str = msgspec.field(name="Name", default="")
    tags: list[Tag] = msgspec.field(name="Tags", default_factory=list)


class Repository(msgspec.Struct, rename="camel", frozen=True):
    """Repository of ecr describe-repositories."""

    repository_arn: str


class Tagged(msgspec.Struct, frozen=True):
    """Resource of resourcegroupstaggingapi get-resources."""

    arn: str = msgspec.field(name="ResourceARN")
    tags: list[Tag] = msgspec.field(name="Tags", default_factory=list)


class TagSet(Pascal, frozen=True):
    """Answer of s3api get-bucket-tagging."""

    tag_set: list[Tag]


class Attributes(Pascal, frozen=True):
    """Attributes of a queue or a topic."""

    policy: msgspec.Raw = NOTHING
    queue_arn: str = ""


class Attributed(Pascal, frozen=True):
    """Answer of sqs get-queue-attributes and sns get-topic-attributes."""

    attributes: Attributes = Attributes()


class Role(Pascal, frozen=True):
    """Role of an instance profile."""

    arn: str


class Profile(Pascal, frozen=True):
    """Instance profile of iam list-instance-profiles or of an instance."""

    arn: str
    roles: list[Role] = []


class Zone(Pascal, frozen=True):
    """Placement of an instance."""

    availability_zone: str = ""


class Instance(Pascal, frozen=True):
    """Instance of ec2 describe-instances."""

    instance_id: str
    iam_instance_profile: Profile | None = None
    placement: Zone = Zone()


class Reservation(Pascal, frozen=True):
    """Reservation of ec2 describe-instances."""

    owner_id: str = ""
    instances: list[Instance] = []


class Definition(msgspec.Struct, rename="camel", frozen=True):
    """ECS task definition with its role."""

    task_definition_arn: str
    task_role_arn: str = ""


class Defined(msgspec.Struct, rename="camel", frozen=True):
    """Answer of ecs describe-task-definition."""

    task_definition: Definition


class Overrides(msgspec.Struct, rename="camel", frozen=True):
    """Role override of a task."""

    task_role_arn: str = ""


class Task(msgspec.Struct, rename="camel", frozen=True):
    """Task of ecs describe-tasks.

    Attributes:
        enable_execute_command: Whether ECS Exec is on; None if absent.
    """

    task_arn: str
    task_definition_arn: str
    enable_execute_command: bool | None = None
    overrides: Overrides = Overrides()


class Tasks(msgspec.Struct, frozen=True):
    """Answer of ecs describe-tasks."""

    tasks: list[Task]


class LaunchTemplate(Pascal, frozen=True):
    """Template of ec2 describe-launch-templates."""

    launch_template_id: str


class NamedProfile(Pascal, frozen=True):
    """Instance profile of a launch template, by ARN or by name."""

    arn: str = ""
    name: str = ""


class TemplateData(Pascal, frozen=True):
    """Instance profile in a launch template's data."""

    iam_instance_profile: NamedProfile | None = None


class TemplateVersion(Pascal, frozen=True):
    """Version of a launch template."""

    launch_template_data: TemplateData = TemplateData()


class TemplateVersions(Pascal, frozen=True):
    """Answer of ec2 describe-launch-template-versions."""

    launch_template_versions: list[TemplateVersion]

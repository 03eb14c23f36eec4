"""What is taken of each answer, typed; everything else in it is never decoded.

Lambda's environment variables, container definitions and queue attributes lie beside
what is read here and hold secrets: a field that is not named below stays bytes. Shapes
are those of the services' API references.
"""

import msgspec

NOTHING = msgspec.Raw(b"null")


class Pascal(msgspec.Struct, rename="pascal", frozen=True):
    """Fields are spelled as AWS spells them."""


class Tag(Pascal, frozen=True):
    """One tag."""

    key: str
    value: str = ""


class Bucket(Pascal, frozen=True):
    """s3api list-buckets."""

    name: str


class Network(Pascal, frozen=True):
    """The network that an access point is bound to."""

    vpc_id: str = ""


class Block(Pascal, frozen=True):
    """A public-access block."""

    restrict_public_buckets: bool = False
    block_public_policy: bool = False


class Blocked(Pascal, frozen=True):
    """get-public-access-block, of s3api and of s3control."""

    public_access_block_configuration: Block


class AccessPoint(Pascal, frozen=True):
    """s3control list-access-points and get-access-point."""

    access_point_arn: str
    name: str = ""
    bucket: str = ""
    bucket_account_id: str = ""
    vpc_configuration: Network | None = None
    public_access_block_configuration: Block | None = None


class Key(Pascal, frozen=True):
    """Kms list-keys."""

    key_arn: str


class Constraints(Pascal, frozen=True, forbid_unknown_fields=True):
    """What a grant asks of a request. A kind that is not known here is not passed."""

    encryption_context_subset: dict[str, str] = {}
    encryption_context_equals: dict[str, str] | None = None
    source_arn: str = ""


class Grant(Pascal, frozen=True):
    """Kms list-grants."""

    grant_id: str
    operations: list[str]
    grantee_principal: str = ""
    grantee_service_principal: str = ""
    retiring_principal: str = ""
    retiring_service_principal: str = ""
    constraints: Constraints | None = None


class Topic(Pascal, frozen=True):
    """Sns list-topics."""

    topic_arn: str


class Function(Pascal, frozen=True):
    """Lambda list-functions."""

    function_arn: str
    role: str = ""


class Secret(msgspec.Struct, frozen=True):
    """Secretsmanager list-secrets."""

    arn: str = msgspec.field(name="ARN")
    name: str = msgspec.field(name="Name", default="")
    tags: list[Tag] = msgspec.field(name="Tags", default_factory=list)


class Repository(msgspec.Struct, rename="camel", frozen=True):
    """Ecr describe-repositories."""

    repository_arn: str


class Tagged(msgspec.Struct, frozen=True):
    """Resourcegroupstaggingapi get-resources."""

    arn: str = msgspec.field(name="ResourceARN")
    tags: list[Tag] = msgspec.field(name="Tags", default_factory=list)


class TagSet(Pascal, frozen=True):
    """s3api get-bucket-tagging."""

    tag_set: list[Tag]


class Attributes(Pascal, frozen=True):
    """The attributes of a queue or a topic that are read."""

    policy: msgspec.Raw = NOTHING
    queue_arn: str = ""


class Attributed(Pascal, frozen=True):
    """Sqs get-queue-attributes and sns get-topic-attributes."""

    attributes: Attributes = Attributes()


class Role(Pascal, frozen=True):
    """A role inside an instance profile."""

    arn: str


class Profile(Pascal, frozen=True):
    """Iam list-instance-profiles, or the profile of an instance."""

    arn: str
    roles: list[Role] = []


class Zone(Pascal, frozen=True):
    """Where an instance runs."""

    availability_zone: str = ""


class Instance(Pascal, frozen=True):
    """An instance of ec2 describe-instances."""

    instance_id: str
    iam_instance_profile: Profile | None = None
    placement: Zone = Zone()


class Reservation(Pascal, frozen=True):
    """Ec2 describe-instances."""

    owner_id: str = ""
    instances: list[Instance] = []


class Definition(msgspec.Struct, rename="camel", frozen=True):
    """What an ECS task runs as."""

    task_definition_arn: str
    task_role_arn: str = ""


class Defined(msgspec.Struct, rename="camel", frozen=True):
    """Ecs describe-task-definition."""

    task_definition: Definition


class Overrides(msgspec.Struct, rename="camel", frozen=True):
    """Overrides of a task: of all that stands there, the role."""

    task_role_arn: str = ""


class Task(msgspec.Struct, rename="camel", frozen=True):
    """A task of ecs describe-tasks.

    Attributes:
        task_arn: The task.
        task_definition_arn: Its definition.
        enable_execute_command: Whether ECS Exec is on; None where it does not say.
        overrides: Of the definition.
    """

    task_arn: str
    task_definition_arn: str
    enable_execute_command: bool | None = None
    overrides: Overrides = Overrides()


class Tasks(msgspec.Struct, frozen=True):
    """Ecs describe-tasks."""

    tasks: list[Task]


class LaunchTemplate(Pascal, frozen=True):
    """A template of ec2 describe-launch-templates."""

    launch_template_id: str


class NamedProfile(Pascal, frozen=True):
    """The instance profile of a launch template: by ARN or by name."""

    arn: str = ""
    name: str = ""


class TemplateData(Pascal, frozen=True):
    """Data of a launch template: of all that stands there, the profile."""

    iam_instance_profile: NamedProfile | None = None


class TemplateVersion(Pascal, frozen=True):
    """A version of a launch template."""

    launch_template_data: TemplateData = TemplateData()


class TemplateVersions(Pascal, frozen=True):
    """Ec2 describe-launch-template-versions."""

    launch_template_versions: list[TemplateVersion]

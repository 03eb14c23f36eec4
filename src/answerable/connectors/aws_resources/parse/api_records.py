"""Define typed records of AWS responses about resources; other fields are not decoded.

Answers also contain Lambda environment variables, container definitions and queue
attributes with secrets: a field that is not named below stays bytes. The records follow
the services' API references.
"""

import msgspec

NOTHING = msgspec.Raw(b"null")


class PascalStruct(msgspec.Struct, rename="pascal", frozen=True):
    """Base struct with fields in AWS's PascalCase."""


class ResourceTag(PascalStruct, frozen=True):
    """Resource tag."""

    key: str
    value: str = ""


class S3Bucket(PascalStruct, frozen=True):
    """Bucket of s3api list-buckets."""

    name: str


class VpcConfiguration(PascalStruct, frozen=True):
    """VPC of an access point."""

    vpc_id: str = ""


class BlockConfiguration(PascalStruct, frozen=True):
    """Public access block configuration."""

    restrict_public_buckets: bool = False
    block_public_policy: bool = False


class BlockAnswer(PascalStruct, frozen=True):
    """Answer of get-public-access-block (s3api, s3control)."""

    public_access_block_configuration: BlockConfiguration


class AccessPointRecord(PascalStruct, frozen=True):
    """Access point of s3control list-access-points and get-access-point."""

    access_point_arn: str
    name: str = ""
    bucket: str = ""
    bucket_account_id: str = ""
    vpc_configuration: VpcConfiguration | None = None
    public_access_block_configuration: BlockConfiguration | None = None


class KmsKey(PascalStruct, frozen=True):
    """Key of kms list-keys."""

    key_arn: str


class GrantConstraints(PascalStruct, frozen=True, forbid_unknown_fields=True):
    """Constraints of a grant. Unknown kinds are not skipped."""

    encryption_context_subset: dict[str, str] = {}
    encryption_context_equals: dict[str, str] | None = None
    source_arn: str = ""


class KmsGrant(PascalStruct, frozen=True):
    """Grant of kms list-grants."""

    grant_id: str
    operations: list[str]
    grantee_principal: str = ""
    grantee_service_principal: str = ""
    retiring_principal: str = ""
    retiring_service_principal: str = ""
    constraints: GrantConstraints | None = None


class SnsTopic(PascalStruct, frozen=True):
    """Topic of sns list-topics."""

    topic_arn: str


class LambdaFunction(PascalStruct, frozen=True):
    """Function of lambda list-functions."""

    function_arn: str
    role: str = ""


class SecretEntry(msgspec.Struct, frozen=True):
    """Secret of secretsmanager list-secrets."""

    arn: str = msgspec.field(name="ARN")
    name: str = msgspec.field(name="Name", default="")
    tags: list[ResourceTag] = msgspec.field(name="Tags", default_factory=list)


class EcrRepository(msgspec.Struct, rename="camel", frozen=True):
    """Repository of ecr describe-repositories."""

    repository_arn: str


class TaggedResource(msgspec.Struct, frozen=True):
    """Resource of resourcegroupstaggingapi get-resources."""

    arn: str = msgspec.field(name="ResourceARN")
    tags: list[ResourceTag] = msgspec.field(name="Tags", default_factory=list)


class BucketTagging(PascalStruct, frozen=True):
    """Answer of s3api get-bucket-tagging."""

    tag_set: list[ResourceTag]


class QueueOrTopicAttributes(PascalStruct, frozen=True):
    """Attributes of a queue or a topic."""

    policy: msgspec.Raw = NOTHING
    queue_arn: str = ""


class AttributesAnswer(PascalStruct, frozen=True):
    """Answer of sqs get-queue-attributes and sns get-topic-attributes."""

    attributes: QueueOrTopicAttributes = QueueOrTopicAttributes()


class ProfileRole(PascalStruct, frozen=True):
    """Role of an instance profile."""

    arn: str


class InstanceProfileRecord(PascalStruct, frozen=True):
    """Instance profile of iam list-instance-profiles or of an instance."""

    arn: str
    roles: list[ProfileRole] = []


class InstancePlacement(PascalStruct, frozen=True):
    """Placement of an instance."""

    availability_zone: str = ""


class Ec2Instance(PascalStruct, frozen=True):
    """Instance of ec2 describe-instances."""

    instance_id: str
    iam_instance_profile: InstanceProfileRecord | None = None
    placement: InstancePlacement = InstancePlacement()


class Ec2Reservation(PascalStruct, frozen=True):
    """Reservation of ec2 describe-instances."""

    owner_id: str = ""
    instances: list[Ec2Instance] = []


class EcsTaskDefinition(msgspec.Struct, rename="camel", frozen=True):
    """ECS task definition with its role."""

    task_definition_arn: str
    task_role_arn: str = ""


class TaskDefinitionAnswer(msgspec.Struct, rename="camel", frozen=True):
    """Answer of ecs describe-task-definition."""

    task_definition: EcsTaskDefinition


class EcsTaskOverrides(msgspec.Struct, rename="camel", frozen=True):
    """Role override of a task."""

    task_role_arn: str = ""


class EcsTask(msgspec.Struct, rename="camel", frozen=True):
    """Task of ecs describe-tasks.

    Attributes:
        enable_execute_command: Whether ECS Exec is on; None if absent.
    """

    task_arn: str
    task_definition_arn: str
    enable_execute_command: bool | None = None
    overrides: EcsTaskOverrides = EcsTaskOverrides()


class EcsTasksAnswer(msgspec.Struct, frozen=True):
    """Answer of ecs describe-tasks."""

    tasks: list[EcsTask]


class LaunchTemplate(PascalStruct, frozen=True):
    """Template of ec2 describe-launch-templates."""

    launch_template_id: str


class LaunchTemplateProfile(PascalStruct, frozen=True):
    """Instance profile of a launch template, by ARN or by name."""

    arn: str = ""
    name: str = ""


class LaunchTemplateData(PascalStruct, frozen=True):
    """Instance profile in a launch template's data."""

    iam_instance_profile: LaunchTemplateProfile | None = None


class LaunchTemplateVersion(PascalStruct, frozen=True):
    """Version of a launch template."""

    launch_template_data: LaunchTemplateData = LaunchTemplateData()


class LaunchTemplateVersionsAnswer(PascalStruct, frozen=True):
    """Answer of ec2 describe-launch-template-versions."""

    launch_template_versions: list[LaunchTemplateVersion]

"""Find the resources of a call: logged ARNs, or ARNs derived from its parameters.

The table is data: event source, then per parameter the ARN's resource part. The first
present parameter wins, so the most specific is listed first. A name that is an ARN is
used as is.
"""

from collections.abc import Mapping, Sequence

import msgspec

from answerable.connectors.cloudtrail.parse.record_types import (
    RawObject,
    ResourceEntry,
    read_text,
)

# parameter -> resource part; {} is the value. A leading @ marks a global resource
# (no region), @@ one without region and account.
ArnTemplates = Sequence[tuple[str, str]]

_EC2: ArnTemplates = (
    ("instanceId", "instance/{}"),
    ("volumeId", "volume/{}"),
    ("snapshotId", "snapshot/{}"),
    ("imageId", "image/{}"),
    ("groupId", "security-group/{}"),
    ("natGatewayId", "natgateway/{}"),
    ("internetGatewayId", "internet-gateway/{}"),
    ("networkInterfaceId", "network-interface/{}"),
    ("routeTableId", "route-table/{}"),
    ("subnetId", "subnet/{}"),
    ("launchTemplateId", "launch-template/{}"),
    ("vpcEndpointId", "vpc-endpoint/{}"),
    ("vpcId", "vpc/{}"),
    ("allocationId", "elastic-ip/{}"),
    ("keyName", "key-pair/{}"),
)
_IAM: ArnTemplates = (
    ("policyArn", "{}"),
    ("roleName", "@role/{}"),
    ("userName", "@user/{}"),
    ("groupName", "@group/{}"),
    ("instanceProfileName", "@instance-profile/{}"),
    ("policyName", "@policy/{}"),
    ("serialNumber", "{}"),
)
_RDS: ArnTemplates = (
    ("resourceName", "{}"),
    ("dBSnapshotIdentifier", "snapshot:{}"),
    ("dBInstanceIdentifier", "db:{}"),
    ("dBClusterSnapshotIdentifier", "cluster-snapshot:{}"),
    ("dBClusterIdentifier", "cluster:{}"),
)
_SSM: ArnTemplates = (
    ("name", "parameter/{}"),
    ("names", "parameter/{}"),
    ("documentName", "document/{}"),
    ("path", "parameter/{}"),
)
ARN_TEMPLATES: Mapping[str, ArnTemplates] = {
    "s3": (("bucketName", "@@{}"), ("bucket", "@@{}")),
    "secretsmanager": (("secretId", "secret:{}"), ("name", "secret:{}")),
    "ssm": _SSM,
    "iam": _IAM,
    "sts": (("roleArn", "{}"), ("targetPrincipal", "{}")),
    "lambda": (("functionName", "function:{}"), ("layerName", "layer:{}")),
    "kms": (("keyId", "key/{}"), ("aliasName", "{}")),
    "dynamodb": (("tableName", "table/{}"),),
    "sqs": (("queueUrl", "{}"), ("queueName", "{}")),
    "sns": (("topicArn", "{}"), ("name", "{}")),
    "ec2": _EC2,
    "rds": _RDS,
    "logs": (("logGroupName", "log-group:{}"),),
    "cloudtrail": (("trailName", "trail/{}"), ("name", "trail/{}")),
    "bedrock": (("modelId", "foundation-model/{}"), ("agentId", "agent/{}")),
    "states": (("stateMachineArn", "{}"), ("executionArn", "{}")),
    "ecr": (("repositoryName", "repository/{}"),),
    "ecs": (("cluster", "cluster/{}"), ("taskDefinition", "task-definition/{}")),
    "eks": (("clusterName", "cluster/{}"), ("name", "cluster/{}")),
    "kinesis": (("streamName", "stream/{}"),),
    "firehose": (("deliveryStreamName", "deliverystream/{}"),),
    "events": (("rule", "rule/{}"),),
    "cloudformation": (("stackName", "stack/{}"),),
    "athena": (("workGroup", "workgroup/{}"),),
    "glue": (("databaseName", "database/{}"),),
}
MAX_RESOURCES = 64
MAX_ARN_LENGTH = 2048
# Resources whose ARN names a region and no account.
# Source: Service Authorization Reference, Amazon EC2 and Amazon Bedrock.
_WITHOUT_ACCOUNT = ("foundation-model/", "image/", "snapshot/")


class _InstanceItem(msgspec.Struct, rename="camel"):
    instance_id: str | None = None


class _InstanceItems(msgspec.Struct, rename="camel"):
    items: list[_InstanceItem] | None = None


_ITEMS = msgspec.json.Decoder(_InstanceItems)
_NAMES = msgspec.json.Decoder(list[str])


def list_logged_resources(
    resources: Sequence[ResourceEntry | str | None] | None,
) -> list[str]:
    """Return the ARNs listed in a record, an object before its bucket."""
    found = []
    for each in resources or ():
        arn = each.listed_arn or each.arn if isinstance(each, ResourceEntry) else None
        if arn and len(arn) <= MAX_ARN_LENGTH:
            found.append(arn)
    if len(found) < 2:
        return found
    found.sort(key=lambda arn: not (arn.startswith("arn:aws:s3:::") and "/" in arn))
    return list(dict.fromkeys(found))[:MAX_RESOURCES]


def derive_resources(
    service: str, region: str, account: str, params: RawObject
) -> list[str]:
    """Derive ARNs from the parameters of a common call.

    Args:
        service: IAM prefix.
        region: Region of the call.
        account: Recording account.
        params: Request parameters, one level deep.
    """
    stem = f"arn:{_partition_of_region(region)}:{service}:{region}:{account}:"
    for name, template in ARN_TEMPLATES.get(service, ()):
        values = _read_parameter_texts(params.get(name))
        if values:
            made = [
                _fill_arn_template(stem, service, template, value) for value in values
            ]
            return [
                _s3_object_arn(arn, params) if service == "s3" else arn for arn in made
            ]
    if service == "ec2" and "instancesSet" in params:
        return [stem + "instance/" + each for each in _read_ec2_instance_ids(params)]
    return _find_first_arn(params)


def parent_of_resource_arn(arn: str) -> str:
    """Return the parent of a resource: a bucket, or a kind within an account."""
    head, colon, resource = arn.rpartition(":")
    if arn.count(":") == 5:
        slash = resource.find("/")
        return f"{head}:{resource[:slash]}" if slash > 0 else arn
    parts = arn.split(":", 6)
    if len(parts) < 7 or parts[0] != "arn":
        return arn if not colon else head
    return ":".join(parts[:6])


def _partition_of_region(region: str) -> str:
    """Return the AWS partition of a region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _read_parameter_texts(raw: msgspec.Raw | None) -> list[str]:
    """Read a parameter's text or list of texts; longer ones than an ARN are dropped."""
    if raw is None:
        return []
    one = read_text(raw)
    if one:
        return [one] if len(one) <= MAX_ARN_LENGTH else []
    try:
        return [each for each in _NAMES.decode(raw) if 0 < len(each) <= MAX_ARN_LENGTH][
            :MAX_RESOURCES
        ]
    except msgspec.DecodeError:
        return []


def _fill_arn_template(arn_prefix: str, service: str, template: str, value: str) -> str:
    """Build an ARN from a resource template and a parameter's value."""
    if value.startswith("arn:"):
        return value
    if service == "sqs" and "/" in value:
        value = value.rstrip("/").rpartition("/")[2]
    elif service == "kms" and value.startswith("alias/"):
        template = "{}"
    elif service == "ssm":
        value = value.lstrip("/")
    _, partition, _, region, account, _ = arn_prefix.split(":", 5)
    if template.startswith("@@"):
        return f"arn:{partition}:{service}:::{template[2:].format(value)}"
    if template.startswith("@"):
        return f"arn:{partition}:{service}::{account}:{template[1:].format(value)}"
    if template.startswith(_WITHOUT_ACCOUNT):
        return f"arn:{partition}:{service}:{region}::{template.format(value)}"
    return arn_prefix + template.format(value)


def _s3_object_arn(bucket: str, params: RawObject) -> str:
    """Return the ARN of an S3 object, or its bucket."""
    key = read_text(params.get("key"))
    if not key or len(key) > MAX_ARN_LENGTH or bucket.count(":") > 5:
        return bucket
    return f"{bucket}/{key}"


def _read_ec2_instance_ids(params: RawObject) -> list[str]:
    """Return the EC2 instance ids in `instancesSet`."""
    try:
        items = _ITEMS.decode(params["instancesSet"]).items or []
    except msgspec.DecodeError:
        return []
    return [each.instance_id for each in items if each.instance_id][:MAX_RESOURCES]


def _find_first_arn(params: RawObject) -> list[str]:
    """Return the first parameter that is an ARN."""
    for raw in params.values():
        if bytes(memoryview(raw)[:5]) == b'"arn:':
            arn = read_text(raw)
            if arn and len(arn) <= MAX_ARN_LENGTH:
                return [arn]
    return []

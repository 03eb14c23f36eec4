"""Scan each AWS service (S3, KMS, SNS, ...), in order of `declaration.PERMISSIONS`."""

from collections.abc import Mapping, Sequence
from typing import cast

from botocore.exceptions import ClientError

from answerable.connectors.aws_resources.scan_calls import (
    PAGE_LIMIT,
    ResourceReply,
    ResourceScan,
)

_BLOCK = "PublicAccessBlockConfiguration"
_ACCESS_POINT = (
    "AccessPointArn",
    "Name",
    "Bucket",
    "BucketAccountId",
    "VpcConfiguration",
    _BLOCK,
)


def _trim_records(
    page: ResourceReply, name: str, *field_names: str
) -> list[ResourceReply]:
    """Return the entries of a page with only the fields that are read."""
    found = cast(list[ResourceReply], page.get(name) or [])
    return [_keep_fields(each, field_names) for each in found]


def _keep_fields(record: ResourceReply, field_names: Sequence[str]) -> ResourceReply:
    return {name: record[name] for name in field_names if name in record}


def _field_values(records: Sequence[ResourceReply], field: str) -> list[str]:
    return [str(record[field]) for record in records if field in record]


def _scan_s3_buckets(scan: ResourceScan) -> None:
    names: list[str] = []
    for page in scan.iter_pages("s3", "list_buckets", "s3:ListAllMyBuckets"):
        found = _trim_records(page, "Buckets", "Name")
        scan.add_records("Buckets", found)
        names += _field_values(found, "Name")
    for name in names:
        bucket = {"Bucket": name}
        policy = scan.call("s3", "get_bucket_policy", bucket, "Policy")
        scan.add_answer("BucketPolicy", name, policy)
        block = scan.call("s3", "get_public_access_block", bucket, _BLOCK)
        scan.add_answer("PublicAccessBlock", name, block)
        tags = scan.call("s3", "get_bucket_tagging", bucket, "TagSet")
        scan.add_answer("BucketTagging", name, tags)
    account = {"AccountId": scan.account}
    block = scan.call("s3control", "get_public_access_block", account, _BLOCK)
    scan.add_answer("AccountPublicAccessBlock", scan.account, block)


def _scan_s3_access_points(scan: ResourceScan) -> None:
    account = {"AccountId": scan.account}
    listed = ("AccessPointList", "NextToken")
    token: Mapping[str, object] = {}
    for _ in range(PAGE_LIMIT):  # botocore has no paginator for this operation
        page = scan.call(
            "s3control", "list_access_points", {**account, **token}, *listed
        )
        if "Error" in page:
            _record_list_failure(scan, "s3:ListAccessPoints", page)
            return
        found = _trim_records(page, "AccessPointList", *_ACCESS_POINT)
        scan.add_records("AccessPointList", found)
        for name in _field_values(found, "Name"):
            _scan_s3_access_point(scan, {**account, "Name": name})
        following = {"NextToken": page.get("NextToken")}
        if not following["NextToken"] or following == token:
            return
        token = following


def _scan_s3_access_point(scan: ResourceScan, arguments: ResourceReply) -> None:
    name = str(arguments["Name"])
    point = scan.call("s3control", "get_access_point", arguments, *_ACCESS_POINT)
    scan.add_answer("AccessPoint", name, point)
    policy = scan.call("s3control", "get_access_point_policy", arguments, "Policy")
    scan.add_answer("AccessPointPolicy", name, policy)


def _record_list_failure(scan: ResourceScan, action: str, page: ResourceReply) -> None:
    """Record the failed call that lists access points."""
    error = {"Error": page["Error"]}
    scan.record_failure(action, ClientError(error, action))


def _scan_kms_keys(scan: ResourceScan) -> None:
    for page in scan.iter_pages("kms", "list_keys", "kms:ListKeys"):
        found = _trim_records(page, "Keys", "KeyArn")
        scan.add_records("Keys", found)
        for arn in _field_values(found, "KeyArn"):
            named = {"KeyId": arn, "PolicyName": "default"}
            policy = scan.call("kms", "get_key_policy", named, "Policy")
            scan.add_answer("KeyPolicy", arn, policy)
            scan.add_answer("KeyGrants", arn, _read_kms_grants(scan, arn))


def _read_kms_grants(scan: ResourceScan, key: str) -> ResourceReply:
    """Read all grants of a key; an incomplete list is marked as truncated."""
    listed = ("Grants", "Truncated", "NextMarker")
    grants: list[object] = []
    marker: Mapping[str, object] = {}
    for _ in range(PAGE_LIMIT):
        page = scan.call("kms", "list_grants", {"KeyId": key, **marker}, *listed)
        if "Error" in page and grants:
            return {"Grants": grants, "Truncated": True}
        if "Error" in page:
            return page
        grants += cast(list[object], page.get("Grants") or [])
        following = {"Marker": page.get("NextMarker")}
        if not page.get("Truncated"):
            return {"Grants": grants}
        if not following["Marker"] or following == marker:
            break
        marker = following
    return {"Grants": grants, "Truncated": True}


def _scan_sns_topics(scan: ResourceScan) -> None:
    for page in scan.iter_pages("sns", "list_topics", "sns:ListTopics"):
        found = _trim_records(page, "Topics", "TopicArn")
        scan.add_records("Topics", found)
        for arn in _field_values(found, "TopicArn"):
            named = {"TopicArn": arn}
            reply = scan.call("sns", "get_topic_attributes", named, "Attributes")
            scan.add_answer("TopicAttributes", arn, _trim_attributes(reply))


def _scan_sqs_queues(scan: ResourceScan) -> None:
    for page in scan.iter_pages("sqs", "list_queues", "sqs:ListQueues"):
        urls = cast(list[str], page.get("QueueUrls") or [])
        scan.add_records("QueueUrls", urls)
        for url in urls:
            named = {"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]}
            reply = scan.call("sqs", "get_queue_attributes", named, "Attributes")
            scan.add_answer("QueueAttributes", url, _trim_attributes(reply))


def _trim_attributes(reply: ResourceReply) -> ResourceReply:
    """Keep only the policy and the ARN of a topic's or queue's attributes."""
    if "Error" in reply:
        return reply
    found = cast(ResourceReply, reply.get("Attributes") or {})
    kept = {name: found[name] for name in ("Policy", "QueueArn") if name in found}
    return {"Attributes": kept}


def _scan_lambda_functions(scan: ResourceScan) -> None:
    for page in scan.iter_pages("lambda", "list_functions", "lambda:ListFunctions"):
        found = _trim_records(page, "Functions", "FunctionArn", "Role")
        scan.add_records("Functions", found)
        for arn in _field_values(found, "FunctionArn"):
            named = {"FunctionName": arn}
            policy = scan.call("lambda", "get_policy", named, "Policy")
            scan.add_answer("FunctionPolicy", arn, policy)


def _scan_secrets_manager(scan: ResourceScan) -> None:
    for page in scan.iter_pages(
        "secretsmanager", "list_secrets", "secretsmanager:ListSecrets"
    ):
        found = _trim_records(page, "SecretList", "ARN", "Name", "Tags")
        scan.add_records("SecretList", found)
        for arn in _field_values(found, "ARN"):
            named = {"SecretId": arn}
            policy = scan.call(
                "secretsmanager", "get_resource_policy", named, "ResourcePolicy"
            )
            scan.add_answer("SecretPolicy", arn, policy)


def _scan_ecr_repositories(scan: ResourceScan) -> None:
    for page in scan.iter_pages(
        "ecr", "describe_repositories", "ecr:DescribeRepositories"
    ):
        found = _trim_records(page, "repositories", "repositoryArn")
        scan.add_records("repositories", found)
        for arn in _field_values(found, "repositoryArn"):
            named = {"repositoryName": arn.partition(":repository/")[2]}
            policy = scan.call("ecr", "get_repository_policy", named, "policyText")
            scan.add_answer("RepositoryPolicy", arn, policy)


def _scan_resource_tags(scan: ResourceScan) -> None:
    for page in scan.iter_pages(
        "resourcegroupstaggingapi", "get_resources", "tag:GetResources"
    ):
        found = _trim_records(page, "ResourceTagMappingList", "ResourceARN", "Tags")
        scan.add_records("ResourceTagMappingList", found)


def _scan_ec2_instances(scan: ResourceScan) -> None:
    for page in scan.iter_pages("ec2", "describe_instances", "ec2:DescribeInstances"):
        kept = ("InstanceId", "IamInstanceProfile", "Placement")
        scan.add_records("Reservations", [])  # an answer without one is an answer
        for reservation in cast(list[ResourceReply], page.get("Reservations") or []):
            found = _trim_records(reservation, "Instances", *kept)
            owner = reservation.get("OwnerId", scan.account)
            scan.add_records("Reservations", [{"OwnerId": owner, "Instances": found}])
    for page in scan.iter_pages(
        "iam", "list_instance_profiles", "iam:ListInstanceProfiles"
    ):
        scan.add_records(
            "InstanceProfiles", _trim_records(page, "InstanceProfiles", "Arn", "Roles")
        )


def _scan_ecs_task_definitions(scan: ResourceScan) -> None:
    for page in scan.iter_pages(
        "ecs", "list_task_definitions", "ecs:ListTaskDefinitions", status="ACTIVE"
    ):
        for arn in cast(list[str], page.get("taskDefinitionArns") or []):
            _read_ecs_task_definition(scan, arn)


def _read_ecs_task_definition(scan: ResourceScan, arn: str) -> None:
    named = {"taskDefinition": arn}
    reply = scan.call("ecs", "describe_task_definition", named, "taskDefinition")
    if "taskDefinition" in reply:
        kept = ("taskDefinitionArn", "taskRoleArn")
        reply = {
            "taskDefinition": _keep_fields(
                cast(ResourceReply, reply["taskDefinition"]), kept
            )
        }
    scan.add_answer("TaskDefinitions", arn, reply)


_TASKS_AT_ONCE = 100  # ECS API Reference, DescribeTasks


def _scan_ecs_tasks(scan: ResourceScan) -> None:
    """Scan the tasks of each cluster, and definitions that are no longer active."""
    for page in scan.iter_pages("ecs", "list_clusters", "ecs:ListClusters"):
        clusters = cast(list[str], page.get("clusterArns") or [])
        scan.add_records("clusterArns", clusters)
        for cluster in clusters:
            found = _read_cluster_tasks(scan, cluster)
            if found is not None:
                scan.add_answer("ClusterTasks", cluster, found)


def _read_cluster_tasks(scan: ResourceScan, cluster: str) -> ResourceReply | None:
    """Describe a cluster's tasks; None if they could not be listed."""
    action, failed = "ecs:ListTasks", dict(scan.failures)
    arns: list[str] = []
    for page in scan.iter_pages("ecs", "list_tasks", action, cluster=cluster):
        arns += cast(list[str], page.get("taskArns") or [])
    if scan.failures != failed:
        return None
    tasks: list[ResourceReply] = []
    for first in range(0, len(arns), _TASKS_AT_ONCE):
        named = {"cluster": cluster, "tasks": arns[first : first + _TASKS_AT_ONCE]}
        reply = scan.call("ecs", "describe_tasks", named, "tasks")
        if "Error" in reply:
            return reply
        tasks += [
            _trim_task(record)
            for record in cast(list[ResourceReply], reply.get("tasks", []))
        ]
    known = cast(ResourceReply, scan.document.get("TaskDefinitions") or {})
    used = {str(task.get("taskDefinitionArn", "")) for task in tasks}
    for arn in sorted(used - known.keys() - {""}):
        _read_ecs_task_definition(scan, arn)
    return {"tasks": tasks}


def _trim_task(record: ResourceReply) -> ResourceReply:
    """Keep the role fields of a described ECS task."""
    kept = dict(
        _keep_fields(record, ("taskArn", "taskDefinitionArn", "enableExecuteCommand"))
    )
    overrides = cast(ResourceReply, record.get("overrides") or {})
    return {**kept, "overrides": _keep_fields(overrides, ("taskRoleArn",))}


def _scan_launch_templates(scan: ResourceScan) -> None:
    """Scan the default version of each launch template for its instance profile."""
    action = "ec2:DescribeLaunchTemplates"
    for page in scan.iter_pages("ec2", "describe_launch_templates", action):
        scan.add_records(
            "LaunchTemplates", _trim_records(page, "LaunchTemplates", _TEMPLATE)
        )
        for template in _field_values(
            _trim_records(page, "LaunchTemplates", _TEMPLATE), _TEMPLATE
        ):
            named = {_TEMPLATE: template, "Versions": ["$Default"]}
            kept = "LaunchTemplateVersions"
            reply = scan.call("ec2", "describe_launch_template_versions", named, kept)
            if kept in reply:
                found = cast(list[ResourceReply], reply[kept] or [])
                reply = {kept: [_trim_template_version(record) for record in found]}
            scan.add_answer("DefaultVersions", template, reply)


_TEMPLATE = "LaunchTemplateId"


def _trim_template_version(record: ResourceReply) -> ResourceReply:
    """Keep the instance profile of a described launch template version."""
    data = cast(ResourceReply, record.get("LaunchTemplateData") or {})
    kept = _keep_fields(data, ("IamInstanceProfile",))
    return {_TEMPLATE: record.get(_TEMPLATE, ""), "LaunchTemplateData": kept}


_SUPERVISORS = ("SUPERVISOR", "SUPERVISOR_ROUTER")
_AGENT = (
    "agentArn",
    "agentName",
    "agentResourceRoleArn",
    "foundationModel",
    "agentCollaboration",
)


def _scan_bedrock_agents(scan: ResourceScan) -> None:
    """Scan the draft version of each agent, and the collaborators of supervisors."""
    action = "bedrock:ListAgents"
    for page in scan.iter_pages("bedrock-agent", "list_agents", action):
        found = _trim_records(page, "agentSummaries", "agentId")
        scan.add_records("agentSummaries", found)
        for agent in _field_values(found, "agentId"):
            reply = scan.call("bedrock-agent", "get_agent", {"agentId": agent}, "agent")
            told = _keep_fields(cast(ResourceReply, reply.get("agent") or {}), _AGENT)
            answer = {"agent": told} if "agent" in reply else reply
            scan.add_answer("BedrockAgents", agent, answer)
            if told.get("agentCollaboration") in _SUPERVISORS:
                _read_agent_collaborators(scan, agent)
    _record_empty_list(scan, "agentSummaries", action)


def _record_empty_list(scan: ResourceScan, name: str, action: str) -> None:
    """Record an empty list if nothing failed, also where Bedrock is not offered."""
    if all(failed != action for _, failed, _ in scan.failures):
        scan.add_records(name, [])


def _read_agent_collaborators(scan: ResourceScan, agent: str) -> None:
    kept = "agentCollaboratorSummaries"
    named = {"agentId": agent, "agentVersion": "DRAFT", "maxResults": 1000}
    listed = scan.call("bedrock-agent", "list_agent_collaborators", named, kept)
    if kept in listed:
        listed = {kept: _trim_records(listed, kept, "agentDescriptor")}
    scan.add_answer("AgentCollaborators", agent, listed)


def _scan_agentcore_runtimes(scan: ResourceScan) -> None:
    service = "bedrock-agentcore-control"
    action = "bedrock-agentcore:ListAgentRuntimes"
    for page in scan.iter_pages(service, "list_agent_runtimes", action):
        found = _trim_records(page, "agentRuntimes", "agentRuntimeId")
        scan.add_records("agentRuntimes", found)
        for runtime in _field_values(found, "agentRuntimeId"):
            named = {"agentRuntimeId": runtime}
            kept = ("agentRuntimeArn", "agentRuntimeName", "roleArn")
            answer = scan.call(service, "get_agent_runtime", named, *kept)
            scan.add_answer("AgentRuntimes", runtime, answer)
    _record_empty_list(scan, "agentRuntimes", action)


def _scan_agentcore_gateways(scan: ResourceScan) -> None:
    service = "bedrock-agentcore-control"
    for page in scan.iter_pages(
        service, "list_gateways", "bedrock-agentcore:ListGateways"
    ):
        for gateway in _field_values(
            _trim_records(page, "items", "gatewayId"), "gatewayId"
        ):
            named = {"gatewayIdentifier": gateway}
            kept = ("gatewayArn", "roleArn")
            answer = scan.call(service, "get_gateway", named, *kept)
            scan.add_answer("AgentGateways", gateway, answer)


SERVICE_SCANS = (
    _scan_s3_buckets,
    _scan_s3_access_points,
    _scan_kms_keys,
    _scan_sns_topics,
    _scan_sqs_queues,
    _scan_lambda_functions,
    _scan_secrets_manager,
    _scan_ecr_repositories,
    _scan_resource_tags,
    _scan_ec2_instances,
    _scan_ecs_task_definitions,
    _scan_ecs_tasks,
    _scan_launch_templates,
    _scan_bedrock_agents,
    _scan_agentcore_runtimes,
    _scan_agentcore_gateways,
)

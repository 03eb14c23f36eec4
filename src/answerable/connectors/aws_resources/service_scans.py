"""Scan of each service, in the order of `spec.PERMISSIONS`."""

from collections.abc import Mapping, Sequence
from typing import cast

from botocore.exceptions import ClientError

from answerable.connectors.aws_resources.scan_calls import PAGE_LIMIT, Asking, Reply

_BLOCK = "PublicAccessBlockConfiguration"
_ACCESS_POINT = (
    "AccessPointArn",
    "Name",
    "Bucket",
    "BucketAccountId",
    "VpcConfiguration",
    _BLOCK,
)


def _records(page: Reply, name: str, *keep: str) -> list[Reply]:
    """Return the entries of a page with only the fields that are read."""
    found = cast(list[Reply], page.get(name) or [])
    return [_kept(each, keep) for each in found]


def _kept(record: Reply, keep: Sequence[str]) -> Reply:
    return {name: record[name] for name in keep if name in record}


def _names(records: Sequence[Reply], field: str) -> list[str]:
    return [str(record[field]) for record in records if field in record]


def _buckets(asking: Asking) -> None:
    names: list[str] = []
    for page in asking.pages("s3", "list_buckets", "s3:ListAllMyBuckets"):
        found = _records(page, "Buckets", "Name")
        asking.list("Buckets", found)
        names += _names(found, "Name")
    for name in names:
        bucket = {"Bucket": name}
        policy = asking.ask("s3", "get_bucket_policy", bucket, "Policy")
        asking.answer("BucketPolicy", name, policy)
        block = asking.ask("s3", "get_public_access_block", bucket, _BLOCK)
        asking.answer("PublicAccessBlock", name, block)
        tags = asking.ask("s3", "get_bucket_tagging", bucket, "TagSet")
        asking.answer("BucketTagging", name, tags)
    account = {"AccountId": asking.account}
    block = asking.ask("s3control", "get_public_access_block", account, _BLOCK)
    asking.answer("AccountPublicAccessBlock", asking.account, block)


def _access_points(asking: Asking) -> None:
    account = {"AccountId": asking.account}
    listed = ("AccessPointList", "NextToken")
    token: Mapping[str, object] = {}
    for _ in range(PAGE_LIMIT):  # botocore has no paginator for this operation
        page = asking.ask(
            "s3control", "list_access_points", {**account, **token}, *listed
        )
        if "Error" in page:
            _list_failed(asking, "s3:ListAccessPoints", page)
            return
        found = _records(page, "AccessPointList", *_ACCESS_POINT)
        asking.list("AccessPointList", found)
        for name in _names(found, "Name"):
            _access_point(asking, {**account, "Name": name})
        following = {"NextToken": page.get("NextToken")}
        if not following["NextToken"] or following == token:
            return
        token = following


def _access_point(asking: Asking, named: Reply) -> None:
    name = str(named["Name"])
    point = asking.ask("s3control", "get_access_point", named, *_ACCESS_POINT)
    asking.answer("AccessPoint", name, point)
    policy = asking.ask("s3control", "get_access_point_policy", named, "Policy")
    asking.answer("AccessPointPolicy", name, policy)


def _list_failed(asking: Asking, action: str, page: Reply) -> None:
    error = {"Error": page["Error"]}
    asking.failed(action, ClientError(error, action))


def _keys(asking: Asking) -> None:
    for page in asking.pages("kms", "list_keys", "kms:ListKeys"):
        found = _records(page, "Keys", "KeyArn")
        asking.list("Keys", found)
        for arn in _names(found, "KeyArn"):
            named = {"KeyId": arn, "PolicyName": "default"}
            policy = asking.ask("kms", "get_key_policy", named, "Policy")
            asking.answer("KeyPolicy", arn, policy)
            asking.answer("KeyGrants", arn, _grants(asking, arn))


def _grants(asking: Asking, key: str) -> Reply:
    listed = ("Grants", "Truncated", "NextMarker")
    grants: list[object] = []
    marker: Mapping[str, object] = {}
    for _ in range(PAGE_LIMIT):
        page = asking.ask("kms", "list_grants", {"KeyId": key, **marker}, *listed)
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


def _topics(asking: Asking) -> None:
    for page in asking.pages("sns", "list_topics", "sns:ListTopics"):
        found = _records(page, "Topics", "TopicArn")
        asking.list("Topics", found)
        for arn in _names(found, "TopicArn"):
            named = {"TopicArn": arn}
            reply = asking.ask("sns", "get_topic_attributes", named, "Attributes")
            asking.answer("TopicAttributes", arn, _attributes(reply))


def _queues(asking: Asking) -> None:
    for page in asking.pages("sqs", "list_queues", "sqs:ListQueues"):
        urls = cast(list[str], page.get("QueueUrls") or [])
        asking.list("QueueUrls", urls)
        for url in urls:
            named = {"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]}
            reply = asking.ask("sqs", "get_queue_attributes", named, "Attributes")
            asking.answer("QueueAttributes", url, _attributes(reply))


def _attributes(reply: Reply) -> Reply:
    if "Error" in reply:
        return reply
    found = cast(Reply, reply.get("Attributes") or {})
    kept = {name: found[name] for name in ("Policy", "QueueArn") if name in found}
    return {"Attributes": kept}


def _functions(asking: Asking) -> None:
    for page in asking.pages("lambda", "list_functions", "lambda:ListFunctions"):
        found = _records(page, "Functions", "FunctionArn", "Role")
        asking.list("Functions", found)
        for arn in _names(found, "FunctionArn"):
            named = {"FunctionName": arn}
            policy = asking.ask("lambda", "get_policy", named, "Policy")
            asking.answer("FunctionPolicy", arn, policy)


def _secrets(asking: Asking) -> None:
    for page in asking.pages(
        "secretsmanager", "list_secrets", "secretsmanager:ListSecrets"
    ):
        found = _records(page, "SecretList", "ARN", "Name", "Tags")
        asking.list("SecretList", found)
        for arn in _names(found, "ARN"):
            named = {"SecretId": arn}
            policy = asking.ask(
                "secretsmanager", "get_resource_policy", named, "ResourcePolicy"
            )
            asking.answer("SecretPolicy", arn, policy)


def _repositories(asking: Asking) -> None:
    for page in asking.pages(
        "ecr", "describe_repositories", "ecr:DescribeRepositories"
    ):
        found = _records(page, "repositories", "repositoryArn")
        asking.list("repositories", found)
        for arn in _names(found, "repositoryArn"):
            named = {"repositoryName": arn.partition(":repository/")[2]}
            policy = asking.ask("ecr", "get_repository_policy", named, "policyText")
            asking.answer("RepositoryPolicy", arn, policy)


def _tags(asking: Asking) -> None:
    for page in asking.pages(
        "resourcegroupstaggingapi", "get_resources", "tag:GetResources"
    ):
        found = _records(page, "ResourceTagMappingList", "ResourceARN", "Tags")
        asking.list("ResourceTagMappingList", found)


def _instances(asking: Asking) -> None:
    for page in asking.pages("ec2", "describe_instances", "ec2:DescribeInstances"):
        kept = ("InstanceId", "IamInstanceProfile", "Placement")
        asking.list("Reservations", [])  # an answer without one is an answer
        for reservation in cast(list[Reply], page.get("Reservations") or []):
            found = _records(reservation, "Instances", *kept)
            owner = reservation.get("OwnerId", asking.account)
            asking.list("Reservations", [{"OwnerId": owner, "Instances": found}])
    for page in asking.pages(
        "iam", "list_instance_profiles", "iam:ListInstanceProfiles"
    ):
        asking.list(
            "InstanceProfiles", _records(page, "InstanceProfiles", "Arn", "Roles")
        )


def _task_definitions(asking: Asking) -> None:
    for page in asking.pages(
        "ecs", "list_task_definitions", "ecs:ListTaskDefinitions", status="ACTIVE"
    ):
        for arn in cast(list[str], page.get("taskDefinitionArns") or []):
            _task_definition(asking, arn)


def _task_definition(asking: Asking, arn: str) -> None:
    named = {"taskDefinition": arn}
    reply = asking.ask("ecs", "describe_task_definition", named, "taskDefinition")
    if "taskDefinition" in reply:
        kept = ("taskDefinitionArn", "taskRoleArn")
        reply = {"taskDefinition": _kept(cast(Reply, reply["taskDefinition"]), kept)}
    asking.answer("TaskDefinitions", arn, reply)


_TASKS_AT_ONCE = 100  # ECS API Reference, DescribeTasks


def _tasks(asking: Asking) -> None:
    """Scan the tasks of each cluster, and definitions that are no longer active."""
    for page in asking.pages("ecs", "list_clusters", "ecs:ListClusters"):
        clusters = cast(list[str], page.get("clusterArns") or [])
        asking.list("clusterArns", clusters)
        for cluster in clusters:
            found = _tasks_of(asking, cluster)
            if found is not None:
                asking.answer("ClusterTasks", cluster, found)


def _tasks_of(asking: Asking, cluster: str) -> Reply | None:
    """Describe a cluster's tasks; None if they could not be listed."""
    action, failed = "ecs:ListTasks", dict(asking.failures)
    arns: list[str] = []
    for page in asking.pages("ecs", "list_tasks", action, cluster=cluster):
        arns += cast(list[str], page.get("taskArns") or [])
    if asking.failures != failed:
        return None
    tasks: list[Reply] = []
    for first in range(0, len(arns), _TASKS_AT_ONCE):
        named = {"cluster": cluster, "tasks": arns[first : first + _TASKS_AT_ONCE]}
        reply = asking.ask("ecs", "describe_tasks", named, "tasks")
        if "Error" in reply:
            return reply
        tasks += [_task(record) for record in cast(list[Reply], reply.get("tasks", []))]
    known = cast(Reply, asking.whole.get("TaskDefinitions") or {})
    used = {str(task.get("taskDefinitionArn", "")) for task in tasks}
    for arn in sorted(used - known.keys() - {""}):
        _task_definition(asking, arn)
    return {"tasks": tasks}


def _task(record: Reply) -> Reply:
    kept = dict(_kept(record, ("taskArn", "taskDefinitionArn", "enableExecuteCommand")))
    overrides = cast(Reply, record.get("overrides") or {})
    return {**kept, "overrides": _kept(overrides, ("taskRoleArn",))}


def _launch_templates(asking: Asking) -> None:
    """Scan the default version of each launch template for its instance profile."""
    action = "ec2:DescribeLaunchTemplates"
    for page in asking.pages("ec2", "describe_launch_templates", action):
        asking.list("LaunchTemplates", _records(page, "LaunchTemplates", _TEMPLATE))
        for template in _names(_records(page, "LaunchTemplates", _TEMPLATE), _TEMPLATE):
            named = {_TEMPLATE: template, "Versions": ["$Default"]}
            kept = "LaunchTemplateVersions"
            reply = asking.ask("ec2", "describe_launch_template_versions", named, kept)
            if kept in reply:
                found = cast(list[Reply], reply[kept] or [])
                reply = {kept: [_version(record) for record in found]}
            asking.answer("DefaultVersions", template, reply)


_TEMPLATE = "LaunchTemplateId"


def _version(record: Reply) -> Reply:
    data = cast(Reply, record.get("LaunchTemplateData") or {})
    kept = _kept(data, ("IamInstanceProfile",))
    return {_TEMPLATE: record.get(_TEMPLATE, ""), "LaunchTemplateData": kept}


_SUPERVISORS = ("SUPERVISOR", "SUPERVISOR_ROUTER")
_AGENT = (
    "agentArn",
    "agentName",
    "agentResourceRoleArn",
    "foundationModel",
    "agentCollaboration",
)


def _bedrock_agents(asking: Asking) -> None:
    """Scan the draft version of each agent, and the collaborators of supervisors."""
    action = "bedrock:ListAgents"
    for page in asking.pages("bedrock-agent", "list_agents", action):
        found = _records(page, "agentSummaries", "agentId")
        asking.list("agentSummaries", found)
        for agent in _names(found, "agentId"):
            reply = asking.ask(
                "bedrock-agent", "get_agent", {"agentId": agent}, "agent"
            )
            told = _kept(cast(Reply, reply.get("agent") or {}), _AGENT)
            answer = {"agent": told} if "agent" in reply else reply
            asking.answer("BedrockAgents", agent, answer)
            if told.get("agentCollaboration") in _SUPERVISORS:
                _collaborators(asking, agent)
    _end_list(asking, "agentSummaries", action)


def _end_list(asking: Asking, name: str, action: str) -> None:
    """Record an empty list if nothing failed, also where Bedrock is not offered."""
    if all(failed != action for _, failed, _ in asking.failures):
        asking.list(name, [])


def _collaborators(asking: Asking, agent: str) -> None:
    kept = "agentCollaboratorSummaries"
    named = {"agentId": agent, "agentVersion": "DRAFT", "maxResults": 1000}
    listed = asking.ask("bedrock-agent", "list_agent_collaborators", named, kept)
    if kept in listed:
        listed = {kept: _records(listed, kept, "agentDescriptor")}
    asking.answer("AgentCollaborators", agent, listed)


def _agent_runtimes(asking: Asking) -> None:
    service = "bedrock-agentcore-control"
    action = "bedrock-agentcore:ListAgentRuntimes"
    for page in asking.pages(service, "list_agent_runtimes", action):
        found = _records(page, "agentRuntimes", "agentRuntimeId")
        asking.list("agentRuntimes", found)
        for runtime in _names(found, "agentRuntimeId"):
            named = {"agentRuntimeId": runtime}
            kept = ("agentRuntimeArn", "agentRuntimeName", "roleArn")
            answer = asking.ask(service, "get_agent_runtime", named, *kept)
            asking.answer("AgentRuntimes", runtime, answer)
    _end_list(asking, "agentRuntimes", action)


def _gateways(asking: Asking) -> None:
    service = "bedrock-agentcore-control"
    for page in asking.pages(
        service, "list_gateways", "bedrock-agentcore:ListGateways"
    ):
        for gateway in _names(_records(page, "items", "gatewayId"), "gatewayId"):
            named = {"gatewayIdentifier": gateway}
            kept = ("gatewayArn", "roleArn")
            answer = asking.ask(service, "get_gateway", named, *kept)
            asking.answer("AgentGateways", gateway, answer)


SERVICES = (
    *(_buckets, _access_points, _keys, _topics, _queues, _functions),
    *(_secrets, _repositories, _tags, _instances),
    *(_task_definitions, _tasks, _launch_templates),
    *(_bedrock_agents, _agent_runtimes, _gateways),
)

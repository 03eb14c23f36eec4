"""Answers put together as docs/aws.md says, from an AWS that moto stands in for."""

import json
from collections.abc import Callable

import boto3
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
REGION = "us-east-1"
Make = Callable[[str], "boto3.client"]
Reply = dict[str, object]


class Collector:
    """Collects as docs/aws.md says: what each command prints, or its error."""

    def __init__(self, make: Make) -> None:
        self.make = make
        self.said: list[str] = []

    def ask(self, service: str, operation: str, **arguments: object) -> Reply:
        try:
            reply = getattr(self.make(service), operation)(**arguments)
        except ClientError as error:
            return {"Error": f"\n{error}\n"}
        return {name: reply[name] for name in reply if name != "ResponseMetadata"}

    def put(self, answer: Reply) -> Reply:
        self.said.append(json.dumps(answer, default=lambda value: value.isoformat()))
        return answer

    def under(
        self,
        field: str,
        asked: str,
        service: str,
        operation: str,
        **arguments: object,
    ) -> None:
        self.put({field: {asked: self.ask(service, operation, **arguments)}})

    def listed(self, service: str, operation: str, field: str, name: str) -> list[str]:
        answer = self.put(self.ask(service, operation))
        return [str(each[name]) for each in answer[field]]  # type: ignore[attr-defined] - JSON


def collected(make: Make) -> list[str]:
    c = Collector(make)
    c.put(c.ask("sts", "get_caller_identity"))
    c.put({"Region": REGION})
    for name in c.listed("s3", "list_buckets", "Buckets", "Name"):
        bucket = {"Bucket": name}
        c.under("BucketPolicy", name, "s3", "get_bucket_policy", **bucket)
        c.under("PublicAccessBlock", name, "s3", "get_public_access_block", **bucket)
        c.under("BucketTagging", name, "s3", "get_bucket_tagging", **bucket)
    account = {"AccountId": ACCOUNT}
    field, operation = "AccountPublicAccessBlock", "get_public_access_block"
    c.under(field, ACCOUNT, "s3control", operation, **account)
    c.put(c.ask("s3control", "list_access_points", **account))
    for name in ("door", "plain"):
        named = {**account, "Name": name}
        c.under("AccessPoint", name, "s3control", "get_access_point", **named)
        operation = "get_access_point_policy"
        c.under("AccessPointPolicy", name, "s3control", operation, **named)
    for arn in c.listed("kms", "list_keys", "Keys", "KeyArn"):
        named = {"KeyId": arn, "PolicyName": "default"}
        c.under("KeyPolicy", arn, "kms", "get_key_policy", **named)
        c.under("KeyGrants", arn, "kms", "list_grants", KeyId=arn)
    for arn in c.listed("sns", "list_topics", "Topics", "TopicArn"):
        c.under("TopicAttributes", arn, "sns", "get_topic_attributes", TopicArn=arn)
    _code_and_data(c)
    return c.said


def _code_and_data(c: Collector) -> None:
    c.put(c.ask("bedrock-agent", "list_agents"))
    c.put(c.ask("bedrock-agentcore-control", "list_agent_runtimes"))
    for name in ("jobs", "bare"):
        url = c.make("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        named = {"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]}
        c.under("QueueAttributes", url, "sqs", "get_queue_attributes", **named)
    for arn in c.listed("lambda", "list_functions", "Functions", "FunctionArn"):
        c.under("FunctionPolicy", arn, "lambda", "get_policy", FunctionName=arn)
    for name in c.listed("secretsmanager", "list_secrets", "SecretList", "Name"):
        operation = "get_resource_policy"
        c.under("SecretPolicy", name, "secretsmanager", operation, SecretId=name)
    repositories = ("describe_repositories", "repositories", "repositoryName")
    for name in c.listed("ecr", *repositories):
        named = {"repositoryName": name}
        c.under("RepositoryPolicy", name, "ecr", "get_repository_policy", **named)
    c.put(c.ask("resourcegroupstaggingapi", "get_resources"))
    c.put(c.ask("ec2", "describe_instances"))
    c.put(c.ask("iam", "list_instance_profiles"))
    for arn in c.make("ecs").list_task_definitions()["taskDefinitionArns"]:
        operation = "describe_task_definition"
        c.under("TaskDefinitions", arn, "ecs", operation, taskDefinition=arn)
    for cluster in c.put(c.ask("ecs", "list_clusters"))["clusterArns"]:  # type: ignore[attr-defined] - JSON
        tasks = c.make("ecs").list_tasks(cluster=cluster)["taskArns"]
        named = {"cluster": cluster, "tasks": tasks}
        if tasks:
            c.under("ClusterTasks", cluster, "ecs", "describe_tasks", **named)
        else:
            c.put({"ClusterTasks": {cluster: {"tasks": []}}})
    templates = ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId")
    for template in c.listed("ec2", *templates):
        operation = "describe_launch_template_versions"
        named = {"LaunchTemplateId": template, "Versions": ["$Default"]}
        c.under("DefaultVersions", template, "ec2", operation, **named)

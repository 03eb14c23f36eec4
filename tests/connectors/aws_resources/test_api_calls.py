"""How the API is asked: pages, refusals, and answers that lead nowhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from answerable.connectors.aws_resources.declaration import PERMISSIONS
from answerable.connectors.aws_resources.live_scan import scan_region
from answerable.connectors.aws_resources.scan_calls import ResourceReply, ResourceScan
from answerable.model.connector import SyncContext
from answerable.model.sighting import ReadProblemKind, SightedFacts, Sync

ACCOUNT = "123456789012"
HERE = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HERE}:key/1"
FUNCTION = f"arn:aws:lambda:{HERE}:function:f"
LISTED: dict[str, ResourceReply] = {
    "list_buckets": {"Buckets": [{"Name": f"lake{n}"} for n in range(9)]},
    "list_access_points": {"AccessPointList": []},
    "list_keys": {"Keys": [{"KeyArn": KEY}]},
    "list_topics": {"Topics": [{"TopicArn": f"arn:aws:sns:{HERE}:t"}]},
    "list_queues": {"QueueUrls": [f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q"]},
    "list_functions": {
        "Functions": [{"FunctionArn": FUNCTION, "Environment": {"x": "canary"}}]
    },
    "list_secrets": {
        "SecretList": [{"ARN": f"arn:aws:secretsmanager:{HERE}:secret:s-AbCdEf"}]
    },
    "describe_repositories": {
        "repositories": [
            {
                "repositoryArn": f"arn:aws:ecr:{HERE}:repository/r",
                "repositoryName": "r",
            }
        ]
    },
    "get_resources": {"ResourceTagMappingList": []},
    "describe_instances": {"Reservations": []},
    "list_instance_profiles": {"InstanceProfiles": []},
    "list_task_definitions": {
        "taskDefinitionArns": [f"arn:aws:ecs:{HERE}:task-definition/t:1"]
    },
    "list_clusters": {"clusterArns": [f"arn:aws:ecs:{HERE}:cluster/c"]},
    "describe_launch_templates": {"LaunchTemplates": [{"LaunchTemplateId": "lt-1"}]},
    "list_grants": {"Grants": [], "Truncated": False},
    "list_agents": {"agentSummaries": [{"agentId": "A1"}]},
    "list_agent_runtimes": {"agentRuntimes": [{"agentRuntimeId": "r1"}]},
    "list_gateways": {"items": [{"gatewayId": "g1"}]},
}


def refusal(code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret text"}}, "Call")


@dataclass
class FakeClient:
    """Answers what is listed; everything else as `answer` says."""

    answer: Callable[[str, ResourceReply], ResourceReply]
    asked: list[str]

    def __getattr__(self, operation: str) -> Callable[..., ResourceReply]:
        def call(**arguments: object) -> ResourceReply:
            self.asked.append(operation)
            return self.answer(operation, arguments)

        return call

    def get_paginator(self, operation: str) -> "FakePaginator":
        return FakePaginator(self, operation)


@dataclass
class FakePaginator:
    inner: FakeClient
    operation: str

    def paginate(self, **arguments: object) -> Iterator[ResourceReply]:
        self.inner.asked.append(self.operation)
        yield self.inner.answer(self.operation, arguments)


@dataclass
class FakeSession:
    """An AWS whose every service answers by one function."""

    answer: Callable[[str, ResourceReply], ResourceReply]
    asked: dict[str, list[str]] = field(default_factory=dict)

    def client(self, service: str) -> FakeClient:
        return FakeClient(self.answer, self.asked.setdefault(service, []))


def scan(
    answer: Callable[[str, ResourceReply], ResourceReply], context: SyncContext
) -> tuple[Sync, dict[str, list[str]]]:
    session = FakeSession(answer)
    asking = ResourceScan(session, ACCOUNT, "eu-west-1", context)
    asking.document |= {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/x"}
    asking.document["Region"] = "eu-west-1"
    return scan_region(asking), session.asked


def places(sync: Sync) -> set[str]:
    return {problem.what.split(" ")[0] for problem in sync.problems}


def test_when_nothing_is_allowed_each_permission_is_named_and_nothing_is_known(
    context: SyncContext,
) -> None:
    def refuse(operation: str, _: ResourceReply) -> ResourceReply:
        raise refusal()

    sync, asked = scan(refuse, context)
    assert {problem.kind for problem in sync.problems} == {ReadProblemKind.PERMISSION}
    lists = {
        p
        for p in PERMISSIONS
        if ":List" in p or ":Describe" in p or p.startswith("tag")
    }
    lists -= {"kms:ListGrants", "ecs:DescribeTaskDefinition"}
    lists -= {"ecs:ListTasks", "ecs:DescribeTasks"}
    lists -= {"ec2:DescribeLaunchTemplateVersions"}
    lists -= {"bedrock:ListAgentCollaborators"}
    assert places(sync) == lists | {"s3:GetAccountPublicAccessBlock"}
    assert len(asked) == 14
    assert sync.facts == SightedFacts()
    assert sync.collected == ()


def test_when_only_lists_are_allowed_each_other_permission_is_named(
    context: SyncContext,
) -> None:
    def refuse(operation: str, _: ResourceReply) -> ResourceReply:
        if operation in LISTED and operation != "list_grants":
            return LISTED[operation]
        raise refusal()

    sync, _ = scan(refuse, context)
    assert places(sync) == {
        *("s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock"),
        *("s3:GetBucketTagging", "s3:GetAccountPublicAccessBlock"),
        *("kms:GetKeyPolicy", "kms:ListGrants", "sns:GetTopicAttributes"),
        *("sqs:GetQueueAttributes", "lambda:GetPolicy"),
        *("secretsmanager:GetResourcePolicy", "ecr:GetRepositoryPolicy"),
        *("ecs:DescribeTaskDefinition", "bedrock:GetAgent"),
        *("ecs:ListTasks", "ec2:DescribeLaunchTemplateVersions"),
        *("bedrock-agentcore:GetAgentRuntime", "bedrock-agentcore:GetGateway"),
    }
    assert "s3:GetBucketPolicy is not allowed, 9 times" in {
        problem.what for problem in sync.problems
    }
    assert sync.facts.attachments == ()
    assert {r.id for r in sync.facts.resources} >= {KEY, FUNCTION}
    assert {p.place for p in sync.probes if p.what == "failed"} == places(sync)


def test_no_text_of_the_server_and_no_environment_is_repeated(
    context: SyncContext,
) -> None:
    def refuse(operation: str, _: ResourceReply) -> ResourceReply:
        if operation in LISTED:
            return LISTED[operation]
        raise refusal("AccessDenied")

    asking = ResourceScan(FakeSession(refuse), ACCOUNT, "eu-west-1", context)
    sync = scan_region(asking)
    assert sync.problems
    assert "secret text" not in repr(sync) + repr(asking.document)
    assert FUNCTION in repr(asking.document)
    assert "canary" not in repr(sync) + repr(asking.document)


def test_a_service_that_nobody_reaches_is_not_asked_on_and_on(
    context: SyncContext,
) -> None:
    def close(operation: str, _: ResourceReply) -> ResourceReply:
        if operation in LISTED:
            return LISTED[operation]
        raise ConnectionClosedError(endpoint_url="http://x")

    sync, asked = scan(close, context)
    assert len(asked["s3"]) == 1 + 5
    assert "s3:GetBucketPolicy failed, 9 times" in {p.what for p in sync.problems}
    assert {p.kind for p in sync.problems} == {ReadProblemKind.NETWORK}
    assert asked["kms"]  # other services still are


@pytest.mark.parametrize("broken", sorted(LISTED))
def test_one_call_that_fails_takes_nothing_from_the_others(
    context: SyncContext, broken: str
) -> None:
    def answer(operation: str, _: ResourceReply) -> ResourceReply:
        if operation == broken:
            raise refusal("InternalError")
        return LISTED.get(operation, {"Policy": '{"Statement": []}'})

    sync, _ = scan(answer, context)
    assert any(problem.kind is ReadProblemKind.NETWORK for problem in sync.problems)
    held = {attachment.target for attachment in sync.facts.attachments}
    assert len(held & {KEY, FUNCTION, "arn:aws:s3:::lake0"}) >= 2


def test_every_page_of_grants_and_access_points_is_asked_for(
    context: SyncContext,
) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/x"

    def answer(operation: str, arguments: ResourceReply) -> ResourceReply:
        if operation == "list_grants":
            at = int(str(arguments.get("Marker", "0")))
            grant = {
                "GrantId": f"g{at}",
                "GranteePrincipal": role,
                "Operations": ["Encrypt"],
            }
            more = {"Truncated": True, "NextMarker": str(at + 1)} if at < 2 else {}
            return {"Grants": [grant], **more}
        if operation == "list_access_points":
            at = int(str(arguments.get("NextToken", "0")))
            arn = f"arn:aws:s3:{HERE}:accesspoint/p{at}"
            point = {"Name": f"p{at}", "AccessPointArn": arn, "Bucket": "lake0"}
            more = {"NextToken": str(at + 1)} if at < 2 else {}
            return {"AccessPointList": [point], **more}
        return LISTED.get(operation, {"Policy": '{"Statement": []}'})

    sync, _ = scan(answer, context)
    (grants,) = (p for p in sync.facts.policies if p.id == f"{KEY}#grants")
    assert [statement.sid for statement in grants.statements] == ["g0", "g1", "g2"]
    points = [r.id for r in sync.facts.resources if r.kind == "s3:accesspoint"]
    assert len(points) == 3


@pytest.mark.parametrize("marker", ["same", ""])
def test_a_marker_that_leads_nowhere_leaves_the_grants_open(
    context: SyncContext, marker: str
) -> None:
    def answer(operation: str, _: ResourceReply) -> ResourceReply:
        if operation == "list_grants":
            return {"Grants": [], "Truncated": True, "NextMarker": marker}
        return LISTED.get(operation, {"Policy": '{"Statement": []}'})

    sync, asked = scan(answer, context)
    (grants,) = (p for p in sync.facts.policies if p.id == f"{KEY}#grants")
    assert [unread.sid for unread in grants.unread] == ["*"]
    assert asked["kms"].count("list_grants") <= 2


def test_progress_is_told(context: SyncContext) -> None:
    told: list[str] = []
    watched = SyncContext(
        context.now, context.fingerprint, lambda done, total, what: told.append(what)
    )
    scan(lambda operation, _: LISTED.get(operation, {}), watched)
    assert set(told) == {"responses about resources"}

"""A live scan tells what a file of the same answers tells."""

import io
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from answerable.connectors.aws_resources import fetch
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import SightedFacts, Sync
from tests.connectors.aws_resources.collector import ACCOUNT, REGION, Make, collected

HERE = f"{REGION}:{ACCOUNT}"
CANARY = "Xq7vT9pLm2Kd8RwZ4cNb6HsY1fGj3AeU"


def document(*actions: str, resource: str = "*", principal: object = "*") -> str:
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": actions,
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def make(fresh: str) -> Make:
    config = Config(s3={"addressing_style": "path"})

    def one_host(request: AWSRequest, **_: object) -> None:
        request.url = request.url.replace(f"//{ACCOUNT}.", "//")

    def _make(service: str) -> "boto3.client":
        client = boto3.client(service, REGION, endpoint_url=fresh, config=config)
        client.meta.events.register("before-sign.s3-control", one_host)
        return client

    return _make


def live(endpoint: str, context: SyncContext) -> Sync:
    return fetch.sync("", replace(context, endpoint_url=endpoint, region=REGION))


def _buckets(make: Make) -> None:
    s3, control = make("s3"), make("s3control")
    for name in ("lake", "bare"):
        s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket="lake", Policy=document("s3:GetObject"))
    block = {"RestrictPublicBuckets": True, "BlockPublicPolicy": True}
    s3.put_public_access_block(Bucket="lake", PublicAccessBlockConfiguration=block)
    tags = {"TagSet": [{"Key": "team", "Value": "data"}]}
    s3.put_bucket_tagging(Bucket="lake", Tagging=tags)
    account = {"AccountId": ACCOUNT}
    control.put_public_access_block(**account, PublicAccessBlockConfiguration=block)
    vpc = {"VpcId": "vpc-0a1b2c3d"}
    control.create_access_point(
        **account, Name="door", Bucket="lake", VpcConfiguration=vpc
    )
    control.create_access_point(**account, Name="plain", Bucket="lake")
    control.put_access_point_policy(
        **account, Name="door", Policy=document("s3:GetObject")
    )


def _key(make: Make) -> str:
    kms = make("kms")
    key = str(kms.create_key(Policy=document("kms:*"))["KeyMetadata"]["Arn"])
    for number in range(3):
        kms.create_grant(
            KeyId=key,
            GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/reader{number}",
            Operations=["Decrypt"],
        )
    return key


def _messages(make: Make) -> None:
    sns, sqs = make("sns"), make("sqs")
    topic = sns.create_topic(Name="orders", Tags=[{"Key": "env", "Value": "prod"}])
    assert topic["TopicArn"] == f"arn:aws:sns:{HERE}:orders"
    sqs.create_queue(QueueName="bare")
    sqs.create_queue(
        QueueName="jobs", Attributes={"Policy": document("sqs:SendMessage")}
    )


def _function(make: Make, name: str, role: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(*_): pass\n")
    make("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"TOKEN": CANARY}},
    )


def build(make: Make) -> dict[str, str]:
    """Make an account with a resource of every kind, with and without a policy."""
    iam = make("iam")
    trust = document("sts:AssumeRole", principal={"Service": "lambda.amazonaws.com"})
    role = iam.create_role(RoleName="exporter", AssumeRolePolicyDocument=trust)["Role"]
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="exporter")
    _buckets(make)
    key = _key(make)
    _messages(make)
    for name in ("export", "idle"):
        _function(make, name, role["Arn"])
    make("lambda").add_permission(
        FunctionName="export",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    secrets = make("secretsmanager")
    secret = secrets.create_secret(Name="db/prod", SecretString=CANARY)["ARN"]
    bare = secrets.create_secret(Name="bare", SecretString=CANARY)["ARN"]
    read_it = document("secretsmanager:GetSecretValue")
    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=read_it)
    ecr = make("ecr")
    for name in ("team/app", "bare"):
        ecr.create_repository(repositoryName=name)
    ecr.set_repository_policy(
        repositoryName="team/app", policyText=document("ecr:BatchGetImage")
    )
    make("ecs").register_task_definition(
        family="batch",
        taskRoleArn=role["Arn"],
        containerDefinitions=[
            {
                "name": "c",
                "image": "x",
                "memory": 16,
                "environment": [{"name": "K", "value": CANARY}],
            }
        ],
    )
    _tasks(make, role["Arn"])
    make("ec2").create_launch_template(
        LaunchTemplateName="fleet",
        LaunchTemplateData={
            "IamInstanceProfile": {"Name": "web"},
            "UserData": CANARY,
        },
    )
    image = make("ec2").register_image(Name="web")["ImageId"]
    profile = {"Name": "web"}
    make("ec2").run_instances(
        ImageId=image, MinCount=1, MaxCount=1, IamInstanceProfile=profile
    )
    return {"key": key, "secret": secret, "bare secret": bare, "role": role["Arn"]}


def _tasks(make: Make, role: str) -> None:
    """Run two tasks of a cluster, one of them under a role of its own."""
    ecs = make("ecs")
    ecs.create_cluster(clusterName="apps")
    ecs.create_cluster(clusterName="idle")
    zone = make("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    for overrides in (
        {},
        {
            "taskRoleArn": role.replace("exporter", "runner"),
            "containerOverrides": [
                {"name": "c", "environment": [{"name": "K", "value": CANARY}]}
            ],
        },
    ):
        ecs.run_task(
            cluster="apps",
            taskDefinition="batch",
            launchType="FARGATE",
            enableExecuteCommand=True,
            networkConfiguration={"awsvpcConfiguration": {"subnets": [zone]}},
            overrides=overrides,
        )


def policies(facts: SightedFacts) -> dict[str, int]:
    known = {policy.id: len(policy.statements) for policy in facts.policies}
    return {a.policy: known[a.policy] for a in facts.attachments}


def test_every_kind_of_resource_is_asked(
    make: Make, fresh: str, context: SyncContext
) -> None:
    made = build(make)
    scanned = live(fresh, context)
    assert scanned.problems == ()
    assert scanned.source == f"aws-resources:{ACCOUNT} {REGION} (live)"
    assert scanned.not_collected == ()
    assert policies(scanned.facts) == {
        "arn:aws:s3:::lake#policy": 1,
        "arn:aws:s3:::bare#policy": 0,
        f"arn:aws:s3:{HERE}:accesspoint/door#policy": 1,
        f"arn:aws:s3:{HERE}:accesspoint/plain#policy": 0,
        f"{made['key']}#policy": 1,
        f"{made['key']}#grants": 3,
        f"arn:aws:sns:{HERE}:orders#policy": 1,
        f"arn:aws:sqs:{HERE}:jobs#policy": 1,
        f"arn:aws:sqs:{HERE}:bare#policy": 0,
        f"arn:aws:lambda:{HERE}:function:export#policy": 1,
        f"arn:aws:lambda:{HERE}:function:idle#policy": 0,
        f"{made['secret']}#policy": 1,
        f"{made['bare secret']}#policy": 0,
        f"arn:aws:ecr:{HERE}:repository/team/app#policy": 1,
        f"arn:aws:ecr:{HERE}:repository/bare#policy": 0,
    }
    assert {probe.what for probe in scanned.probes} == {"answered"}


def test_tags_doors_blocks_and_roles_are_read(
    make: Make, fresh: str, context: SyncContext
) -> None:
    made = build(make)
    facts = live(fresh, context).facts
    found = {resource.id: resource for resource in facts.resources}
    assert {resource.account for resource in found.values()} == {ACCOUNT}
    assert found["arn:aws:s3:::lake"].tags == (("team", "data"),)
    assert found[f"arn:aws:sns:{HERE}:orders"].tags == (("env", "prod"),)
    door = found[f"arn:aws:s3:{HERE}:accesspoint/door"]
    assert (door.behind, door.network) == ("arn:aws:s3:::lake", "vpc-0a1b2c3d")
    assert found[f"arn:aws:s3:{HERE}:accesspoint/plain"].network == ""
    blocks = {b.target: b.restrict_public_buckets for b in facts.public_access}
    assert blocks["arn:aws:s3:::lake"] is True
    assert blocks["arn:aws:s3:::bare"] is False
    assert blocks[ACCOUNT] is True
    runs = {resource.kind for resource in found.values() if resource.runs_as}
    assert runs == {
        *("lambda:function", "ec2:instance", "ecs:task-definition"),
        *("iam:instance-profile", "ecs:task", "ec2:launch-template"),
    }
    runner = made["role"].replace("exporter", "runner")
    assert {r.runs_as for r in found.values()} == {"", made["role"], runner}
    tasks = sorted(r.runs_as for r in found.values() if r.kind == "ecs:task")
    assert tasks == [made["role"], runner]


def test_no_environment_of_a_function_or_task_and_no_secret_is_kept(
    make: Make, fresh: str, context: SyncContext
) -> None:
    build(make)
    scanned = live(fresh, context)
    assert any(
        resource.kind == "lambda:function" for resource in scanned.facts.resources
    )
    assert CANARY[:8] not in repr(scanned)


def test_a_file_of_the_documented_answers_tells_the_same(
    make: Make, fresh: str, context: SyncContext, tmp_path: Path
) -> None:
    build(make)
    path = tmp_path / "resources.json"
    path.write_text("\n".join(collected(make)))
    filed, scanned = fetch.sync(str(path), context), live(fresh, context)
    assert filed.problems == ()
    assert unseen(filed.facts) == unseen(scanned.facts)
    assert filed.collected == scanned.collected
    assert filed.held == scanned.held != ()


def unseen(facts: SightedFacts) -> dict[str, list[str]]:
    """Facts without their provenance, sorted."""
    return {
        name: sorted(
            repr({f: getattr(fact, f) for f in fact.__slots__ if f != "seen"})
            for fact in getattr(facts, name)
        )
        for name in facts.__slots__
    }


def test_an_empty_account_is_no_problem(
    make: Make, fresh: str, context: SyncContext
) -> None:
    scanned = live(fresh, context)
    assert scanned.problems == ()
    assert scanned.facts.policies == ()


def test_without_a_region_the_scan_says_how_to_give_one(
    make: Make, fresh: str, context: SyncContext
) -> None:
    with pytest.raises(UsageError, match="requires a region") as caught:
        fetch.sync("", replace(context, endpoint_url=fresh))
    assert "AWS_REGION" in caught.value.hint


def test_without_credentials_the_scan_is_refused_with_a_next_step(
    endpoint: str, context: SyncContext
) -> None:
    with pytest.raises(EnvironmentFailure, match="no AWS credentials") as caught:
        live(endpoint, context)
    assert "aws-resources:FILE" in caught.value.hint


def test_without_boto3_the_scan_says_what_to_install(
    context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    live_module = "answerable.connectors.aws_resources.live_scan"
    monkeypatch.delitem(sys.modules, live_module, raising=False)
    with pytest.raises(EnvironmentFailure, match="boto3") as caught:
        fetch.sync("", context)
    assert caught.value.hint == "pip install 'answerable[aws]'"

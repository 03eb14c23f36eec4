"""Names, pages and parts of a file of answers, and files that hold something else."""

import json
from pathlib import Path

import pytest

from answerable.connectors.aws_resources import fetch
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import SightedFacts, Sync
from tests.connectors.aws_resources.conftest import Read, Whole
from tests.connectors.aws_resources.test_file import (
    ACCOUNT,
    BUCKET,
    CALLER,
    DOCUMENT,
    HOLDERS,
    KEY,
    OTHER,
    POINT,
    REGION,
    ROLE,
    whats,
)


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("BucketPolicy", "lake"),
        ("BucketPolicy", BUCKET),
        ("KeyPolicy", KEY),
        ("KeyPolicy", KEY.rsplit("/", 1)[1]),
        ("QueueAttributes", f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/jobs"),
        ("QueueAttributes", f"https://eu-west-1.queue.amazonaws.com/{ACCOUNT}/jobs"),
        ("QueueAttributes", "jobs"),
        ("TopicAttributes", "orders"),
        ("FunctionPolicy", "export"),
        ("SecretPolicy", "db/prod"),
        ("RepositoryPolicy", "team/app"),
        ("AccessPointPolicy", "analytics"),
        ("AccessPointPolicy", POINT),
    ],
)
def test_an_answer_may_stand_under_the_name_that_was_asked_for(
    whole: Whole, read: Read, resources: Sync, field: str, asked: str
) -> None:
    lists = {name: value for name, value in whole.items() if isinstance(value, list)}
    answer = {"Error": "x"} if field == "KeyPolicy" else None
    parsed = read({**CALLER, **lists, field: {asked: answer}})
    if field == "KeyPolicy":
        assert whats(parsed) == ["kms:GetKeyPolicy failed"]
        parsed = read({**CALLER, **lists, field: {asked: DOCUMENT}})
    assert parsed.problems == ()
    (attachment,) = parsed.facts.attachments
    assert attachment.target in HOLDERS
    assert {r.id for r in parsed.facts.resources} <= {
        r.id for r in resources.facts.resources
    }


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("KeyPolicy", "no-such-key"),
        ("KeyPolicy", f"arn:aws:kms:{REGION}:alias/x"),
        ("BucketPolicy", f"arn:aws:sns:{REGION}:orders"),
        ("BucketPolicy", "*"),
        ("BucketPolicy", ""),
        ("BucketPolicy", "a\u202eb"),
        ("TopicAttributes", f"arn:aws:sns:{REGION}:*"),
        ("ResourcePolicy", "arn:aws:iam::123456789012:role/x"),
        ("ResourcePolicy", "orders"),
        ("AccountPublicAccessBlock", "lake"),
        ("QueueAttributes", "https://sqs.evil.example/123456789012/jobs"),
    ],
)
def test_an_id_that_names_no_resource_of_that_kind_is_a_problem(
    read: Read, field: str, asked: str
) -> None:
    parsed = read({**CALLER, field: {asked: None}})
    assert len(parsed.problems) == 1
    assert parsed.facts == SightedFacts()


def test_a_name_that_two_regions_have_is_not_guessed(read: Read) -> None:
    arns = [f"arn:aws:sns:{at}:{ACCOUNT}:orders" for at in ("eu-west-1", "us-east-1")]
    topics = [{"TopicArn": arn} for arn in arns]
    parsed = read({"Topics": topics, "TopicAttributes": {"orders": None}})
    assert len(parsed.problems) == 1
    assert parsed.facts.attachments == ()


def test_answers_one_a_line_read_as_one_object(
    whole: Whole, read: Read, resources: Sync
) -> None:
    caller = {name: whole.pop(name) for name in CALLER}
    lines = [caller, *({name: value} for name, value in whole.items())]
    parsed = read("\n".join(map(json.dumps, lines)))
    assert {(a.policy, a.target) for a in parsed.facts.attachments} == {
        (a.policy, a.target) for a in resources.facts.attachments
    }
    assert {(r.id, r.account, r.tags, r.runs_as) for r in parsed.facts.resources} == {
        (r.id, r.account, r.tags, r.runs_as) for r in resources.facts.resources
    }
    assert parsed.collected == resources.collected


def test_the_last_answer_stands_and_a_refusal_replaces_none(read: Read) -> None:
    answers = [None, DOCUMENT, {"Error": {"Code": "AccessDenied"}}]
    lines = [{"BucketPolicy": {"lake": answer}} for answer in answers]
    parsed = read("\n".join(json.dumps({**CALLER, **line}) for line in lines))
    (policy,) = parsed.facts.policies
    assert len(policy.statements) == 1
    assert len(parsed.facts.attachments) == 1


def test_whose_a_bucket_is_comes_from_the_caller_alone(read: Read) -> None:
    parsed = read({"BucketPolicy": {"lake": None}})
    assert [resource.account for resource in parsed.facts.resources] == [""]
    assert "sts get-caller-identity" in whats(parsed)[0]
    two = [{**CALLER, "Account": number} for number in (ACCOUNT, "1" * 12)]
    lines = [*two, {"BucketPolicy": {"lake": None}}]
    parsed = read("\n".join(map(json.dumps, lines)))
    assert [resource.account for resource in parsed.facts.resources] == [""]
    assert "use one file per account" in whats(parsed)[0]


def test_the_partition_of_a_bucket_is_that_of_the_caller(read: Read) -> None:
    arn = f"arn:aws-us-gov:iam::{ACCOUNT}:user/x"
    parsed = read({**CALLER, "Arn": arn, "BucketPolicy": {"lake": None}})
    assert parsed.facts.attachments[0].target == "arn:aws-us-gov:s3:::lake"


def test_the_bucket_behind_a_door_may_belong_to_another_account(read: Read) -> None:
    point = {
        "AccessPointArn": POINT,
        "Bucket": "theirs",
        "BucketAccountId": "999988887777",
    }
    parsed = read({**CALLER, "AccessPointList": [point]})
    owners = {resource.id: resource.account for resource in parsed.facts.resources}
    assert owners == {POINT: ACCOUNT, "arn:aws:s3:::theirs": "999988887777"}


def test_pages_that_are_missing_are_said(read: Read) -> None:
    parsed = read({"Topics": [], "NextToken": "x"})
    assert whats(parsed) == ["truncated: collect again without --max-items"]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("codebuild:{}:project/x", {"projects": [{"arn": "x", "serviceRole": ROLE}]}),
        ("states:{}:stateMachine:x", {"roleArn": ROLE, "definition": "{}"}),
        ("sagemaker:{}:notebook-instance/x", {"RoleArn": ROLE}),
        (
            "bedrock-agentcore:{}:runtime/x",
            {"roleArn": ROLE, "environmentVariables": {"roleArn": OTHER}},
        ),
        (
            "apprunner:{}:service/x/1",
            {"Service": {"InstanceConfiguration": {"InstanceRoleArn": ROLE}}},
        ),
        ("cloudformation:{}:stack/x/1", {"Stacks": [{"RoleARN": ROLE}]}),
        (
            "codebuild:{}:project/y",
            {
                "projects": [
                    {"buildBatchConfig": {"serviceRole": OTHER}, "serviceRole": ROLE}
                ]
            },
        ),
    ],
)
def test_whatever_else_runs_code_is_described_by_its_own_answer(
    read: Read, kind: str, answer: object
) -> None:
    arn = f"arn:aws:{kind.format(REGION)}"
    parsed = read({"Described": {arn: answer}})
    assert parsed.problems == ()
    assert [(r.id, r.runs_as) for r in parsed.facts.resources] == [(arn, ROLE)]


@pytest.mark.parametrize("answer", [None, {}, {"roleArn": "x"}, {"a": [ROLE]}])
def test_a_description_without_a_role_says_nothing(read: Read, answer: object) -> None:
    parsed = read({"Described": {f"arn:aws:codebuild:{REGION}:project/x": answer}})
    assert [r.runs_as for r in parsed.facts.resources] == [""]


def test_an_instance_without_its_profiles_roles_runs_as_nobody_known(
    whole: Whole, read: Read
) -> None:
    parsed = read({"Reservations": whole["Reservations"]})
    assert [(r.id, r.runs_as) for r in parsed.facts.resources] == [
        (f"arn:aws:ec2:{REGION}:instance/i-0abc", "")
    ]
    assert "list-instance-profiles" in whats(parsed)[0]


def test_other_files_are_told_apart(
    root: Path, context: SyncContext, read: Read, path: Path
) -> None:
    data = root / "tests" / "data" / "aws"
    for name, source in (
        ("account", "aws"),
        ("keys", "aws-keys"),
        ("organization", "aws-org"),
    ):
        with pytest.raises(UsageError) as caught:
            fetch.sync(str(data / f"{name}.json"), context)
        assert caught.value.hint == f"pass it as {source}:FILE"
    with pytest.raises(
        UsageError, match="does not contain responses about AWS resources"
    ):
        read(CALLER)


@pytest.mark.parametrize("connector", ["aws", "aws_org"])
def test_another_source_says_where_this_file_belongs(
    connector: str, path: Path, context: SyncContext
) -> None:
    from importlib import import_module

    other = import_module(f"answerable.connectors.{connector}.fetch")
    with pytest.raises(UsageError) as caught:
        other.sync(str(path), context)
    assert caught.value.hint == "pass it as aws-resources:FILE"


def test_where_names_the_file_or_every_call() -> None:
    assert [probe.found for probe in fetch.list_locations_to_read("/no/such/file")] == [
        False
    ]
    calls = [probe.place for probe in fetch.list_locations_to_read("")]
    assert calls[0] == "sts:GetCallerIdentity"
    assert "s3:GetBucketPolicy" in calls

"""What a file of answers tells of resources."""

import json
from pathlib import Path

import pytest

from answerable.connectors.aws_resources import fetch
from answerable.connectors.aws_resources.parse import Parsed
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.policy import Layer, Policy
from answerable.model.sighting import Facts, Problem, ProblemKind, Sync
from tests.connectors.aws_resources.conftest import Read, Whole

ACCOUNT = "123456789012"
REGION = f"eu-west-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{REGION}:key/1111aaaa-22bb-33cc-44dd-5555eeee6666"
QUIET = f"arn:aws:kms:{REGION}:key/9999aaaa-22bb-33cc-44dd-5555eeee6666"
POINT = f"arn:aws:s3:{REGION}:accesspoint/analytics"
BUCKET = "arn:aws:s3:::lake"
ROLE, OTHER = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("runs", "other"))
CALLER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/x", "UserId": "x"}
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"},
}
HOLDERS = {
    BUCKET: 1,
    "arn:aws:s3:::logs": 0,
    POINT: 1,
    KEY: 1,
    f"arn:aws:sns:{REGION}:orders": 1,
    f"arn:aws:sqs:{REGION}:jobs": 0,
    f"arn:aws:lambda:{REGION}:function:export": 1,
    f"arn:aws:lambda:{REGION}:function:idle": 0,
    f"arn:aws:secretsmanager:{REGION}:secret:db/prod-AbCdEf": 0,
    f"arn:aws:ecr:{REGION}:repository/team/app": 1,
    f"arn:aws:dynamodb:{REGION}:table/orders": 1,
}


def policies(facts: Facts) -> dict[str, Policy]:
    return {policy.id: policy for policy in facts.policies}


def whats(parsed: Parsed | Sync) -> list[str]:
    return [problem.what for problem in parsed.problems]


def test_only_what_was_refused_is_a_problem(resources: Sync) -> None:
    assert resources.problems == (
        Problem(
            ProblemKind.PERMISSION,
            f"{resources.source.partition(':')[2]}#/KeyPolicy/{QUIET}",
            "kms:GetKeyPolicy is not allowed",
        ),
    )


def test_each_resource_that_was_asked_holds_its_policy(resources: Sync) -> None:
    found = policies(resources.facts)
    held = {
        attachment.target: len(found[attachment.policy].statements)
        for attachment in resources.facts.attachments
        if attachment.policy == f"{attachment.target}#policy"
        and attachment.policy in found
    }
    assert held == HOLDERS
    assert {a.layer for a in resources.facts.attachments} == {Layer.RESOURCE}
    assert all(policy.unread == () for policy in found.values())


def test_of_a_key_whose_policy_was_refused_it_is_said_that_there_is_one(
    resources: Sync,
) -> None:
    of_quiet = {a.policy for a in resources.facts.attachments if a.target == QUIET}
    assert of_quiet == {f"{QUIET}#policy", f"{QUIET}#grants"}
    assert f"{QUIET}#policy" not in policies(resources.facts)
    assert policies(resources.facts)[f"{QUIET}#grants"].statements == ()


def test_the_policy_is_that_of_the_answer(resources: Sync) -> None:
    (statement,) = policies(resources.facts)[f"{BUCKET}#policy"].statements
    assert statement.sid == "Partner"
    assert statement.principals == (("AWS", "arn:aws:iam::999988887777:root"),)
    assert statement.resources == (f"{BUCKET}/*",)


def test_resources_know_owner_tags_door_network_and_whom_they_run_as(
    resources: Sync,
) -> None:
    found = {resource.id: resource for resource in resources.facts.resources}
    assert {resource.account for resource in found.values()} == {ACCOUNT}
    assert found[BUCKET].tags == (("team", "data"),)
    assert found["arn:aws:s3:::logs"].tags == ()
    assert found[f"arn:aws:sns:{REGION}:orders"].tags == (("env", "prod"),)
    point = found[POINT]
    assert (point.kind, point.behind, point.network) == (
        "s3:accesspoint",
        BUCKET,
        "vpc-0a1b2c3d",
    )
    runs = {r.id: (r.kind, r.runs_as) for r in found.values() if r.runs_as}
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    assert runs == {
        f"arn:aws:lambda:{REGION}:function:export": (
            "lambda:function",
            f"{role}exporter",
        ),
        f"arn:aws:lambda:{REGION}:function:idle": (
            "lambda:function",
            f"{role}exporter",
        ),
        f"arn:aws:ec2:{REGION}:instance/i-0abc": ("ec2:instance", f"{role}web"),
        f"arn:aws:iam::{ACCOUNT}:instance-profile/web": (
            "iam:instance-profile",
            f"{role}web",
        ),
        f"arn:aws:ecs:{REGION}:task-definition/batch:3": (
            "ecs:task-definition",
            f"{role}batch",
        ),
    }


def test_a_block_that_was_asked_for_is_a_fact_also_where_there_is_none(
    resources: Sync,
) -> None:
    assert {
        b.target: (b.restrict_public_buckets, b.block_public_policy)
        for b in resources.facts.public_access
    } == {
        BUCKET: (True, True),
        "arn:aws:s3:::logs": (False, False),
        POINT: (True, True),
        ACCOUNT: (False, True),
    }


def test_what_is_there_is_collected_and_the_rest_is_not(
    resources: Sync, read: Read
) -> None:
    assert resources.not_collected == ()
    parsed = read({**CALLER, "BucketPolicy": {"lake": None}})
    assert parsed.collected == ("resource-policies",)
    assert read({**CALLER, "BucketTagging": {"lake": None}}).collected == ()
    assert read({"Functions": []}).collected == ()
    assert read({"Functions": [], "Reservations": []}).collected == ("running-code",)
    refused = {"lake": "An error occurred (AccessDenied) when calling x"}
    assert read({**CALLER, "BucketPolicy": refused}).collected == ()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"Error": "An error occurred (NoSuchBucketPolicy) when calling the ..."},
        {"Error": {"Code": "NoSuchBucketPolicy", "Message": "none"}},
        "An error occurred (NoSuchBucketPolicy) when calling the ...",
        "NoSuchBucketPolicy",
    ],
)
def test_a_resource_without_a_policy_holds_one_without_statements(
    read: Read, answer: object
) -> None:
    parsed = read({**CALLER, "BucketPolicy": {"lake": answer}})
    assert parsed.problems == ()
    (policy,) = parsed.facts.policies
    assert (policy.id, policy.statements, policy.unread) == (f"{BUCKET}#policy", (), ())
    (attachment,) = parsed.facts.attachments
    assert (attachment.policy, attachment.target) == (policy.id, BUCKET)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("An error occurred (AccessDenied) when calling x", ProblemKind.PERMISSION),
        ({"Error": "An error occurred (AccessDenied)"}, ProblemKind.PERMISSION),
        ({"Error": {"Code": "AccessDenied"}}, ProblemKind.PERMISSION),
        ({"Error": {"Code": "SlowDown"}}, ProblemKind.NETWORK),
        ({"Error": ""}, ProblemKind.NETWORK),
        ({"Error": 5}, ProblemKind.NETWORK),
        ({"Error": None}, ProblemKind.NETWORK),
        ("", ProblemKind.NETWORK),
        ("anything else", ProblemKind.NETWORK),
        ({}, ProblemKind.INVALID),
        ({"Policy": None}, ProblemKind.INVALID),
        (5, ProblemKind.INVALID),
        ([], ProblemKind.INVALID),
        ({"ResourcePolicy": "of another service"}, ProblemKind.INVALID),
    ],
)
def test_nothing_but_a_plain_none_reads_as_none(
    read: Read, answer: object, kind: ProblemKind
) -> None:
    parsed = read({**CALLER, "BucketPolicy": {"lake": answer}})
    assert [problem.kind for problem in parsed.problems] == [kind]
    assert parsed.facts.attachments == parsed.facts.policies == ()
    assert parsed.collected == ()


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("SecretPolicy", {"Error": 5}),
        ("SecretPolicy", {"Error": "An error occurred (AccessDeniedException)"}),
        ("SecretPolicy", {"Error": "(ResourceNotFoundException)"}),
        ("SecretPolicy", "null"),
        ("QueueAttributes", {"Attributes": 5}),
        ("QueueAttributes", {"Attributes": {"Policy": 5, "QueueArn": 5}}),
    ],
)
def test_where_a_bare_answer_means_none_an_error_still_does_not(
    read: Read, field: str, answer: object
) -> None:
    service = {"SecretPolicy": "secretsmanager", "QueueAttributes": "sqs"}[field]
    name = {"SecretPolicy": "secret:x-AbCdEf", "QueueAttributes": "x"}[field]
    parsed = read({field: {f"arn:aws:{service}:{REGION}:{name}": answer}})
    assert len(parsed.problems) == 1
    assert parsed.facts.attachments == ()


def test_refusals_of_one_kind_are_one_problem_with_a_count(read: Read) -> None:
    refused = {"Error": {"Code": "AccessDenied"}}
    answers = {"lake": refused, "logs": refused, "docs": None}
    parsed = read({**CALLER, "BucketPolicy": answers})
    assert whats(parsed) == ["s3:GetBucketPolicy is not allowed, 2 times"]
    assert parsed.problems[0].place == "x#/BucketPolicy/lake"
    assert parsed.collected == ("resource-policies",)


@pytest.mark.parametrize(
    "answer",
    [
        {"Policy": json.dumps(DOCUMENT)},
        {"Policy": DOCUMENT},
        DOCUMENT,
        json.dumps(DOCUMENT),
    ],
)
def test_a_policy_may_be_text_json_or_stand_alone(read: Read, answer: object) -> None:
    parsed = read({**CALLER, "BucketPolicy": {"lake": answer}})
    assert parsed.problems == ()
    (policy,) = parsed.facts.policies
    assert len(policy.statements) == 1


@pytest.mark.parametrize("text", ["{", "{}", '{"Statement": [5]}', "{" + "[" * 3000])
def test_one_policy_that_cannot_be_read_is_kept_as_unread_beside_the_others(
    read: Read, text: str
) -> None:
    answers = {"lake": {"Policy": text}, "logs": {"Policy": json.dumps(DOCUMENT)}}
    parsed = read({**CALLER, "BucketPolicy": answers})
    found = policies(parsed.facts)
    assert found[f"{BUCKET}#policy"].statements == ()
    assert len(found[f"{BUCKET}#policy"].unread) == 1
    assert len(found["arn:aws:s3:::logs#policy"].statements) == 1
    assert len(parsed.problems) == 1
    assert parsed.problems[0].place == "x#/BucketPolicy/lake"
    assert len(parsed.facts.attachments) == 2


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
    assert parsed.facts == Facts()


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
    assert "one account a file" in whats(parsed)[0]


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
    assert whats(parsed) == ["more follow, and they are not here: collect without --max-items"]  # fmt: skip


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
        assert caught.value.hint == f"give it as {source}:FILE"
    with pytest.raises(UsageError, match="does not hold answers about AWS resources"):
        read(CALLER)


@pytest.mark.parametrize("connector", ["aws", "aws_org"])
def test_another_source_says_where_this_file_belongs(
    connector: str, path: Path, context: SyncContext
) -> None:
    from importlib import import_module

    other = import_module(f"answerable.connectors.{connector}.fetch")
    with pytest.raises(UsageError) as caught:
        other.sync(str(path), context)
    assert caught.value.hint == "give it as aws-resources:FILE"


def test_where_names_the_file_or_every_call() -> None:
    assert [probe.found for probe in fetch.where("/no/such/file")] == [False]
    calls = [probe.place for probe in fetch.where("")]
    assert calls[0] == "sts:GetCallerIdentity"
    assert "s3:GetBucketPolicy" in calls

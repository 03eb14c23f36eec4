"""What a file of answers tells of resources."""

import json

import pytest

from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.policy import Policy, PolicyLayer
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts, Sync
from tests.connectors.aws_resources.conftest import Read

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


def policies(facts: SightedFacts) -> dict[str, Policy]:
    return {policy.id: policy for policy in facts.policies}


def whats(parsed: ParsedAwsAnswers | Sync) -> list[str]:
    return [problem.what for problem in parsed.problems]


def test_only_what_was_refused_is_a_problem(resources: Sync) -> None:
    assert resources.problems == (
        ReadProblem(
            ReadProblemKind.PERMISSION,
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
    assert {a.layer for a in resources.facts.attachments} == {PolicyLayer.RESOURCE}
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
    assert resources.not_collected == ("platform-agents",)
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
        ("An error occurred (AccessDenied) when calling x", ReadProblemKind.PERMISSION),
        ({"Error": "An error occurred (AccessDenied)"}, ReadProblemKind.PERMISSION),
        ({"Error": {"Code": "AccessDenied"}}, ReadProblemKind.PERMISSION),
        ({"Error": {"Code": "SlowDown"}}, ReadProblemKind.NETWORK),
        ({"Error": ""}, ReadProblemKind.NETWORK),
        ({"Error": 5}, ReadProblemKind.NETWORK),
        ({"Error": None}, ReadProblemKind.NETWORK),
        ("", ReadProblemKind.NETWORK),
        ("anything else", ReadProblemKind.NETWORK),
        ({}, ReadProblemKind.INVALID),
        ({"Policy": None}, ReadProblemKind.INVALID),
        (5, ReadProblemKind.INVALID),
        ([], ReadProblemKind.INVALID),
        ({"ResourcePolicy": "of another service"}, ReadProblemKind.INVALID),
    ],
)
def test_nothing_but_a_plain_none_reads_as_none(
    read: Read, answer: object, kind: ReadProblemKind
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

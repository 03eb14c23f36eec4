"""Grants of a key as statements."""

import json

import pytest

from answerable.model.policy import ConditionClause, Policy, PolicyEffect
from tests.connectors.aws_resources.conftest import Read

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
GRANT: dict[str, object] = {
    "KeyId": KEY,
    "GrantId": "g1",
    "GranteePrincipal": ROLE,
    "Operations": ["Decrypt", "GenerateDataKey"],
}


def grants(read: Read, *given: object, **more: object) -> Policy:
    parsed = read({"KeyGrants": {KEY: {"Grants": given, **more}}})
    assert parsed.collected == ("kms-grants",)
    (policy,) = parsed.facts.policies
    assert policy.id == f"{KEY}#grants"
    return policy


def test_a_grant_is_one_statement_that_allows_its_operations_on_the_key(
    read: Read,
) -> None:
    (statement,) = grants(read, GRANT).statements
    assert statement.sid == "g1"
    assert statement.effect is PolicyEffect.ALLOW
    assert statement.actions == ("kms:Decrypt", "kms:GenerateDataKey")
    assert statement.resources == (KEY,)
    assert statement.principals == (("AWS", ROLE),)
    assert statement.conditions == ()


@pytest.mark.parametrize(
    ("given", "principal"),
    [
        (
            {"GranteePrincipal": "dynamodb.eu-west-1.amazonaws.com"},
            ("Service", "dynamodb.eu-west-1.amazonaws.com"),
        ),
        (
            {"GranteePrincipal": "", "GranteeServicePrincipal": "rds.amazonaws.com"},
            ("Service", "rds.amazonaws.com"),
        ),
        (
            {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root"},
            ("AWS", f"arn:aws:iam::{ACCOUNT}:root"),
        ),
        (
            {"GranteePrincipal": "AROAIOSFODNN7EXAMPLE"},
            ("AWS", "AROAIOSFODNN7EXAMPLE"),
        ),
    ],
)
def test_a_grantee_is_an_identity_an_account_or_a_service(
    read: Read, given: dict[str, object], principal: tuple[str, str]
) -> None:
    (statement,) = grants(read, {**GRANT, **given}).statements
    assert statement.principals == (principal,)


def test_a_context_that_must_be_among_the_requests(read: Read) -> None:
    constraints = {"EncryptionContextSubset": {"team": "data", "app": "${x}"}}
    (statement,) = grants(read, {**GRANT, "Constraints": constraints}).statements
    assert statement.conditions == (
        ConditionClause("StringEquals", "kms:EncryptionContext:app", ("${$}{x}",)),
        ConditionClause("StringEquals", "kms:EncryptionContext:team", ("data",)),
    )


def test_a_context_that_must_be_the_requests_lets_no_other_key_in(read: Read) -> None:
    constraints = {"EncryptionContextEquals": {"team": "data"}}
    (statement,) = grants(read, {**GRANT, "Constraints": constraints}).statements
    assert statement.conditions == (
        ConditionClause("StringEquals", "kms:EncryptionContext:team", ("data",)),
        ConditionClause(
            "ForAllValues:StringEquals", "kms:EncryptionContextKeys", ("team",)
        ),
    )


def test_a_context_binds_only_what_takes_one(read: Read) -> None:
    grant = {
        **GRANT,
        "Operations": ["Decrypt", "DescribeKey", "RetireGrant"],
        "Constraints": {"EncryptionContextSubset": {"a": "b"}},
    }
    bound, free = grants(read, grant).statements
    assert (bound.sid, bound.actions) == ("g1", ("kms:Decrypt",))
    assert bound.conditions
    assert (free.sid, free.conditions) == ("g1/unconstrained", ())
    assert free.actions == ("kms:DescribeKey", "kms:RetireGrant")


def test_a_source_binds_everything(read: Read) -> None:
    constraints = {"SourceArn": "arn:aws:rds:eu-west-1:123456789012:db:x"}
    operations = ["Decrypt", "DescribeKey"]
    grant = {**GRANT, "Operations": operations, "Constraints": constraints}
    (statement,) = grants(read, grant).statements
    assert statement.actions == ("kms:Decrypt", "kms:DescribeKey")
    assert [clause.key for clause in statement.conditions] == ["aws:SourceArn"]


def test_who_may_retire_a_grant_is_allowed_that(read: Read) -> None:
    admin = f"arn:aws:iam::{ACCOUNT}:role/admin"
    _, retiring = grants(read, {**GRANT, "RetiringPrincipal": admin}).statements
    assert retiring.sid == "g1/retiring"
    assert retiring.actions == ("kms:RetireGrant",)
    assert retiring.principals == (("AWS", admin),)


@pytest.mark.parametrize(
    "spoilt",
    [
        5,
        {},
        {"GrantId": "g2", "Operations": "Decrypt", "GranteePrincipal": ROLE},
        {"GrantId": "g2", "Operations": ["Decrypt"]},
        {"GrantId": "g2", "Operations": ["Decrypt"], "GranteePrincipal": "*"},
        {**GRANT, "Constraints": {"SomethingNew": {"a": "b"}}},
        {**GRANT, "Constraints": {"EncryptionContextSubset": {"a": 5}}},
    ],
)
def test_a_grant_that_cannot_be_read_whole_is_set_aside(
    read: Read, spoilt: object
) -> None:
    policy = grants(read, spoilt, GRANT)
    assert [statement.sid for statement in policy.statements] == ["g1"]
    assert len(policy.unread) == 1


def test_an_operation_is_no_pattern(read: Read) -> None:
    (statement,) = grants(read, {**GRANT, "Operations": ["*", "De?rypt"]}).statements
    assert not any(letter in str(statement.actions) for letter in "*?")


@pytest.mark.parametrize("more", [{"Truncated": True}, {"NextToken": "x"}])
def test_grants_that_are_not_here_stay_open(
    read: Read, more: dict[str, object]
) -> None:
    policy = grants(read, GRANT, **more)
    assert [unread.sid for unread in policy.unread] == ["*"]


@pytest.mark.parametrize("answer", [{}, {"Grants": []}, None])
def test_a_key_without_grants_holds_a_policy_without_statements(
    read: Read, answer: object
) -> None:
    parsed = read({"KeyGrants": {KEY: answer}})
    (policy,) = parsed.facts.policies
    assert (policy.statements, policy.unread) == ((), ())
    assert {a.policy for a in parsed.facts.attachments} == {
        f"{KEY}#grants",
        f"{KEY}#policy",
    }


def test_with_the_key_policy_there_nothing_is_missing(read: Read) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    parsed = read({"KeyGrants": {KEY: {}}, "KeyPolicy": {KEY: {"Policy": document}}})
    known = {policy.id for policy in parsed.facts.policies}
    assert {a.policy for a in parsed.facts.attachments} == known

"""Names that only a collected policy holds are right."""

import pytest

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.errors import UsageError
from answerable.reach.aws.condition_keys.value_types import (
    VALUE_TYPES,
    check_condition_key_value,
    get_condition_key_value_type,
)
from answerable.reach.aws.patterns.action_resource_matrix import (
    can_action_act_on_resource,
)
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import AccountBuilder, statement, user

NOW = 1_764_000_000_000_000_000
ODD = "arn:aws:dynamodb:eu-west-1:111122223333:tabel/x"


def using(action: str, resource: str = "*", **condition: object) -> AccountBuilder:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.policy(
        ana,
        "identity",
        statement("s", action=action, resource=resource, condition=condition or None),
    )
    return build


@pytest.mark.parametrize(
    ("action", "resource", "used", "on"),
    [
        ("s3:GetObjct", "*", "s3:GetObjct", "*"),
        ("foo:Bar", "*", "foo:*", "*"),
        ("dynamodb:GetItem", ODD, "dynamodb:*", ODD),
        ("foo:Bar", "arn:aws:foo:::x", "foo:Bar", "arn:aws:foo:::x*"),
    ],
)
def test_a_name_that_a_collected_policy_uses_is_right(
    action: str, resource: str, used: str, on: str
) -> None:
    for build, fails in ((using(used, on), False), (using("s3:GetObject"), True)):
        inventory = build.inventory()
        if fails:
            with pytest.raises(UsageError):
                flow.check_permission(inventory, "ana", action, resource, now=NOW)
            continue
        document = flow.check_permission(inventory, "ana", action, resource, now=NOW)
        assert document.items[0]["verdict"] in ("always", "only-if", "never")
        flow.list_subject_permissions(
            inventory, "ana", action=f"{action[:-1]}*", resource=resource, now=NOW
        )


def test_a_resource_that_was_collected_is_right_however_its_arn_is_written() -> None:
    build = using("dynamodb:*")
    build.resource(ODD, "dynamodb:table")
    flow.check_permission(build.inventory(), "ana", "dynamodb:GetItem", ODD, now=NOW)


def test_a_resource_type_of_several_forms_takes_each_of_them() -> None:
    whole = load_catalogue(["apigateway"])
    types = [
        n
        for n, t in whole.services["apigateway"].resource_types.items()
        if ", " in t.arn
    ]
    entry = next(
        e
        for e in whole.services["apigateway"].actions.values()
        if set(types) & set(e.resource_types)
    )
    name = next(n for n in entry.resource_types if n in types)
    forms = whole.services["apigateway"].resource_types[name].arn.split(", ")
    for form in forms:
        arn = form.replace("*", "aws", 1).replace("*", "x")
        assert can_action_act_on_resource(whole, str(entry), arn), arn


def test_a_key_that_is_in_no_table_takes_the_type_of_its_operators() -> None:
    asked = ("ana", "s3:GetObject", "arn:aws:s3:::red/a")
    inventory = using("s3:*", NumericLessThan={"s3:max-keys": "10"}).inventory()
    flow.check_permission(inventory, *asked, now=NOW, context={"s3:max-keys": ("9",)})
    with pytest.raises(UsageError, match="expected a number"):
        flow.check_permission(
            inventory, *asked, now=NOW, context={"s3:max-keys": ("nine",)}
        )
    assert (
        get_condition_key_value_type("s3:prefix", ["StringEquals", "NumericEquals"])
        == ""
    )


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [
        ("aws:SourceIp", "10.0.0.0/8", "10.0.0.0"),
        ("aws:SecureTransport", "yes", "true"),
        ("aws:CurrentTime", "2026-01-31 08:00:00", "2026-01-31T08:00:00Z"),
        ("aws:PrincipalAccount", "1111-2222-3333", "111122223333"),
        ("aws:PrincipalArn", "user/ana", ""),
        ("aws:MultiFactorAuthAge", "an hour", ""),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_nearest_one(
    key: str, value: str, near: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_condition_key_value(key, value, VALUE_TYPES[key.lower()])
    assert caught.value.hint == (
        f"did you mean {key}={near}?" if near else f"write --context {key}=VALUE"
    )
    if near:
        check_condition_key_value(key, near, VALUE_TYPES[key.lower()])


@pytest.mark.parametrize(
    ("resource", "near"),
    [
        (
            "arn:aws:dynamodb:us-esat-1:111122223333:table/t",
            "arn:aws:dynamodb:us-east-1:111122223333:table/t",
        ),
        (
            "arn:aws:dynamodb:eu-wst-2:111122223333:table/t",
            "arn:aws:dynamodb:eu-west-2:111122223333:table/t",
        ),
        ("arn:aws:dynamodb::111122223333:table/t", "arn:*:dynamodb:*:*:table/"),
        ("arn:aws:lambda:EU-WEST-1:111122223333:function:f", "eu-west-1"),
    ],
)
def test_a_region_that_cannot_be_is_refused(resource: str, near: str) -> None:
    inventory = using("s3:GetObject").inventory()
    action = "lambda:InvokeFunction" if ":lambda:" in resource else "dynamodb:GetItem"
    with pytest.raises(UsageError) as refused:
        flow.check_permission(inventory, "ana", action, resource, now=NOW)
    assert near in refused.value.hint


@pytest.mark.parametrize(
    "region",
    ["us-east-9", "ap-southeast-7", "cn-northwest-1", "us-gov-west-1", "us-*", "*"],
)
def test_a_region_that_may_be_new_is_none_the_less_asked_about(region: str) -> None:
    inventory = using("s3:GetObject").inventory()
    resource = f"arn:aws:dynamodb:{region}:111122223333:table/t"
    flow.check_permission(inventory, "ana", "dynamodb:GetItem", resource, now=NOW)

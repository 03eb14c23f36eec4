"""The proof beside an answer: statements as written, and every kind of policy named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from answerable.model.documents.shared_shapes import (
    DeterminingStatementItem,
    PermissionCheckItem,
)
from answerable.model.identity import Account
from answerable.model.ids import PolicyId
from answerable.model.inventory import Inventory
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.resource import PublicAccessBlock
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.statement_quotes import (
    StatementQuotes,
    StatementTextIndex,
    format_statement,
)
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import (
    SEEN,
    A,
    AccountBuilder,
    inventory_of,
    role,
    statement,
    user,
)

NOW = 1_764_000_000_000_000_000
ANA = user("ana")
RED = "arn:aws:s3:::red"

QUEUE = "arn:aws:sqs:us-east-1:111122223333:jobs"


def can(inventory: Inventory, *question: str, **options: str) -> PermissionCheckItem:
    document = flow.check_permission(inventory, *question, now=NOW, **options)  # type: ignore[arg-type]
    return cast(PermissionCheckItem, document.items[0])


def with_policy(
    facts: SightedFacts,
    layer: PolicyLayer,
    target: str,
    *held: Statement,
    name: str = "",
) -> SightedFacts:
    policy = Policy(PolicyId(name or f"{target}#{layer}"), "p", held, (), SEEN)
    attachment = PolicyAttachment(policy.id, target, layer, "", SEEN)
    return replace(
        facts,
        policies=(*facts.policies, policy),
        attachments=(*facts.attachments, attachment),
    )


def states(item: PermissionCheckItem) -> dict[str, str]:
    return {layer["layer"]: layer["state"] for layer in item["layers"]}


def ana(*more: Statement) -> AccountBuilder:
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(
        ANA, "identity", statement("s3", action="s3:*", resource=f"{RED}/*"), *more
    )
    return build


def test_a_statement_is_written_in_one_line_with_every_element() -> None:
    whole = statement(
        "x",
        effect="Deny",
        not_action=["s3:*", "sqs:*"],
        not_resource="arn:aws:s3:::red/*",
        principal={"AWS": ["*", A], "Service": "lambda.amazonaws.com"},
        condition={"StringLike": {"aws:PrincipalTag/team": ["a*", ""]}},
    )
    assert format_statement(whole) == (
        f"Deny Principal [*, AWS:{A}, Service:lambda.amazonaws.com] "
        "NotAction [s3:*, sqs:*] NotResource arn:aws:s3:::red/* "
        "if StringLike aws:PrincipalTag/team = [a*, '']"
    )
    many = statement("y", action=[f"s3:Get{n}" for n in range(40)], resource="*")
    assert "and 28 more]" in format_statement(many)


def test_statements_that_share_an_id_are_all_quoted_by_their_effect() -> None:
    twice = [
        statement("same", action="s3:GetObject", resource="*"),
        statement("same", action="s3:PutObject", resource="*"),
        statement("same", effect="Deny", action="s3:*", resource="*"),
    ]
    facts = with_policy(SightedFacts(), PolicyLayer.IDENTITY, "x", *twice)
    item: DeterminingStatementItem = {
        "layer": "identity",
        "policy": "x#identity",
        "statement": "same",
        "effect": "allow",
    }
    assert StatementQuotes(StatementTextIndex(facts)).quote_statement_cited_by_item(
        item
    ) == ("Allow Action s3:GetObject Resource * | Allow Action s3:PutObject Resource *")
    assert (
        StatementQuotes(
            StatementTextIndex(SightedFacts())
        ).quote_statement_cited_by_item(item)
        == ""
    )


def test_every_deciding_statement_is_quoted_along_the_path_too() -> None:
    build = ana(statement("in", action="sts:AssumeRole", resource=role("red")))
    build.identity(role("red"))
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": A})
    build.policy(role("red"), "trust", trust)
    queue = statement("q", action="sqs:ListQueues", resource="*")
    build.policy(role("red"), "identity", queue)
    item = can(build.inventory(), "ana", "sqs:ListQueues", "*")
    (step,) = item["path"]
    assert [found["text"] for found in step["determining"]] == [
        f"Allow Action sts:AssumeRole Resource {role('red')}",
        f"Allow Principal AWS:{A} Action sts:AssumeRole",
    ]
    assert [found["text"] for found in item["determining"]] == [
        "Allow Action sqs:ListQueues Resource *"
    ]


def test_an_implicit_deny_quotes_what_is_allowed_instead() -> None:
    build = ana()
    build.policy(ANA, "boundary", statement("b", action="s3:ListBucket", resource="*"))
    item = can(build.inventory(), "ana", "s3:GetObject", f"{RED}/a")
    (found,) = item["determining"]
    assert (found["layer"], found["effect"]) == ("boundary", "implicit-deny")
    assert found["text"] == (
        "none of its statements allows it: Allow Action s3:ListBucket Resource *"
    )


def test_of_many_statements_the_nearest_to_the_question_are_quoted() -> None:
    far = [statement(str(n), action=f"ec2:Get{n}*", resource="*") for n in range(9)]
    item = can(ana(*far).inventory(), "ana", "s3:GetObject", "arn:aws:s3:::blue/a")
    (found,) = item["determining"]
    assert found["text"] == (
        "none of its statements allows it: Allow Action s3:* Resource arn:aws:s3:::red/*"
        " | and 9 more"
    )


def test_statements_of_other_services_are_not_quoted() -> None:
    far = [statement(str(n), action=f"ec2:Get{n}*", resource="*") for n in range(9)]
    item = can(ana(*far).inventory(), "ana", "sqs:SendMessage", QUEUE)
    (found,) = item["determining"]
    assert found["text"] == "10 statements name no action of sqs"


def test_statements_of_the_same_action_stand_before_others_by_their_resource() -> None:
    others = [
        statement("l", action="s3:ListBucket", resource="*"),
        statement("g", action="s3:GetObject", resource="arn:aws:s3:::green/*"),
        statement("b", action="s3:GetObject", resource="arn:aws:s3:::blue-1/*"),
    ]
    item = can(ana(*others).inventory(), "ana", "s3:GetObject", "arn:aws:s3:::blue/a")
    (found,) = item["determining"]
    assert found["text"] == (
        "none of its statements allows it: "
        "Allow Action s3:GetObject Resource arn:aws:s3:::blue-1/* | "
        "Allow Action s3:* Resource arn:aws:s3:::red/* | "
        "Allow Action s3:GetObject Resource arn:aws:s3:::green/* | and 1 more"
    )


def test_an_scp_level_that_does_not_allow_is_quoted_by_its_place() -> None:
    build = ana()
    build.accounts[A] = Account(A, "", "o-1", ("r-1",), False, SEEN)
    facts = with_policy(
        build.facts(),
        PolicyLayer.SCP,
        "r-1",
        statement("l", action="sqs:*", resource="*"),
    )
    item = can(inventory_of(facts), "ana", "s3:GetObject", f"{RED}/a")
    assert item["verdict"] == "never"
    (found,) = (d for d in item["determining"] if d["layer"] == "scp")
    assert "Allow Action sqs:* Resource *" in found["text"]
    assert states(item)["scp"] == "decided"


def test_every_kind_of_policy_is_named_with_its_part_in_the_answer() -> None:
    item = can(ana().inventory(), "ana", "s3:GetObject", f"{RED}/a")
    assert states(item) == {
        "identity": "decided",
        "boundary": "none",
        "session": "does-not-apply",
        "scp": "not-collected",
        "rcp": "not-collected",
        "resource": "not-collected",
        "endpoint": "not-stated",
    }
    item = can(ana().inventory(), "ana", "ec2:RunInstances", "*")
    assert states(item)["rcp"] == "does-not-apply"
    assert states(item)["resource"] == "does-not-apply"
    assert states(item)["identity"] == "decided"


def test_the_management_account_is_under_no_scp_and_an_empty_policy_is_none() -> None:
    build = ana()
    build.accounts[A] = Account(A, "", "o-1", ("r-1",), True, SEEN)
    facts = with_policy(build.facts(), PolicyLayer.RESOURCE, RED, name=f"{RED}#policy")
    item = can(inventory_of(facts), "ana", "s3:GetObject", f"{RED}/a")
    assert states(item)["scp"] == "does-not-apply"
    assert states(item)["resource"] == "none"


def test_stated_policies_are_quoted_and_take_part(tmp_path: Path) -> None:
    session = tmp_path / "session.json"
    endpoint = tmp_path / "endpoint.json"
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    session.write_text(json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    deny = {**allow, "Effect": "Deny", "Principal": "*"}
    endpoint.write_text(json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    stated = {"session_policy": str(session), "endpoint_policy": str(endpoint)}
    item = can(ana().inventory(), "ana", "s3:GetObject", f"{RED}/a", **stated)
    assert item["verdict"] == "never"
    (found,) = item["determining"]
    assert (found["layer"], found["policy"]) == ("endpoint", str(endpoint))
    assert found["text"] == "Deny Principal * Action s3:GetObject Resource *"
    assert states(item)["session"] == "passed"


@pytest.mark.parametrize("on", [True, False])
def test_a_public_access_block_says_how_it_stands(on: bool) -> None:
    block = PublicAccessBlock(RED, on, False, SEEN)
    item: DeterminingStatementItem = {
        "layer": "public-access",
        "policy": RED,
        "statement": "",
        "effect": "implicit-deny",
    }
    said = StatementQuotes(
        StatementTextIndex(SightedFacts(public_access=(block,)))
    ).quote_statement_cited_by_item(item)
    assert said == f"RestrictPublicBuckets is {'on' if on else 'off'}"

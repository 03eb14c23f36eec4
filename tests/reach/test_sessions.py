"""Subjects that are sessions of a role, and keys that a request does not carry."""

from typing import cast

import pytest

from answerable.model.documents.shared_shapes import PermissionCheckItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.services.reach.stated_request_context import parse_context_keys
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    catalogue,
    role,
    statement,
    user,
)

ANA, ONE, FAR = user("ana"), role("one"), role("far", B)
SESSION = f"arn:aws:sts::{A}:assumed-role/one/s"
RED = "arn:aws:s3:::red"
GET = ("s3:GetObject", f"{RED}/a")


def account() -> AccountBuilder:
    build = AccountBuilder()
    build.identity(ONE)
    named = statement("b", action="s3:*", resource="*", principal={"AWS": SESSION})
    build.resource(RED, "s3:bucket", A)
    build.policy(RED, "resource", named)
    return build


def item(subject: str, **context: str) -> PermissionCheckItem:
    stated = {key: (value,) for key, value in context.items()}
    document = flow.check_permission(
        account().inventory(), subject, *GET, now=0, context=stated
    )
    return cast(PermissionCheckItem, document.items[0])


def test_a_session_is_its_role_under_a_name() -> None:
    assert item(ONE)["verdict"] == "only-if"
    assert item(SESSION)["verdict"] == "always"
    assert item(SESSION)["subject"] == ONE
    other = SESSION.rpartition("/")[0] + "/other"
    assert item(other)["verdict"] == "never"


def test_a_session_has_one_name() -> None:
    stated = {"sts:RoleSessionName": ("t",)}
    with pytest.raises(UsageError, match="names another session"):
        flow.check_permission(
            account().inventory(), SESSION, *GET, now=0, context=stated
        )


def test_a_key_is_stated_as_absent() -> None:
    assert parse_context_keys([], ["aws:SourceVpce"]) == {"aws:SourceVpce": ()}
    with pytest.raises(UsageError, match="as absent"):
        parse_context_keys(["aws:SourceVpce=vpce-1"], ["aws:sourcevpce"])
    with pytest.raises(UsageError, match="expected KEY"):
        parse_context_keys([], ["aws:SourceVpce=vpce-1"])


def test_a_policy_that_was_not_collected_hides_no_better_path() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    here = statement("h", action=["s3:*", "sts:AssumeRole"], resource="*")
    build.policy(ANA, "identity", here)
    build.resource(RED, "s3:bucket", B)
    build.identity(FAR)
    trusted = statement(
        "t",
        action="sts:AssumeRole",
        principal={"AWS": ANA},
        condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    )
    build.policy(FAR, "trust", trusted)
    build.policy(FAR, "identity", statement("r", action="s3:*", resource="*"))
    graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
    direct = subject_queries.answer_subject(graph, IdentityId(ANA), *GET, direct=True)
    assert rests_on_uncollected_allow(direct.formula)
    found = subject_queries.answer_subject(graph, IdentityId(ANA), *GET, direct=False)
    assert [hop.to for hop in found.path] == [FAR]
    assert {a.key for one in found.formula for a in one} == {
        "aws:MultiFactorAuthPresent"
    }

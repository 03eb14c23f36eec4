"""The page on AWS says what the code does."""

import json
import re
from pathlib import Path

import pytest

from answerable.connectors.aws.declaration import DECLARATION
from answerable.connectors.aws.parse import LISTS
from answerable.connectors.aws_keys.declaration import DECLARATION as KEYS
from answerable.connectors.aws_org.declaration import DECLARATION as ORG
from answerable.connectors.aws_org.parse.organization_tree import FIELDS
from answerable.connectors.aws_resources.declaration import PERMISSIONS
from answerable.connectors.aws_resources.parse.response_fields import (
    FIELDS as RESOURCE_FIELDS,
)
from tests.connectors.policy import read_policy


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "aws.md").read_text()


def test_the_policy_on_the_page_is_the_one_a_live_scan_needs(page: str) -> None:
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert [json.loads(block) for block in blocks] == [
        read_policy("AnswerableRead", DECLARATION.permissions),
        read_policy("AnswerableReadResources", PERMISSIONS),
    ]


def test_every_call_of_a_live_scan_is_a_permission_or_needs_none() -> None:
    calls = {call for call in DECLARATION.reads if call.startswith(("iam:", "sts:"))}
    assert calls - set(DECLARATION.permissions) == {"sts:GetCallerIdentity"}


def test_every_field_of_the_organisation_file_is_on_the_page(page: str) -> None:
    assert [name for name in FIELDS if f"`{name}`" not in page] == []


def test_every_field_of_a_file_of_resources_is_on_the_page(page: str) -> None:
    assert [name for name in RESOURCE_FIELDS if f"`{name}`" not in page] == []


def test_every_call_that_is_collected_by_hand_is_on_the_page(page: str) -> None:
    def spoken(permission: str) -> str:
        name = permission.split(":")[1]
        return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()

    # An alternative to list-accounts-for-parent; three calls go by another name.
    unsaid = {
        "list-accounts",
        "list-all-my-buckets",
        "get-bucket-public-access-block",
        "get-account-public-access-block",
    }
    for permission in (*KEYS.permissions, *ORG.permissions, *PERMISSIONS):
        assert spoken(permission) in page or spoken(permission) in unsaid


def test_the_lists_of_an_account_are_those_of_the_api() -> None:
    assert set(LISTS) == {
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
    }
